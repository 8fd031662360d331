"""A crowded partition waits alone."""

from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from connectors.kafka import consumer
from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import GroupMember, Hooks


class Held:
    """A consumer that is asked to pause and resume partitions, and nothing else."""

    def __init__(self, *_: Any) -> None:
        self.paused: set[tuple[str, int]] = set()

    def pause(self, places: Sequence[TopicPartition]) -> None:
        self.paused |= {(place.topic, place.partition) for place in places}

    def resume(self, places: Sequence[TopicPartition]) -> None:
        self.paused -= {(place.topic, place.partition) for place in places}

    def assign(self, _: Sequence[TopicPartition]) -> None: ...

    def committed(self, places: Sequence[TopicPartition], _: float) -> Sequence[TopicPartition]:
        return [TopicPartition(place.topic, place.partition, 0) for place in places]


async def test_a_partition_of_which_too_much_is_unfinished_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "Consumer", Held)
    monkeypatch.setattr(consumer, "MOST_OF_ONE", 3)
    monkeypatch.setattr(consumer, "MOST_UNFINISHED", 8)
    nothing: Any = lambda *_: None  # noqa: E731 - all hooks in one
    hooks = Hooks(nothing, nothing, nothing, nothing, nothing)
    member = GroupMember(Cluster({}), "group", "one", topics=("patches",), hooks=hooks)
    held: Any = member._consumer
    member._assign(held, [TopicPartition("patches", number) for number in (0, 1)])

    def take(partition: int, offsets: range) -> None:
        for offset in offsets:
            member._tracker.taken(("patches", partition), offset)
        member._hold_back()

    take(0, range(3))
    assert held.paused == set()
    take(0, range(3, 4))
    assert held.paused == {("patches", 0)}
    take(1, range(3))
    assert held.paused == {("patches", 0)}
    take(0, range(4, 6))
    assert held.paused == {("patches", 0), ("patches", 1)}  # memory is bounded as a whole
    for offset in range(4):
        member._tracker.finished(("patches", 0), offset)
    member._hold_back()
    assert held.paused == set()
