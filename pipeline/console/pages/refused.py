"""What is refused, by reason; trying it again, and putting it away. Values and whom they are of are not shown."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.asking import ASKED_BY
from pipeline.console.head import head, settings_in
from pipeline.console.letters import Redriving, Selection
from pipeline.console.visit import Gone, NotHere, Shown, Visit
from pipeline.console.words import clock
from pipeline.operations import OperationRefused
from pipeline.operations.actor import machine
from pipeline.operations.letter_remedies import what_to_do
from pipeline.operations.letter_report import Told, age, meaning
from pipeline.operations.letters import SHORT
from pipeline.operations.redrive import LEFT, Plan, plan
from schemas.operating import AuditEntry
from schemas.topics import AUDIT

PER_S: Final = 50.0
WAITED_S: Final = 2.0
"""So long a form waits for the letters that it tries again; then they go on by themselves."""
MOST_SHOWN: Final = 100


class NotPlanned(OperationRefused):
    """The form names no selection that may be acted on; the message says why."""


@dataclass(frozen=True, slots=True)
class Group:
    """Letters of one reason, stage, mapping and field."""

    reason: str
    meaning: str
    stage: str
    mapping: str
    field: str
    number: int
    newest: str
    advice: str


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One letter; an id that may be an address of a person is hidden like a value."""

    id: str
    object: str
    at: str
    tries: int
    place: str


async def refused(visit: Visit) -> Shown:
    """`/i/<integration>/refused`."""
    settings, now_ms = settings_in(visit), visit.desk.now_ms()
    looked = await visit.desk.letters_look.get()
    groups = [_group(key, some, now_ms) for key, some in looked.groups.get(visit.integration, ())]
    facts = {"head": head(visit, settings, await visit.desk.lag()), "groups": groups}
    tried = visit.desk.redriving.get(visit.integration)
    told = {"total": sum(group.number for group in groups), "away": len(looked.away.get(visit.integration, ()))}
    started = clock(tried.at_ms, now_ms) if tried is not None else ""
    return Shown("refused.html", {**facts, **told, "tried": tried, "started": started})


async def reason(visit: Visit) -> Shown:
    """`/i/<integration>/refused/<reason>`, of one mapping and field where the address names them."""
    settings, now_ms, code = settings_in(visit), visit.desk.now_ms(), str(visit.request.path_params["reason"])
    found = await _chosen(visit)
    if not found:
        path = f"/i/{visit.integration}/refused"
        raise NotHere(f"Nothing is refused for {code} any more", "what is refused", path)
    rows = [_row(one, now_ms) for one in reversed(found)][:MOST_SHOWN]
    facts = {"head": head(visit, settings, await visit.desk.lag()), "rows": rows, "number": len(found)}
    told = {"reason": code, "meaning": meaning(code), "advice": what_to_do(code), "query": visit.request.url.query}
    return Shown("refused-reason.html", {**facts, **told})


async def again(visit: Visit) -> Shown:
    """`GET …/again`: what trying them again comes to; the selection is fixed."""
    return await _selected(visit, "redrive.html")


async def discard(visit: Visit) -> Shown:
    """`GET …/discard`: likewise."""
    return await _selected(visit, "discard.html")


async def do_again(visit: Visit) -> Gone:
    """`POST …/again`: the operation of `pairstream dead-letters redrive`; many take longer than anybody waits."""
    taken, desk, name = _taken(visit), visit.desk, visit.integration
    before = desk.redriving.get(name)
    if before is not None and not before.task.done():
        raise NotPlanned(f"{before.number:,} letters are being tried again. Wait until they were.")
    await _audit(visit, "dead-letters redrive", f"{len(taken.plan.tries)} letters")
    task = asyncio.create_task(desk.letters.redrive(desk.publisher, taken.plan, PER_S))
    desk.redriving[name] = Redriving(len(taken.plan.tries), desk.now_ms(), task)
    await asyncio.wait({task}, timeout=WAITED_S)
    desk.letters_look.forget()
    return Gone(f"/i/{name}/refused")


