"""What lies on the road of a run: the ends of its topics, whether every group has passed them, what came after them.

Every method blocks and raises BrokersUnreachable.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.kafka.admin import Admin
from connectors.kafka.topology import connector_group
from pipeline.full_sync.rows import SYSTEMS
from pipeline.full_sync.situation import RoadSeen
from schemas.topics import (
    MATCHES,
    RECEIPTS,
    STATE_COMMANDS,
    WORKER_GROUP,
    TopicAndPartition,
    changes_topic,
    field_patches_topic,
    requests_topic,
)

PATCHES: Final = frozenset(map(field_patches_topic, SYSTEMS))
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    WORKER_GROUP: (*map(changes_topic, SYSTEMS), MATCHES, RECEIPTS, STATE_COMMANDS),
    **{connector_group(system): (requests_topic(system), field_patches_topic(system)) for system in SYSTEMS},
}
TOPICS: Final = tuple(topic for topics in GROUPS.values() for topic in topics)


class Road:
    """The topics between the connectors and back, and who reads them."""

    def __init__(self, admin: Admin, decode: Callable[[str, bytes], Any]) -> None:
        self._admin = admin
        self._decode = decode

    def ends(self) -> RoadSeen:
        """Where every topic ends now."""
        return RoadSeen(_named(self._admin.end_offsets(TOPICS)))

    def seen(self, ends: Mapping[str, int], run_id: str) -> RoadSeen:
        """Whether all groups have passed those ends; once they have, what came after them of the run."""
        waited = _places(ends)
        behind: dict[TopicAndPartition, int] = {}
        for group, topics in GROUPS.items():
            its = {place: end for place, end in waited.items() if place[0] in topics}
            behind |= self._admin.not_passed(group, its)
        if behind:
            patches = sum(left for (topic, _), left in behind.items() if topic in PATCHES)
            return RoadSeen({}, sum(behind.values()), patches)
        now = self._admin.end_offsets(TOPICS)
        grown = {place: (waited.get(place, 0), end) for place, end in now.items() if end > waited.get(place, 0)}
        return RoadSeen(_named(now), emitted=self._admin.any_between(grown, lambda *record: self._of(run_id, *record)))

    def _of(self, run_id: str, topic: str, value: bytes | None) -> bool:
        """Whether a record belongs to the run; its id stands in its bytes, so that few have to be decoded."""
        if value is None or run_id.encode() not in value:
            return False
        try:
            record = self._decode(topic, value)
        except ValueError:
            return False  # no record of ours
        return getattr(record, "run_id", None) == run_id


def _named(places: Mapping[TopicAndPartition, int]) -> dict[str, int]:
    return {f"{topic}[{number}]": offset for (topic, number), offset in places.items()}


def _places(named: Mapping[str, int]) -> dict[TopicAndPartition, int]:
    return dict(_place(name, offset) for name, offset in named.items())


def _place(name: str, offset: int) -> tuple[TopicAndPartition, int]:
    topic, _, number = name.removesuffix("]").rpartition("[")
    return (topic, int(number)), offset
