"""Which retained records a replay publishes again, and what they are published as. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas.copies import Headers, each
from schemas.operating import REPLAY
from schemas.records import ActivityEvent, ChangeEvent, Notification
from schemas.topics import (
    HUBSPOT_CHANGES,
    HUBSPOT_NOTIFICATIONS,
    USERFLOW_ACTIVITY,
    USERFLOW_CHANGES,
    USERFLOW_NOTIFICATIONS,
    TopicAndPartition,
    object_key,
)
from schemas.values import System

CHANGES: Final = (HUBSPOT_CHANGES, USERFLOW_CHANGES)
NOTIFICATIONS: Final = (HUBSPOT_NOTIFICATIONS, USERFLOW_NOTIFICATIONS)
REPLAYABLE: Final = (*CHANGES, USERFLOW_ACTIVITY, *NOTIFICATIONS)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for."""

    integration: str
    connection: int
    object_types: frozenset[tuple[System, str]]  # of the mappings in force, or of the one that is named
    object_key: str | None = None  # only this object

    def takes(self, record: Any, headers: Headers | None) -> bool:
        """Whether the record is published again; one that a replay published is the repeat of another that is there."""
        if replayed_by(headers) is not None or getattr(record, "integration", None) != self.integration:
            return False
        match record:
            case Notification():
                return True
            case ChangeEvent() if record.operation != "erased":
                return self._of(record.connection, record.system, record.object_type, record.object_id)
            case ActivityEvent():
                return self._of(record.connection, "userflow", record.object_type, record.object_id)
        return False

    def _of(self, connection: int, system: System, object_type: str, object_id: str) -> bool:
        if connection != self.connection or (system, object_type) not in self.object_types:
            return False
        key = object_key(self.integration, connection, system, object_type, object_id)
        return self.object_key in (None, key)


def as_replayed(record: Any) -> Any:
    """The record as it is published again: its values and stamps as they were, and nothing that asks or counts.

    As if read by a crawl of its time: every pair of the object is told, nobody is looked up, and it is written after
    live patches. What a lookup counted, or a full answer lacked, was true then.
    """
    if not isinstance(record, ChangeEvent):
        return record
    return replace(record, origin="crawl", bulk=True, run_id=None, found=None, unknown=(), sent={})


def replayed_by(headers: Headers | None) -> str | None:
    """The replay that published a message; None where none did."""
    for name, value in each(headers):
        if name == REPLAY:
            return value.decode(errors="replace") if isinstance(value, bytes) else value
    return None


def place_name(place: TopicAndPartition) -> str:
    """`hubspot.changes[2]`."""
    return f"{place[0]}[{place[1]}]"


def named_places(offsets: Mapping[TopicAndPartition, int]) -> dict[str, int]:
    """Offsets as a record keeps them."""
    return {place_name(place): offset for place, offset in sorted(offsets.items())}


def places(named: Mapping[str, int]) -> dict[TopicAndPartition, int]:
    """The same read back."""
    found = {}
    for name, offset in named.items():
        topic, _, number = name.removesuffix("]").rpartition("[")
        found[topic, int(number)] = offset
    return found