async def away(visit: Visit) -> Shown:
    """`/i/<integration>/discarded`: what somebody put away, and why."""
    settings, now_ms = settings_in(visit), visit.desk.now_ms()
    visit.desk.letters_look.forget()  # what is decided on is as it is now
    looked = await visit.desk.letters_look.get()
    found = looked.away.get(visit.integration, ())
    rows = [(_row(one, now_ms), one.mark, clock(one.mark.at_ms, now_ms) if one.mark else "") for one in reversed(found)]
    letters = tuple(one.letter for one in found)
    name = visit.desk.selections.keep(Selection(visit.who.key, visit.integration, Plan(), letters, now_ms))
    facts = {"head": head(visit, settings, await visit.desk.lag()), "rows": rows[:MOST_SHOWN], "number": len(found)}
    return Shown("discarded.html", {**facts, "selection": name})


async def give_back(visit: Visit) -> Gone:
    """`POST …/discarded`: those that were shown are open again."""
    taken = _taken(visit)
    await visit.desk.letters.give_back(visit.desk.publisher, taken.letters)
    await _audit(visit, "dead-letters give back", f"{len(taken.letters)} letters")
    visit.desk.letters_look.forget()
    return Gone(f"/i/{visit.integration}/refused")


async def do_discard(visit: Visit) -> Shown | Gone:
    """`POST …/discard`: the operation of `pairstream dead-letters discard`; only with a reason."""
    note = visit.form.one("note").strip()[:200]
    if not note:
        raise NotPlanned("Say why they are discarded: others will ask.")
    taken = _taken(visit)
    await visit.desk.letters.mark(visit.desk.publisher, taken.letters, note)
    await _audit(visit, "dead-letters discard", f"{len(taken.letters)} letters: {note}")
    visit.desk.letters_look.forget()
    return Gone(f"/i/{visit.integration}/refused")


async def _chosen(visit: Visit) -> list[Told]:
    looked = await visit.desk.letters_look.get()
    code = str(visit.request.path_params["reason"])
    return looked.chosen(visit.integration, code, visit.query("field"), visit.query("mapping"))


async def _selected(visit: Visit, template: str) -> Shown:
    settings_in(visit)
    visit.desk.letters_look.forget()  # what is decided on is as it is now
    found, now_ms = await _chosen(visit), visit.desk.now_ms()
    planned = plan([(one.letter, one.now) for one in found], visit.desk.letters.marks)
    letters = tuple(one.letter for one in found)
    name = visit.desk.selections.keep(Selection(visit.who.key, visit.integration, planned, letters, now_ms))
    left = [(LEFT[why], len(some)) for why, some in planned.left.items()]
    code = str(visit.request.path_params["reason"])
    facts = {"name": visit.integration, "reason": code, "number": len(found), "plan": planned, "left": left}
    return Shown(template, {**facts, "selection": name, "at": clock(now_ms, now_ms)})


def _taken(visit: Visit) -> Selection:
    settings_in(visit)
    name = visit.form.one("selection")
    taken = visit.desk.selections.take(name, visit.who.key, visit.integration, visit.desk.now_ms())
    if taken is None:
        raise NotPlanned("This selection was acted on already, or it is older than 10 minutes. Look again.")
    return taken


async def _audit(visit: Visit, action: str, detail: str) -> None:
    place, now_ms = f"{machine()}: console", visit.desk.now_ms()
    entry = AuditEntry(now_ms, visit.integration, action, ASKED_BY.get(), place, detail)
    await visit.desk.publisher.send(AUDIT, visit.integration, entry)


def _group(key: tuple[str, str, str, str], some: Sequence[Told], now_ms: int) -> Group:
    code, stage, mapping, field = key
    newest = max(one.letter.letter.at_ms for one in some)
    return Group(code, meaning(code), stage, mapping, field, len(some), age(now_ms - newest), what_to_do(code))


def _row(one: Told, now_ms: int) -> LetterRow:
    letter, (topic, partition) = one.letter, one.letter.place
    shown = "an id that is hidden" if "@" in one.now.object else one.now.object
    tries = max(letter.letter.redrives, one.mark.redrives if one.mark is not None else 0)
    place = f"{topic}[{partition}]@{letter.offset}"
    return LetterRow(letter.id[:SHORT], shown, clock(letter.letter.at_ms, now_ms), tries, place)
