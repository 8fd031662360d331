"""What is forgotten of an integration: the state of connections that are over, then its configuration too."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pipeline.provisioning.writes import ConfigurationWrite
from schemas.configuration import Former, IntegrationPart, IntegrationSettings
from schemas.integrations import settings_of
from schemas.records import ObjectMapping, Stage, StateCommand
from schemas.topics import INTEGRATIONS, MAPPINGS, STATE_COMMANDS

STAGES: Final[tuple[Stage, ...]] = ("objects", "pairs")

Parts = Mapping[str, IntegrationPart]


def state_forgotten(name: str, settings: IntegrationSettings, partitions: int) -> list[ConfigurationWrite]:
    """Commands to forget the state of connections that are over; a repeat after a crash in between does no harm."""
    over = settings.connection if settings.state == "disconnected" else settings.connection - 1
    if over <= settings.forgotten:
        return []
    commands = [
        ConfigurationWrite(STATE_COMMANDS, f"partition-{number}", StateCommand(name, over, stage, "forget"), number)
        for number in range(partitions)
        for stage in STAGES
    ]
    told = IntegrationPart(name, settings=replace(settings, forgotten=over))
    return [*commands, ConfigurationWrite(INTEGRATIONS, f"{name}/settings", told)]


def configuration_forgotten(name: str, parts: Parts, mappings: Mapping[str, ObjectMapping]) -> list[ConfigurationWrite]:
    """Every key of an integration is deleted; the settings last, for until then a scheduler knows of it.

    Only the number of its last connection stays: its records wait in topics for days, and an integration of that name
    that counted anew would take them for its own.
    """
    last, former = f"{name}/settings", f"{name}/former"
    settings = settings_of(parts, name)
    ours = (key for key, part in parts.items() if part.integration == name and key != former)
    keys = sorted(ours, key=lambda key: (key == last, key))
    gone = [ConfigurationWrite(MAPPINGS, key, None) for key, mapping in mappings.items() if mapping.integration == name]
    number = IntegrationPart(name, former=Former(settings.connection if settings is not None else 0))
    return [
        ConfigurationWrite(INTEGRATIONS, former, number),
        *gone,
        *(ConfigurationWrite(INTEGRATIONS, key, None) for key in keys),
    ]


def last_connection(name: str, parts: Parts) -> int:
    """The last connection of an integration of that name that was forgotten."""
    part = parts.get(f"{name}/former")
    return part.former.connection if part is not None and part.former is not None else 0
