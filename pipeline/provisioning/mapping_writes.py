"""Which mappings are written as a revision comes into force, and since when each of their fields is read. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pipeline.core.mapping import MappingView
from pipeline.provisioning.resolve import unchanged
from pipeline.provisioning.writes import ConfigurationWrite
from schemas.configuration import IntegrationPart
from schemas.integrations import settings_of
from schemas.records import ObjectMapping
from schemas.topics import MAPPINGS


def mapping_writes(
    name: str, wanted: tuple[ObjectMapping, ...], present: Mapping[str, ObjectMapping]
) -> Iterator[ConfigurationWrite]:
    """Writes changed mappings only: an equal one keeps its revision, and so its settled and refused values."""
    keys = {f"{name}/{mapping.name}": mapping for mapping in wanted}
    for key, mapping in keys.items():
        before = present.get(key)
        if not unchanged(before, mapping):
            yield ConfigurationWrite(MAPPINGS, key, replace(mapping, read_since=_read_since(mapping, before)))
    for key, mapping in present.items():
        if mapping.integration == name and key not in keys:
            yield ConfigurationWrite(MAPPINGS, key, None)


def as_applied(
    name: str,
    wanted: tuple[ObjectMapping, ...],
    present: Mapping[str, ObjectMapping],
    parts: Mapping[str, IntegrationPart],
) -> tuple[Mapping[str, ObjectMapping], Mapping[str, IntegrationPart]]:
    """The rows of both topics, were these mappings in force: to try them, not to write."""
    mappings, settings = dict(present), settings_of(parts, name)
    for write in mapping_writes(name, wanted, present):
        if isinstance(write.record, ObjectMapping):
            mappings[write.key] = write.record
        else:
            del mappings[write.key]
    if settings is None:
        return mappings, parts
    revision = settings.revision + 1
    now = replace(settings, revision=revision, active_revision=revision)
    return mappings, {**parts, f"{name}/settings": IntegrationPart(name, settings=now)}


def _read_since(mapping: ObjectMapping, before: ObjectMapping | None) -> dict[str, int]:
    """Each field's first revision: this one for a field that the mapping did not read before, else the known one.

    A field that matches now and did not before counts as not read: no object was matched by it.
    """
    if before is None or _about(before) != _about(mapping):
        return dict.fromkeys(_read(mapping), mapping.revision)
    stood = dict.fromkeys(_read(before), 0) | dict(before.read_since)
    for name in _matched(mapping) - _matched(before):
        stood.pop(name, None)
    since = {name: stood.get(name, mapping.revision) for name in _read(mapping)}
    return {name: revision for name, revision in since.items() if revision}


def _about(mapping: ObjectMapping) -> tuple[int, str, str]:
    return mapping.connection, mapping.hubspot_type, mapping.userflow_type


def _matched(mapping: ObjectMapping) -> set[str]:
    return {f"hubspot.{mapping.match_hubspot}", f"userflow.{mapping.match_userflow}"}


def _read(mapping: ObjectMapping) -> list[str]:
    return [f"{system}.{name}" for system, names in MappingView(mapping).read.items() for name in sorted(names)]
