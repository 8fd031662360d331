"""Why an object holds what it holds: finding it, its page, its values for a minute, and asking anew about it."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from pipeline.console import objects
from pipeline.console.asked_now import LookedRow, types_in
from pipeline.console.condition import NAMES
from pipeline.console.event_rows import event_rows
from pipeline.console.head import head, settings_in
from pipeline.console.pages.integration import mappings_of
from pipeline.console.trace_rows import trace_shown
from pipeline.console.visit import Gone, NotHere, Shown, Visit
from pipeline.console.words import clock
from pipeline.explain import look_again
from pipeline.explain.answer import Explanation, Named, may_be_address
from pipeline.explain.look_again import Asked, holders
from pipeline.explain.look_now import place_of
from pipeline.full_sync.report import report as run_report
from pipeline.operations import OperationRefused
from pipeline.operations.full_sync import completed
from schemas.configuration import IntegrationSettings
from schemas.values import SYSTEMS, System

_RECORD: Final = re.compile(r"/(?:record/[^/]+|contact|company|deal|users|groups|companies)/([^/?#]+)")
MOST_TYPED: Final = 400


class NotShown(OperationRefused):
    """Values are not shown, or nothing is asked; the message says why."""


class NeverSeen(NotHere):
    """Nothing is known of an object whose type a mapping has."""

    def __init__(self, named: Named, back: str) -> None:
        super().__init__("Nothing is known of this object under this connection", "Explain", back)
        self.named = named


async def explain(visit: Visit) -> Shown:
    """`GET explain`."""
    return Shown("explain.html", await asking(visit))


async def find(visit: Visit) -> Shown | Gone:
    """`POST explain`: to the object's page; what was typed stands in no address."""
    settings_in(visit)
    name, typed = visit.integration, id_of(visit.form.one("id"))
    found = await asyncio.to_thread(visit.desk.objects.found, name, typed) if typed else []
    if found:
        return Gone(path_of(visit, found[0]))
    return Shown("explain.html", await asking(visit, Unknown(typed)), 404 if typed else 422)


@dataclass(frozen=True, slots=True)
class Unknown:
    """What nothing is known of, and what came of having it looked for."""

    typed: str = field(default="", repr=False)
    of: Named | None = None  # where the address of the page names it
    path: str = ""  # of that page
    where: str = ""  # as the form had it
    looked: Sequence[LookedRow] | None = None  # None: nobody was asked
    found: Sequence[tuple[str, str]] = ()  # title and path of those that were found


async def asking(visit: Visit, unknown: Unknown | None = None) -> dict[str, object]:
    """The form, what was not found, and what the last whole full sync counted that no pair has."""
    settings, desk = settings_in(visit), visit.desk
    done = completed(desk.runs_of(visit.integration))
    told = run_report(done, desk.now_ms()) if done is not None else None
    at = clock(done.row.updated_at_ms, desk.now_ms()) if done is not None else ""
    types: list[tuple[System, str]] = [
        (system, one.object_type(system)) for one in mappings_of(visit) for system in SYSTEMS
    ]
    facts = {"head": head(visit, settings, await desk.lag()), "counted_at": at, "counts": told}
    connected = settings.state != "disconnected"
    title = objects.title(unknown.of) if unknown is not None and unknown.of is not None else "It"
    return {**facts, "unknown": unknown, "types": types_in(types), "may_look": connected, "title": title}


async def show(visit: Visit) -> Shown:
    """`GET objects/<system>/<type>/<id>`."""
    try:
        return await _page(visit, await _object(visit), values=False)
    except NeverSeen as error:
        unknown = Unknown(of=error.named, path=path_of(visit, error.named))
        return Shown("explain.html", await asking(visit, unknown), 404)


async def values(visit: Visit) -> Shown:
    """`POST objects/…/values`: recorded first, shown for a minute."""
    one = await _object(visit)
    if not visit.desk.looks.may(visit.who.name, visit.desk.now_ms()):
        return looked_too_often(path_of(visit, one.named))
    await visit.audit("values shown", place_of(one.named))
    return (await _page(visit, one, values=True)).for_a_minute(path_of(visit, one.named))


def looked_too_often(back: str) -> Shown:
    """In place of values, past the bound of `Looks`."""
    lines = ("You looked at values 60 times within an hour. Wait, or ask a colleague.",)
    told = {"title": "No more values for now. Nothing was shown.", "lines": lines, "icon": "lock"}
    return Shown("message.html", {**told, "href": back, "act": "Back"}, 429)


async def reread(visit: Visit) -> Gone:
    """`POST objects/…/reread`: both systems read it again."""
    one = await _object(visit)
    return await _ask(visit, one, "read again", look_again.reread(one.told))


