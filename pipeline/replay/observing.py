"""What a replay led to, read from the topics: the objects that patches were made for, and the values refused."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.reading import read_to_end
from connectors.kafka.topology import groups_of
from pipeline.replay.choice import NOTIFICATIONS
from pipeline.replay.publishing import decoded
from schemas.codec import Codec
from schemas.records import DeadLetter, FieldPatch
from schemas.topics import (
    DEAD_LETTERS,
    HUBSPOT_CHANGES,
    HUBSPOT_FIELD_PATCHES,
    MATCHES,
    RECEIPTS,
    STATE_COMMANDS,
    USERFLOW_ACTIVITY,
    USERFLOW_CHANGES,
    USERFLOW_FIELD_PATCHES,
    TopicAndPartition,
    requests_topic,
)
from schemas.values import SYSTEMS

SEEN: Final = (HUBSPOT_FIELD_PATCHES, USERFLOW_FIELD_PATCHES, DEAD_LETTERS, *map(requests_topic, SYSTEMS))
_CHANGES: Final = (HUBSPOT_CHANGES, USERFLOW_CHANGES, USERFLOW_ACTIVITY)
ROAD: Final = (
    NOTIFICATIONS,
    _CHANGES,
    (STATE_COMMANDS,),
    (MATCHES,),
    (STATE_COMMANDS,),
    (MATCHES,),
    tuple(map(requests_topic, SYSTEMS)),
    _CHANGES,
    (MATCHES,),
    (HUBSPOT_FIELD_PATCHES, USERFLOW_FIELD_PATCHES),
    (*_CHANGES, RECEIPTS),
    (MATCHES,),
)
"""The hops of a record from a webhook to the receipt of its write, with what is asked for in between."""
LOOK_S: Final = 0.1

Place = tuple[str, int, int]
"""A topic, a partition, an offset."""


@dataclass(slots=True)
class Observed:
    """What was made of the records of a replay."""

    targets: set[tuple[str, str, str]] = field(default_factory=set)  # system, type and id
    refused: set[str] = field(default_factory=set)  # ids of letters

    def writes(self, system: str) -> int:
        return sum(1 for target in self.targets if target[0] == system)


class Observing:
    """What follows from records with these first causes, since those offsets.

    What was handled since the replay began is told apart by its cause alone: a value that a system had to be asked for,
    as after an edit of the mapping, is written as live. Patches of full syncs are theirs.
    """

    def __init__(
        self, cluster: Cluster, codec: Codec, before: Mapping[TopicAndPartition, int], causes: Collection[Place]
    ) -> None:
        self.found = Observed()
        self._cluster = cluster
        self._codec = codec
        self._reached = dict(before)
        self._causes = causes

    def look(self) -> int:
        """Read on to the ends that there are now; returns how many records followed since the last look. Blocks."""
        followed = 0
        for message in read_to_end(self._cluster, self._reached):
            self._reached[message.topic, message.partition] = message.offset + 1
            record = decoded(message, self._codec)
            if _cause(record) in self._causes:
                followed += 1
                self._note(record)
        return followed

    def _note(self, record: Any) -> None:
        if isinstance(record, FieldPatch) and record.run_id is None:
            self.found.targets.add((record.system, record.object_type, record.object_id))
        elif isinstance(record, DeadLetter) and record.field is not None:
            self.found.refused.add(record.id)


def wait_until_handled(passed: Callable[[float], bool], look: Callable[[], int], within_s: float) -> bool:
    """Wait until everything has ended that was published by now, and all that follows; blocks. Whether it has in time.

    A pass of the road is not enough: what a system was asked for has its pair ask another question, or write.
    """
    deadline = time.monotonic() + within_s
    while passed(deadline):
        if not look():
            return True
    look()
    return False


def pass_of(admin: Admin, deadline: float) -> bool:
    """Wait hop by hop until everything that was published by now has ended; blocks. Whether it has before the deadline.

    A vendor that is away or slow holds its patches: then False, and the replay goes on by itself.
    """
    for topics in ROAD:
        ends = admin.end_offsets(topics)
        while _left(admin, ends):
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S)
    return True


def _left(admin: Admin, ends: Mapping[TopicAndPartition, int]) -> bool:
    by_group: dict[str, dict[TopicAndPartition, int]] = {}
    for place, end in ends.items():
        for group in groups_of(place[0]):
            by_group.setdefault(group, {})[place] = end
    return any(admin.not_passed(group, wanted) for group, wanted in by_group.items())


def _cause(record: Any) -> Place | None:
    cause = getattr(record, "caused_by", None)
    return None if cause is None else (cause.topic, cause.partition, cause.offset)
