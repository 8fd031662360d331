"""How one integration is: what waits in each direction, its mappings, its connectors."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.console.condition import NAMES, Kind, waiting
from pipeline.console.head import head, settings_in
from pipeline.console.pages.overview import run_word
from pipeline.console.pages.road import took_to
from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock
from pipeline.operations.runs import held_up
from pipeline.provisioning.remedies import withdrawal
from schemas.configuration import IntegrationPart, IntegrationSettings
from schemas.integrations import connector_of
from schemas.records import ObjectMapping
from schemas.topics import MAPPINGS
from schemas.values import SYSTEMS

LATELY = 6


@dataclass(frozen=True, slots=True)
class SystemRow:
    """What a connector tells of its system."""

    system: str
    kind: Kind
    word: str
    detail: str


async def health(visit: Visit) -> Shown:
    """`/i/<integration>`."""
    settings, lag = settings_in(visit), await visit.desk.lag()
    name, parts = visit.integration, visit.desk.parts
    return Shown(
        "integration.html",
        {
            "lag_known": lag is not None,
            "head": head(visit, settings, lag),
            "to_userflow": waiting(name, "userflow", lag),
            "to_hubspot": waiting(name, "hubspot", lag),
            "run": run_word(name, visit.desk.runs_of(name), visit.desk.now_ms()),
            "mappings": mappings_of(visit),
            "refused": visit.desk.refused(name),
            "took": {system: took_to(system, lag.processes) for system in SYSTEMS} if lag is not None else {},
            "lately": [
                (clock(entry.at_ms, visit.desk.now_ms()), entry)
                for entry in reversed(visit.desk.audit_look.soon() or [])
                if entry.integration == name
            ][:LATELY],
            "systems": systems(name, settings, parts),
            "left": left(name, settings, parts) if settings.state == "disconnected" else [],
            "refused_apply": settings.reason if settings.apply_state == "failed" and settings.active_revision else "",
        },
    )


def mappings_of(visit: Visit) -> list[ObjectMapping]:
    """The mappings in force, by name."""
    rows: Mapping[str, ObjectMapping] = visit.desk.tables.table(MAPPINGS)
    return sorted((row for row in rows.values() if row.integration == visit.integration), key=lambda row: row.name)


def systems(name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart]) -> list[SystemRow]:
    """A row for each system."""
    found = []
    for system in SYSTEMS:
        state = connector_of(parts, name, system)
        told = next(iter(held_up(name, parts, [system])), "")
        if state is None or state.connection != settings.connection:
            found.append(SystemRow(NAMES[system], "idle", "not known", "its connector has not reported yet"))
        elif state.status != "ok":
            kind: Kind = "warn" if state.status == "unavailable" else "bad"
            found.append(SystemRow(NAMES[system], kind, state.status.replace("_", " "), told))
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
