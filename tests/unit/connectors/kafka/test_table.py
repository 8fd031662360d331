"""A table says why it is incomplete: its reader is asked while no broker answers."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from connectors.kafka import table
from connectors.kafka.cluster import Cluster
from connectors.kafka.lifeline import Lifeline
from connectors.kafka.table import TableIncomplete, TableReader
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS


def test_an_incomplete_table_comes_with_its_reason_and_what_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "TIMEOUT_S", 0.5)  # of asking brokers that are not there
    reader = TableReader(Cluster({"bootstrap.servers": "127.0.0.1:1"}), Codec(LocalRegistry()), (INTEGRATIONS,))

    with pytest.raises(TableIncomplete) as caught:
        reader.start()
    reader.stop()

    assert str(caught.value).startswith("sync.integrations could not be read: ")
    assert "Fix: check KAFKA_BOOTSTRAP_SERVERS and that the brokers run." in str(caught.value)


class Returning:
    """A consumer of brokers that just came back: the first asked know no leader."""

    asked = 0

    def __init__(self, _: Any) -> None: ...

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        Returning.asked += 1
        if Returning.asked < 3:
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        return 0, 7

    def list_topics(self, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(topics={INTEGRATIONS: SimpleNamespace(error=None, partitions=(0,))})

    def assign(self, places: list[TopicPartition]) -> None:
        self.ends = [(place.topic, place.partition, 7) for place in places]

    def poll(self, _: float) -> "End | None":
        return End(*self.ends.pop()) if self.ends else None

    def close(self) -> None: ...


class End:
    """The word of a partition that nothing more stands in it."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        self.topic, self.partition, self.offset = (lambda: topic), (lambda: partition), (lambda: offset)

    def error(self) -> KafkaError:
        return KafkaError(KafkaError._PARTITION_EOF)


def test_brokers_that_come_back_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "Consumer", Returning)
    monkeypatch.setattr(table, "ASK_AGAIN_S", 0.0)
    monkeypatch.setattr(Returning, "asked", 0)
    reader: Any = TableReader(Cluster({}), Codec(LocalRegistry()), (INTEGRATIONS,))
    reader._reached = {(INTEGRATIONS, 0): 7}
    reader.read_to_end(INTEGRATIONS)
    assert Returning.asked == 3


def test_a_table_is_read_once_brokers_that_come_back_know_their_leaders(monkeypatch: pytest.MonkeyPatch) -> None:
    """`full-sync start` failed outright while a leader moved."""
    monkeypatch.setattr(table, "Consumer", Returning)
    monkeypatch.setattr(table, "ASK_AGAIN_S", 0.0)
    monkeypatch.setattr(Returning, "asked", 0)
    monkeypatch.setattr(Lifeline, "check", lambda _: None)
    reader: Any = TableReader(Cluster({}), Codec(LocalRegistry()), (INTEGRATIONS,))
    reader.start()
    reader.stop()
    assert (Returning.asked, reader.table(INTEGRATIONS)) == (3, {})
