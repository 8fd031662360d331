"""A member that looks for lost records: a partition whose broker is away holds up no other."""

import threading
from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import GroupMember
from connectors.kafka.offsets import OffsetTracker

TOPIC = "hubspot.changes"


class Watermarks:
    """The brokers' first offsets; a partition that is away raises."""

    def __init__(self, *away: int) -> None:
        self.away = set(away)
        self.asked: list[int] = []

    def get_watermark_offsets(self, place: TopicPartition, *_: Any, **__: Any) -> tuple[int, int]:
        self.asked.append(place.partition)
        if place.partition in self.away:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return 0, 100


def looking(watermarks: Watermarks, number: int) -> tuple[GroupMember, OffsetTracker]:
    """A member of no group that holds so many partitions, of each of which one record was handled."""
    member = GroupMember.__new__(GroupMember)
    tracker = OffsetTracker()
    places = [(TOPIC, partition) for partition in range(number)]
    for place in places:
        tracker.begins(place, 0)
        tracker.taken(place, 0)
        tracker.finished(place, 0)
    parts = {
        "_consumer": watermarks,
        "_tracker": tracker,
        "_lock": threading.Lock(),
        "_held": set(places),
        "_cluster": Cluster({}),
        "_hooks": SimpleNamespace(lost=lambda *_: None),
    }
    for name, part in parts.items():
        setattr(member, name, part)
    return member, tracker


def look(member: GroupMember) -> None:
    cast(Any, member)._looked_at = -1_000.0
    member._look_for_lost()


def test_the_others_are_certain_at_the_next_look_and_the_one_is_asked_once_at_a_time() -> None:
    watermarks = Watermarks(0)
    member, tracker = looking(watermarks, 4)
    look(member)
    assert (watermarks.asked, tracker.to_commit()) == ([0], {})
    look(member)
    assert watermarks.asked == [0, 1, 2, 3, 0]
    assert sorted(tracker.to_commit()) == [(TOPIC, 1), (TOPIC, 2), (TOPIC, 3)]
    watermarks.away.clear()
    look(member)
    assert sorted(tracker.to_commit()) == [(TOPIC, number) for number in range(4)]
