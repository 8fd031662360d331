"""How one integration is: what waits in each direction, its mappings, its connectors."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from pipeline.console.budget_rows import budgets
from pipeline.console.condition import NAMES, Kind, troubled, waiting
from pipeline.console.ends import Ends, ends_of
from pipeline.console.head import head, refused_apply, settings_in
from pipeline.console.pages.overview import run_word
from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock
from pipeline.lag.judging import Lag
from pipeline.operations.full_sync import completed
from pipeline.operations.standing import counted_by, of_mapping
from pipeline.provisioning.remedies import withdrawal
from schemas.configuration import ApplyState, IntegrationPart, IntegrationSettings
from schemas.integrations import awaits_grant, connector_of
from schemas.operating import AuditEntry
from schemas.records import ObjectMapping
from schemas.topics import MAPPINGS
from schemas.values import SYSTEMS

LATELY = 6
STEPS: Final[Mapping[ApplyState, str]] = {
    "proving": "Both systems are asked whether they take the credentials, and whose accounts they are. What is in "
    "force goes on.",
    "describing": "Both systems are asked for the fields that the mappings name.",
    "provisioning": "The HubSpot fields that lack are being made.",
}
"""How far an apply has come."""
AWAITED: Final = "It waits until somebody grants access to HubSpot: see Connection."
ENDED = {"paused": "pause", "disconnected": "disconnect"}
"""A state, and what the audit calls bringing it about."""


@dataclass(frozen=True, slots=True)
class SystemRow:
    """What a connector tells of its system."""

    system: str
    kind: Kind
    word: str
    detail: str


@dataclass(frozen=True, slots=True)
class MappingRow:
    """A mapping and its pairs: as the last full sync that completed counted them, and as records ended lately."""

    row: ObjectMapping
    match: str  # the fields by which it matches
    linked: int | None  # None: no full sync has counted
    not_linked: int | None
    several: int | None
    refused: int | None
    waiting: int | None
    lately: Counter[str]


async def health(visit: Visit) -> Shown:
    """`/i/<integration>`."""
    settings, lag = settings_in(visit), await visit.desk.lag()
    name, parts, desk = visit.integration, visit.desk.parts, visit.desk
    top, hour, done = head(visit, settings, lag), desk.last_hour(lag), completed(desk.runs_of(name))
    ends = ends_of(name, hour) if hour is not None else None
    return Shown(
        "integration.html",
        {
            "lag_known": lag is not None,
            "head": top,
            "to_userflow": waiting(name, "userflow", lag),
            "to_hubspot": waiting(name, "hubspot", lag),
            "run": run_word(name, visit.desk.runs_of(name), visit.desk.now_ms()),
            "mappings": list(mapping_rows(visit, lag, ends, counted_by(done))),
            "counted_at": clock(done.row.updated_at_ms, desk.now_ms()) if done is not None else "",
            "refused": desk.refused(name),
            "ends": ends,
            "budgets": budgets(name, settings, lag) if lag is not None and settings.state != "disconnected" else [],
            "reconnect": f"/i/{name}/connection" if top.condition.state == "needs_reconnect" else "",
            "by_oauth": top.condition.system == "HubSpot" and "client_id" in settings.hubspot.options,
            "account": settings.hubspot.account,
            "ended_by": _ended_by(visit, settings),
            "step": AWAITED if awaits_grant(parts, name, settings) else STEPS.get(settings.apply_state, ""),
            "lately": [(clock(entry.at_ms, desk.now_ms()), entry) for entry in islice(newest_of(visit), LATELY)],
            "systems": systems(name, settings, parts),
            "left": left(name, settings, parts) if settings.state == "disconnected" else [],
            "refused_apply": refused_apply(visit, settings),
            "given_up": settings.reason if settings.apply_state == "done" else "",
        },
    )


def mappings_of(visit: Visit) -> list[ObjectMapping]:
    """The mappings in force, by name."""
    rows: Mapping[str, ObjectMapping] = visit.desk.tables.table(MAPPINGS)
    return sorted((row for row in rows.values() if row.integration == visit.integration), key=lambda row: row.name)


def newest_of(visit: Visit) -> Iterator[AuditEntry]:
    """What was done to the integration, the newest first."""
    return (entry for entry in reversed(visit.desk.audit_look.soon() or []) if entry.integration == visit.integration)


def _ended_by(visit: Visit, settings: IntegrationSettings) -> str:
    """Who paused or disconnected it, and when, as far as the audit is read."""
    action = ENDED.get(settings.state)
    for entry in newest_of(visit):
        if entry.action == action:
            return f" by {entry.by}, {clock(entry.at_ms, visit.desk.now_ms())}"
    return ""


def mapping_rows(
    visit: Visit, lag: Lag | None, ends: Ends | None, counts: Mapping[str, Mapping[str, int]]
) -> Iterator[MappingRow]:
    """The mappings in force: what `pairstream integration show` counts of each, and what is refused of it now."""
    desk, name = visit.desk, visit.integration
    letters = desk.letters_look.soon()
    open_now = Counter[str]()
    for group in letters.groups(name, "open") if letters is not None else ():
        open_now[group.mapping] += len(group.letters)
    for row in mappings_of(visit):
        told = of_mapping(name, row.name, counts, lag) if lag is not None else {}
        several = (told["ambiguous"], told["crowded"]) if told else (None, None)
        fields = (row.match_hubspot, row.match_userflow)
        yield MappingRow(
            row,
            fields[0] if fields[0] == fields[1] else " = ".join(fields),
            told.get("pairs"),
            told.get("userflow_only"),
            None if None in several else sum(several),
            None if letters is None else open_now[row.name],
            told.get("waiting"),
            ends.links.get(row.name, Counter[str]()) if ends is not None else Counter[str](),
        )


def systems(name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart]) -> list[SystemRow]:
    """A row for each system."""
    found = []
    for system in SYSTEMS:
        state = connector_of(parts, name, system)
        if state is None or state.connection != settings.connection:
            found.append(SystemRow(NAMES[system], "idle", "not known", "its connector has not reported yet"))
        elif state.status != "ok":
            kind: Kind = "warn" if state.status == "unavailable" else "bad"
            trouble = troubled(name, system, state.status, state.reason or "")
            found.append(SystemRow(NAMES[system], kind, state.status.replace("_", " "), trouble.title))
        else:
            denied = "; ".join(f"{one}: {why}" for one, why in state.denied.items())
            detail = f"not permitted: {denied}" if denied else "everything that the mappings need"
            found.append(SystemRow(NAMES[system], "warn" if denied else "ok", "accepted", detail))
    return found


def left(name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart]) -> list[str]:
    """What withdrawing from each system came to."""
    states = {system: connector_of(parts, name, system) for system in SYSTEMS}
    return [
        withdrawal(system, state.withdrawn)
        for system, state in states.items()
        if state is not None and state.connection == settings.connection
    ]