async def rederive(visit: Visit) -> Gone:
    """`POST objects/…/rederive`: its pairs' patches are computed again."""
    one = await _object(visit)
    return await _ask(visit, one, "derive again", look_again.rederive(one.told))


async def lookup(visit: Visit) -> Gone:
    """`POST objects/…/lookup`: the other system is asked who holds its match values."""
    one = await _object(visit)
    return await _ask(visit, one, "look up", look_again.lookup(one.told))


@dataclass(frozen=True, slots=True)
class _One:
    settings: IntegrationSettings
    named: Named
    told: Explanation


async def _object(visit: Visit) -> _One:
    settings, path = settings_in(visit), visit.request.path_params
    back = f"/i/{visit.integration}/explain"
    named = visit.desk.handles.named(visit.integration, str(path["system"]), str(path["type"]), str(path["handle"]))
    if named is None:
        raise NotHere("No object has this address", "Explain", back)
    told = await asyncio.to_thread(visit.desk.objects.explained, visit.integration, named)
    if told is None:
        raise NotHere("No mapping in force has objects of this type", "Explain", back)
    if told.word == "never_seen":
        raise NeverSeen(named, back)
    return _One(settings, named, told)


async def _page(visit: Visit, one: _One, *, values: bool) -> Shown:
    desk, now_ms, told = visit.desk, visit.desk.now_ms(), one.told
    paths = {named: path_of(visit, named) for pair in told.pairs for named in holders(pair)}
    kind, word, icon = objects.standing(told)
    return Shown(
        "object.html",
        {
            "head": head(visit, one.settings, await desk.lag()),
            "object_path": path_of(visit, one.named),
            "title": objects.title(one.named),
            "kind": kind,
            "word": word,
            "icon": icon,
            "lead": objects.lead(told),
            "at_hubspot": at_hubspot(one.settings, one.named, told),
            "pairs": [objects.pair_row(told, pair, paths, values=values) for pair in told.pairs],
            "known": [(", ".join(some.names), clock(some.at_ms, now_ms), some.origin or "") for some in told.known],
            "lost": told.unknown,
            "away": [(NAMES[some.system], some.status.replace("_", " "), some.reason or "") for some in told.away],
            "paused": told.paused,
            "happenings": list(objects.happenings(told)),
            "complete": told.history.complete,
            "events": list(event_rows(told, lambda named: path_of(visit, named))),
            "events_complete": told.events.complete,
            "trace": trace_shown(told.trace, now_ms) if told.trace is not None else None,
            "values": values,
            "looked": f"{visit.who.name} looked at {objects.title(one.named)}, {clock(now_ms, now_ms)}",
            "command": command_of(visit.integration, one.named),
            "replay_of": "" if may_be_address(one.named.object_id) else one.named.object_id,
        },
    )


def path_of(visit: Visit, named: Named) -> str:
    """Where the object's page is."""
    return f"/i/{visit.integration}/objects/{visit.desk.handles.path(visit.integration, named)}"


def id_of(typed: str) -> str:
    """The id within a link to a record, or what was typed."""
    text = typed.strip()[:MOST_TYPED]
    if not text.startswith(("https://", "http://")):
        return text
    try:
        found = _RECORD.search(urlsplit(text).path)
    except ValueError:  # such as `https://[`; the error repeats what was typed, so it goes no further
        return ""
    return unquote(found[1]) if found else ""


def at_hubspot(settings: IntegrationSettings, named: Named, told: Explanation) -> str:
    """The page of its contact, company or deal at HubSpot."""
    found = [one for pair in told.pairs for one in holders(pair) if one.system == "hubspot"]
    record = named if named.system == "hubspot" else found[0] if len(found) == 1 else None
    kind = objects.HUBSPOT_TYPES.get(record.object_type, "") if record is not None else ""
    if record is None or not kind:
        return ""
    return f"https://app.hubspot.com/contacts/{settings.hubspot.account}/record/{kind}/{record.object_id}"


def command_of(integration: str, named: Named) -> str:
    """The command that tells the same; an id that may be an address is left for whoever runs it."""
    shown = "ID" if may_be_address(named.object_id) else named.object_id
    return f"pairstream explain {named.system} {named.object_type} {shown} --integration {integration}"


async def _ask(visit: Visit, one: _One, action: str, asked: Iterable[Asked]) -> Gone:
    wanted = list(asked)
    if not wanted:
        raise NotShown("It has no match value, so there is nobody to ask for.")
    for topic, key, record in wanted:
        await visit.desk.publisher.send(topic, key, record)
    await visit.audit(action, place_of(one.named))
    return Gone(path_of(visit, one.named))
