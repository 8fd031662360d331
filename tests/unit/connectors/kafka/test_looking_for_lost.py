"""A member that looks for lost records: a partition whose broker is away holds up no other."""

import threading
from concurrent.futures import Future
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # it does not list what it exports

from connectors.kafka import first_offsets
from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import GroupMember
from connectors.kafka.first_offsets import FirstOffsets
from connectors.kafka.offsets import OffsetTracker

TOPIC = "hubspot.changes"


class Offsets:
    """The brokers' first offsets; a partition that is away fails, alone."""

    def __init__(self, *away: int) -> None:
        self.away = set(away)
        self.asked: list[int] = []

    def list_offsets(
        self, wanted: dict[TopicPartition, OffsetSpec], *, request_timeout: float
    ) -> dict[TopicPartition, Future[SimpleNamespace]]:
        return {place: self._answer(place.partition) for place in wanted}

    def _answer(self, partition: int) -> Future[SimpleNamespace]:
        self.asked.append(partition)
        answer: Future[SimpleNamespace] = Future()
        if partition in self.away:
            answer.set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
        else:
            answer.set_result(SimpleNamespace(offset=0))
        return answer


def looking(number: int) -> tuple[GroupMember, OffsetTracker]:
    """A member of no group that holds so many partitions, of each of which one record was handled."""
    member = GroupMember.__new__(GroupMember)
    tracker = OffsetTracker()
    places = [(TOPIC, partition) for partition in range(number)]
    for place in places:
        tracker.begins(place, 0)
        tracker.taken(place, 0)
        tracker.finished(place, 0)
    parts = {
        "_firsts": FirstOffsets(Cluster({})),
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


def test_the_others_are_certain_at_once_and_the_one_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    offsets = Offsets(0)
    monkeypatch.setattr(first_offsets, "AdminClient", lambda _: offsets)
    member, tracker = looking(4)
    look(member)
    assert offsets.asked == [0, 1, 2, 3]
    assert sorted(tracker.to_commit()) == [(TOPIC, 1), (TOPIC, 2), (TOPIC, 3)]
    look(member)
    assert offsets.asked == [0, 1, 2, 3, 0]
    offsets.away.clear()
    look(member)
    assert sorted(tracker.to_commit()) == [(TOPIC, number) for number in range(4)]
    look(member)
    assert offsets.asked == [0, 1, 2, 3, 0, 0]


def test_the_consumer_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its questions wait for its fetches: a connector stood still for as many half seconds as it has partitions."""
    monkeypatch.setattr(first_offsets, "AdminClient", lambda _: Offsets())
    member, _ = looking(4)
    assert not hasattr(member, "_consumer")
    look(member)


def test_a_client_that_got_no_answer_ends_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end waits for its connections, and the thread that asks is the one that polls."""
    ended = SimpleQueue[str]()

    class Client(Offsets):
        def __del__(self) -> None:
            ended.put(threading.current_thread().name)

    monkeypatch.setattr(first_offsets, "AdminClient", lambda _: Client(0))
    firsts = FirstOffsets(Cluster({}))
    assert firsts.of([(TOPIC, 0), (TOPIC, 1)]) == {(TOPIC, 1): 0}
    assert ended.get(timeout=10) != threading.current_thread().name
