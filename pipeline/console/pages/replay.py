"""Replays of one integration: planning one, running it, how far it is, and ending it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipeline.console.condition import Kind
from pipeline.console.head import head, settings_in
from pipeline.console.pages.acts import Confirm
from pipeline.console.pages.explain import MOST_TYPED, id_of
from pipeline.console.pages.integration import mappings_of
from pipeline.console.planning import Review
from pipeline.console.replays import Planning, Wish
from pipeline.console.visit import Gone, NotHere, Shown, Visit
from pipeline.console.waiting import heard
from pipeline.console.words import clock
from pipeline.counting import counted
from pipeline.explain.answer import Named, may_be_address
from pipeline.operations import OperationRefused
from pipeline.operations.positions import NoPosition, Position, position
from schemas.operating import Replay
from schemas.topics import (
    HUBSPOT_CHANGES,
    HUBSPOT_NOTIFICATIONS,
    REPLAYS,
    USERFLOW_ACTIVITY,
    USERFLOW_CHANGES,
    USERFLOW_NOTIFICATIONS,
    object_of,
)

CHOICES: Final[Sequence[tuple[str, str, tuple[str, ...]]]] = (
    ("changes", "Changes of both systems", (HUBSPOT_CHANGES, USERFLOW_CHANGES)),
    ("hubspot", "Changes of HubSpot", (HUBSPOT_CHANGES,)),
    ("userflow", "Changes of Userflow", (USERFLOW_CHANGES,)),
    ("activity", "Userflow's events", (USERFLOW_ACTIVITY,)),
    ("notifications", "Webhooks, translated again", (HUBSPOT_NOTIFICATIONS, USERFLOW_NOTIFICATIONS)),
)
SILENT_MS: Final = 60_000
STATES: Final[dict[str, tuple[Kind, str]]] = {
    "running": ("work", "Running"),
    "completed": ("ok", "Done"),
    "cancelled": ("idle", "Stopped"),
}


class NotReplayed(OperationRefused):
    """Nothing is planned or run; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One replay."""

    row: Replay
    path: str
    kind: Kind
    word: str
    started: str
    what: str
    percent: float
    why: str  # why it stands still
    here: bool  # whether this console is at it


@dataclass(frozen=True, slots=True)
class ChangesShown:
    """How many changes came in each part of the time that they are kept."""

    parts: Sequence[int]
    begin: str
    kept: str
    part: str


async def replay(visit: Visit) -> Shown:
    """`GET replay`: what may be chosen, and those there were."""
    settings = settings_in(visit)
    facts = {"choices": CHOICES, "mappings": [one.name for one in mappings_of(visit)]}
    rows = [_row(visit, row) for row in rows_in(visit)]
    drafts = {name: one.draft.name for name, one in _drafts(visit).items()}
    told = {"changes": _changes(visit), "rows": rows, "drafts": drafts, "rules": visit.query("rules")}
    told["object"] = visit.query("object")[:MOST_TYPED]
    return Shown("replay.html", {**facts, **told, "head": head(visit, settings, await visit.desk.lag())})


async def plan(visit: Visit) -> Gone:
    """`POST replay/plan`: begins to plan, and leads to where the plan will stand."""
    settings_in(visit)
    desk, draft = visit.desk, _draft(visit)
    wish = replace(await _wish(visit), edited=draft.plan.result().records if draft is not None else None)
    answer = asyncio.create_task(desk.replays.plan(wish, visit.who.name))
    answer.add_done_callback(heard)
    drafted = draft.draft.name if draft is not None else ""
    name = desk.plannings.keep(Planning(visit.who.key, visit.integration, desk.now_ms(), answer, drafted))
    return Gone(f"/i/{visit.integration}/replay/plan/{name}")


async def planned(visit: Visit) -> Shown:
    """`GET replay/plan/<plan>`: what it would write, once that is counted."""
    settings, one = settings_in(visit), _planning(visit)
    facts = {"head": head(visit, settings, await visit.desk.lag()), "plan_name": visit.request.path_params["plan"]}
    facts |= {"draft": one.draft}
    if not one.answer.done():
        facts |= {"planned": None, "at": clock(one.at_ms, visit.desk.now_ms())}
        return Shown("replay-plan.html", facts)
    answer = one.answer.result()  # raises what it was refused for
    return Shown("replay-plan.html", {**facts, "planned": answer, "at": clock(one.at_ms, visit.desk.now_ms())})


async def run(visit: Visit) -> Gone:
    """`POST replay/plan/<plan>`: what was planned, once."""
    settings_in(visit)
    one, desk = _planning(visit), visit.desk
    if not one.answer.done():
        raise NotReplayed("It is not planned yet. Wait for the plan.")
    if one.draft:
        raise NotReplayed(f"The rules of {one.draft} that it was planned by are not in force. Save the mapping first.")
    answer = one.answer.result()
    if not answer.records:
        raise NotReplayed("There is nothing to publish again.")
    name, path = str(visit.request.path_params["plan"]), _path(visit, answer.row)
    desk.plannings.take(name)
    await visit.audit("replay run", f"{answer.row.replay_id}, {counted(answer.records, 'record')}")
    desk.begun[answer.row.replay_id] = answer.row
    visit.acted_on(name, path)
    desk.replays.run(answer.row)
    return Gone(path)


async def progress(visit: Visit) -> Shown:
    """`GET replay/<replay>`."""
    settings, row = settings_in(visit), _replay(visit)
    facts = {"head": head(visit, settings, await visit.desk.lag()), "one": _row(visit, row)}
    return Shown("replay-run.html", facts)


async def resume(visit: Visit) -> Gone:
    """`POST replay/<replay>/resume`: where it stood; whoever is still at it is fenced."""
    row = _running(visit)
    await visit.audit("replay run", f"{row.replay_id}, resumed")
    visit.desk.replays.run(row)
    return Gone(_path(visit, row))


async def hold(visit: Visit) -> Gone:
    """`POST replay/<replay>/hold`: it stops here, and goes on where it stands."""
    row = _running(visit)
    if not visit.desk.replays.runs(row.replay_id):
        raise NotReplayed("This console is not at it. Stop it, or wait until whoever runs it is silent for a minute.")
    visit.desk.replays.hold(row)
    await visit.audit("replay hold", row.replay_id)
    return Gone(_path(visit, row))


async def stop(visit: Visit) -> Shown:
    """`GET replay/<replay>/stop`."""
    row = _running(visit)
    rows = (("Stays", f"{row.published:,} of {row.records:,} records that were published, and what they led to."),)
    lead = "What was not published is left alone. Nothing is undone: equal values cost no write."
    command = f"pairstream replay cancel {row.replay_id}"
    told = Confirm("Stop this replay?", lead, "Stop it", _path(visit, row), rows, danger=True, command=command)
    return Shown("confirm.html", {"confirm": told, "name": visit.integration})


async def do_stop(visit: Visit) -> Gone:
    """`POST replay/<replay>/stop`: the operation of `pairstream replay cancel`."""
    row = _running(visit)
    await visit.desk.replays.cancel(row)
    await visit.audit("replay cancel", row.replay_id)
    return Gone(f"/i/{visit.integration}/replay")


def _changes(visit: Visit) -> ChangesShown | None:
    """What is retained over time; None while that is not counted yet."""
    known, now_ms = visit.desk.changes_look.soon(), visit.desk.now_ms()
    if known is None:
        return None
    hours, days = known.part_ms / 3_600_000, (known.end_ms - known.begin_ms) // 86_400_000
    return ChangesShown(known.parts, clock(known.begin_ms, now_ms), counted(days, "day"), f"{hours:.3g} h")


def rows_in(visit: Visit) -> list[Replay]:
    """The replays of the integration, newest first; one that was begun here may have no row yet."""
    there = {**visit.desk.begun, **visit.desk.tables.table(REPLAYS)}
    found = [row for row in there.values() if isinstance(row, Replay) and row.integration == visit.integration]
    return sorted(found, key=lambda row: row.replay_id, reverse=True)


async def _wish(visit: Visit) -> Wish:
    form, desk = visit.form, visit.desk
    of = next((topics for word, _, topics in CHOICES if word == form.one("topics")), None)
    if of is None:
        raise NotReplayed("Which changes? Choose one of the list.")
    try:
        begin = position(form.one("from") or "-24h", desk.now_ms())
        end = position(form.one("to"), desk.now_ms()) if form.one("to") else None
    except NoPosition as error:
        raise NotReplayed(str(error)) from None
    typed, mapping = id_of(form.one("object")), form.one("mapping") or None
    if typed and mapping:
        raise NotReplayed("An object is of all its mappings. Leave out one of the two.")
    found = await asyncio.to_thread(desk.objects.found, visit.integration, typed) if typed else []
    if typed and not found:
        raise NotReplayed("Nothing is known of that object. Look it up with Explain first.")
    wanted = (found[0].system, found[0].object_type, found[0].object_id) if found else None
    activity = form.one("activity") == "on"
    return Wish(visit.integration, begin, end or Position(end=True), of, mapping, wanted, activity)


def _drafts(visit: Visit) -> Mapping[str, Review]:
    """By name, the reviews of this session by whose rules a replay can be planned."""
    revision = settings_in(visit).revision
    there = visit.desk.reviews.counted(visit.who.key, visit.integration)
    counted = {name: one for name, one in there.items() if one.plan.exception() is None and one.revision == revision}
    return {name: one for name, one in counted.items() if one.plan.result().records}


def _draft(visit: Visit) -> Review | None:
    """The review whose rules were chosen; None: those in force. Raises NotReplayed for one that is over."""
    wanted = visit.form.one("rules")
    if not wanted:
        return None
    found = _drafts(visit).get(wanted)
    if found is None:
        raise NotReplayed("That draft was saved, or somebody saved meanwhile, or it is too old. Review it once more.")
    return found


def _planning(visit: Visit) -> Planning:
    plans, name = visit.desk.plannings, str(visit.request.path_params["plan"])
    found = plans.of(name, visit.who.key, visit.integration, visit.desk.now_ms())
    if found is None:
        back = f"/i/{visit.integration}/replay"
        raise visit.over(name, NotHere("This plan was acted on, or it is older than 10 minutes", "the replays", back))
    return found


def _replay(visit: Visit) -> Replay:
    settings_in(visit)
    wanted = visit.request.path_params["replay"]
    found = next((row for row in rows_in(visit) if row.replay_id == wanted), None)
    if found is None:
        raise NotHere("There is no such replay in the last 30 days", "the replays", f"/i/{visit.integration}/replay")
    return found


def _running(visit: Visit) -> Replay:
    row = _replay(visit)
    if row.state != "running":
        raise NotReplayed(f"It is {STATES[row.state][1].lower()} already.")
    return row


def _path(visit: Visit, row: Replay) -> str:
    return f"/i/{visit.integration}/replay/{row.replay_id}"


def _row(visit: Visit, row: Replay) -> ReplayRow:
    now_ms, replays = visit.desk.now_ms(), visit.desk.replays
    kind, word = STATES[row.state]
    why = ""
    if row.state == "running" and not replays.runs(row.replay_id):
        why = replays.why_ended(row.replay_id)
        begins = visit.desk.tables.get(REPLAYS, row.replay_id) is None  # its first records bring its row
        if why or begins or now_ms - row.updated_at_ms > SILENT_MS:
            kind, word = "warn", "Interrupted"
            why = why or "It goes on where it stood once somebody resumes it."
    what = ", ".join(row.topics) + (f"; {row.mapping}" if row.mapping else "") + _object(row)
    done = 100 * row.published / row.records if row.records else 0.0
    at, here = clock(row.started_at_ms, now_ms), replays.runs(row.replay_id)
    return ReplayRow(row, _path(visit, row), kind, word, at, what, done, why, here)


def _object(row: Replay) -> str:
    if row.object_key is None:
        return ""
    named = Named(*object_of(row.object_key))
    shown = "one whose id is hidden" if may_be_address(named.object_id) else named.object_id
    return f"; {named.system} {named.object_type} {shown}"
