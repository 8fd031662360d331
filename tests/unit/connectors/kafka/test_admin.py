"""Offsets are asked for again where brokers have not heard yet who leads a partition; what lasts is told."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from connectors.kafka import admin
from connectors.kafka.admin import TRIES, Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable
from schemas.topics import RUNS


class Brokers:
    """Each answer in turn; the last one for good."""

    def __init__(self, *answers: int) -> None:
        self._answers = list(answers)
        self.asked = 0

    def list_topics(self, **_: object) -> Any:
        return SimpleNamespace(topics={RUNS: SimpleNamespace(partitions={0: None})})

    def list_offsets(self, asked: dict[TopicPartition, object], **_: object) -> Any:
        self.asked += 1
        code = self._answers[min(self.asked, len(self._answers)) - 1]
        answers = {place: Future[Any]() for place in asked}
        for future in answers.values():
            if code:
                future.set_exception(KafkaException(KafkaError(code)))
            else:
                future.set_result(SimpleNamespace(offset=7))
        return answers


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "PAUSE_S", 0.0)


def asking(monkeypatch: pytest.MonkeyPatch, brokers: Brokers) -> Admin:
    monkeypatch.setattr(Admin, "_client", lambda _: brokers)
    return Admin(Cluster({"bootstrap.servers": "nowhere:1"}, ""))


def test_a_leader_that_is_not_known_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.NOT_LEADER_FOR_PARTITION, 0)
    assert asking(monkeypatch, brokers).end_offsets([RUNS]) == {(RUNS, 0): 7}
    assert brokers.asked == 3


@pytest.mark.parametrize(("code", "asked"), [(KafkaError.UNKNOWN_LEADER_EPOCH, TRIES), (KafkaError._TIMED_OUT, 1)])
def test_what_lasts_or_is_another_matter_is_told(monkeypatch: pytest.MonkeyPatch, code: int, asked: int) -> None:
    brokers = Brokers(code)
    with pytest.raises(BrokersUnreachable, match="offsets: "):
        asking(monkeypatch, brokers).end_offsets([RUNS])
    assert brokers.asked == asked
