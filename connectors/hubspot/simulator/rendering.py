"""The JSON of a record in an answer."""

from collections.abc import Sequence

from connectors.hubspot.simulator.definitions import ObjectType
from connectors.hubspot.simulator.store import Record
from connectors.simulation.calls import Json
from connectors.simulation.clock import iso_z


def render(
    kind: ObjectType,
    record: Record,
    properties: Sequence[str],
    as_of_ms: int | None = None,
    history: Sequence[str] = (),
) -> Json:
    """A record with the given properties and always the system's three."""
    names = dict.fromkeys([*properties, *kind.system_properties])
    values = {name: record.value(name, as_of_ms) for name in names}
    shown: Json = {
        "id": record.record_id,
        "properties": values,
        "createdAt": iso_z(record.created_ms),
        "updatedAt": values[kind.modified],
        "archived": record.archived_ms is not None,
    }
    if record.archived_ms is not None:
        shown["archivedAt"] = iso_z(record.archived_ms)
    if history:
        shown["propertiesWithHistory"] = {name: _versions(record, name, as_of_ms) for name in history}
    return shown


def raw(kind: ObjectType, record: Record) -> Json:
    """A record as the control API shows it: every property, its creator, and each value's last writer and time."""
    written = {
        name: {"time_ms": versions[-1].time_ms, "source": versions[-1].source.kind, "by": versions[-1].source.label}
        for name, versions in record.history.items()
    }
    return {
        "id": record.record_id,
        "type": kind.name,
        "created_by": "api" if record.created_by == "api" else "person",
        "created_ms": record.created_ms,
        "archived": record.archived_ms is not None,
        "properties": record.values(),
        "written": written,
    }


def _versions(record: Record, name: str, as_of_ms: int | None) -> list[Json]:
    versions = [one for one in record.history.get(name, ()) if as_of_ms is None or one.time_ms <= as_of_ms]
    return [
        {
            "value": version.value,
            "timestamp": iso_z(version.time_ms),
            "sourceType": version.source.kind,
            "sourceId": version.source.source_id,
            "sourceLabel": None,
            "updatedByUserId": None,
        }
        for version in reversed(versions)
    ]
