"""The stages of the road: which group takes which topics."""

from dataclasses import dataclass
from typing import Final

from connectors.kafka.topology import connector_group
from schemas.topics import (
    HUBSPOT_CHANGES,
    HUBSPOT_TIMELINE_EVENTS,
    MATCHES,
    RECEIPTS,
    STATE_COMMANDS,
    USERFLOW_ACTIVITY,
    USERFLOW_CHANGES,
    WORKER_GROUP,
    field_patches_topic,
    notifications_topic,
    requests_topic,
)
from schemas.values import SYSTEMS, System


@dataclass(frozen=True, slots=True)
class StageTopics:
    """One stage; `always`: topics that are shown though nothing waits; `handled`: the group of what is handled."""

    name: str
    group: str
    always: tuple[str, ...]
    others: tuple[str, ...]
    handled: str | None = None
    system: System | None = None  # the system it speaks to

    @property
    def topics(self) -> tuple[str, ...]:
        return self.always + self.others


def _source(system: System) -> StageTopics:
    name, group = f"{system} source", connector_group(system)
    return StageTopics(name, group, (notifications_topic(system),), (requests_topic(system),), None, system)


def _sink(system: System) -> StageTopics:
    timeline = (HUBSPOT_TIMELINE_EVENTS,) if HUBSPOT_TIMELINE_EVENTS.startswith(system) else ()
    return StageTopics(
        f"{system} sink", connector_group(system), (field_patches_topic(system),), timeline, None, system
    )


STAGES: Final = (
    *map(_source, SYSTEMS),
    StageTopics(
        "objects",
        WORKER_GROUP,
        (HUBSPOT_CHANGES, USERFLOW_CHANGES),
        (USERFLOW_ACTIVITY, STATE_COMMANDS),
        "pairstream-objects-handled",
    ),
    StageTopics("pairs", WORKER_GROUP, (MATCHES,), (RECEIPTS, STATE_COMMANDS), "pairstream-pairs-handled"),
    *map(_sink, SYSTEMS),
)
"""In the order of the road."""
