"""What scripts read, as JSON: the bodies of the commands' `--format json`, never values. Nothing is changed here."""

import asyncio
import dataclasses
from typing import Any, Final

from pipeline.console.form import whole_number
from pipeline.console.head import settings_in
from pipeline.console.pages.integration import mappings_of
from pipeline.console.visit import Answered, NotHere, Visit
from pipeline.explain.answer import Named, may_be_address
from pipeline.explain.report import report
from pipeline.full_sync.report import report as run_report
from pipeline.lag.judging import Lag
from pipeline.lag.report import report as lag_report
from pipeline.operations import OperationRefused
from pipeline.operations.audit import entry_report
from pipeline.operations.findings import report as doctor_report
from pipeline.operations.letter_report import Told, list_report
from pipeline.operations.standing import standing
from schemas.integrations import connector_of
from schemas.values import SYSTEMS

MOST: Final = 1_000
"""Letters, or entries, of one answer; the newest."""


class NotAsked(OperationRefused):
    """The address names what cannot be asked for; the message says why."""


class Away(Exception):
    """The brokers do not answer."""


async def integrations(visit: Visit) -> Answered:
    """Every integration: what `pairstream integration list --format json` prints."""
    lag = await _lag(visit)
    known = visit.desk.known(lag)
    shown = [standing(name, settings, known) for name, settings in visit.desk.integrations.items()]
    return Answered({"at_ms": lag.at_ms, "integrations": shown})


async def integration(visit: Visit) -> Answered:
    """One integration: what `pairstream integration show --format json` prints."""
    settings = settings_in(visit)
    return Answered(standing(visit.integration, settings, visit.desk.known(await _lag(visit))))


async def mappings(visit: Visit) -> Answered:
    """The mappings in force, with their rules."""
    settings = settings_in(visit)
    found = [dataclasses.asdict(one) for one in mappings_of(visit)]
    return Answered({"at_ms": visit.desk.now_ms(), "revision": settings.active_revision, "mappings": found})


async def runs(visit: Visit) -> Answered:
    """The full syncs of 30 days, oldest first: what `pairstream full-sync list --format json` prints."""
    settings_in(visit)
    now_ms = visit.desk.now_ms()
    return Answered(
        {"at_ms": now_ms, "runs": [run_report(one, now_ms) for one in visit.desk.runs_of(visit.integration)]}
    )


async def refused(visit: Visit) -> Answered:
    """What is refused now, by `reason` and `field` where they are named; the newest 1,000 letters."""
    settings_in(visit)
    looked = await visit.desk.letters_look.get()
    reason, field = visit.query("reason"), visit.query("field")
    found: list[Told] = [
        one
        for group in looked.groups(visit.integration, "open")
        if reason in ("", group.reason) and field in ("", group.field)
        for one in group.letters
    ]
    found.sort(key=lambda one: one.letter.letter.at_ms)
    told = list_report(found, visit.desk.now_ms())
    return Answered(told | {"letters": [_hidden(one) for one in told["letters"][-MOST:]]})


async def an_object(visit: Visit) -> Answered:
    """Why an object is as it is; a Userflow id that holds an @ is named as its page's address names it."""
    settings_in(visit)
    path = visit.request.path_params
    named = _named(visit, str(path["system"]), str(path["type"]), str(path["handle"]))
    about = await asyncio.to_thread(visit.desk.objects.explained, visit.integration, named)
    if about is None:
        raise NotHere("No mapping in force has objects of this type")
    told: dict[str, Any] = _without_addresses(report(about.at_ms, [about]))
    return Answered(told)


async def lag(visit: Visit) -> Answered:
    """How far behind each stage is: what `pairstream lag --format json` prints."""
    parts = visit.desk.parts
    parked: dict[str, list[str]] = {
        system: [
            name
            for name in visit.desk.integrations
            if (state := connector_of(parts, name, system)) is not None and state.parked
        ]
        for system in SYSTEMS
    }
    return Answered(lag_report(await _lag(visit), parked))


async def doctor(visit: Visit) -> Answered:
    """What is wrong, in the order in which to mend it: what `pairstream doctor --format json` prints."""
    found = await visit.desk.doctor_look.get()
    return Answered(doctor_report(visit.desk.now_ms(), found))


async def activity(visit: Visit) -> Answered:
    """Who did what later than `after` (milliseconds), oldest first; the newest 1,000."""
    after_ms = whole_number(visit.query("after") or "0")
    if after_ms is None:
        raise NotAsked("after is no number of milliseconds")
    found = [entry for entry in await visit.desk.audit_look.get() if entry.at_ms > after_ms]
    return Answered({"at_ms": visit.desk.now_ms(), "entries": [entry_report(entry) for entry in found[-MOST:]]})


async def _lag(visit: Visit) -> Lag:
    found = await visit.desk.lag()
    if found is None:
        raise Away("The brokers do not answer. Syncing may well go on: this console cannot see it.")
    return found


def _named(visit: Visit, system: str, object_type: str, handle: str) -> Named:
    if may_be_address(handle):
        raise NotAsked("An id that may be an address is not written into one. Ask Explain in the console for its name.")
    found = visit.desk.handles.named(visit.integration, system, object_type, handle)
    if found is None and system == "userflow":
        found = Named("userflow", object_type, handle)
    if found is None:
        raise NotHere("There is no such object")
    return found


def _hidden(told: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    """A letter without its key, which holds a match value, nor an id that may be an address."""
    named = told["object"]
    return {**told, "key": None, "object": None if named is not None and may_be_address(named) else named}


def _without_addresses(told: Any) -> Any:
    """The same without what may be an address: an id, and a key with one."""
    if isinstance(told, dict):
        return {name: _without_addresses(one) for name, one in told.items()}
    if isinstance(told, list):
        return [_without_addresses(one) for one in told]
    return None if isinstance(told, str) and may_be_address(told) else told
