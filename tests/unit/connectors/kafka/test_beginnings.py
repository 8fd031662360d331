"""A member begins where its group was, however often the coordinator has to be asked."""

import threading
from collections.abc import Sequence

import pytest
from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from connectors.kafka import beginnings as module
from connectors.kafka.beginnings import beginnings

PLACES = [TopicPartition("hubspot.requests", 0), TopicPartition("hubspot.requests", 1)]
ELSEWHERE = KafkaError(KafkaError.NOT_COORDINATOR)


class Coordinator:
    """Raises so many errors first; `unstable`: tells of one partition that it is asked too early, so often."""

    def __init__(self, errors: int, unstable: int = 0) -> None:
        self.errors, self.unstable, self.asked = errors, unstable, 0

    def committed(self, places: Sequence[TopicPartition], _: float) -> list[TopicPartition]:
        self.asked += 1
        if self.asked <= self.errors:
            raise KafkaException(ELSEWHERE)
        told = [TopicPartition(place.topic, place.partition, OFFSET_INVALID) for place in places]
        told[0].offset = 7
        if self.asked <= self.errors + self.unstable:
            return [_Failed(places[0]), told[1]]
        return told


class _Failed(TopicPartition):
    def __init__(self, place: TopicPartition) -> None:
        super().__init__(place.topic, place.partition)

    error = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)


@pytest.mark.parametrize(("errors", "unstable"), [(0, 0), (1, 0), (3, 2)])
def test_it_asks_until_it_is_told(errors: int, unstable: int) -> None:
    coordinator = Coordinator(errors, unstable)
    begun = beginnings(coordinator, PLACES, threading.Event())
    assert begun is not None
    assert [(place.partition, place.offset) for place in begun] == [(0, 7), (1, OFFSET_BEGINNING)]
    assert coordinator.asked == errors + unstable + 1


def test_what_is_not_told_in_time_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.05)
    assert beginnings(Coordinator(1_000_000), PLACES, threading.Event()) is None


def test_who_is_to_end_asks_no_more_and_begins_nothing() -> None:
    stopped = threading.Event()
    stopped.set()
    coordinator = Coordinator(0)
    assert beginnings(coordinator, PLACES, stopped) == []
    assert coordinator.asked == 0
