"""A partition is rid of some of its records: the others are there once, in order, at their time, whatever crashes."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.latest import latest_rows
from connectors.kafka.rewriting import CHUNK_RECORDS, Place, Rewriter
from connectors.kafka.settings import reader_config
from pipeline.erasure.eraser import RewritingProgress
from pipeline.erasure.schedule import rewriting
from schemas.codec import Codec
from schemas.copies import is_copy
from schemas.registry import LocalRegistry
from schemas.topics import ERASURES, RECEIPTS, WORKER_GROUP
from tests.kafka import Kafka, fresh_prefix

RECORDS = 2 * CHUNK_RECORDS + 500
GOES_EVERY = 7
PLACE = Place(RECEIPTS, 1, (WORKER_GROUP,), kept=True)
CODEC = Codec(LocalRegistry())
GOES = b"to go"


class Killed(RuntimeError):
    """Stands for a process that dies."""


@pytest.fixture
def cluster(kafka: Kafka) -> Cluster:
    cluster = kafka.cluster(fresh_prefix())
    Admin(cluster).apply_topics(2, 1)
    producer = Producer({**cluster.client, "linger.ms": 5})
    for number in range(RECORDS):
        value = GOES if number % GOES_EVERY == 0 else b"stays %d" % number
        producer.produce(cluster.physical(RECEIPTS), value, b"key", 1, timestamp=_now_ms() - RECORDS + number)
        producer.poll(0)
    assert producer.flush(30) == 0
    return cluster


def verdict(_: str, value: bytes) -> bytes | None:
    return None if value == GOES else value


def test_others_are_copied_once_though_it_is_killed_in_the_middle(cluster: Cluster) -> None:
    calls = 0

    def dies(key: str, value: bytes) -> bytes | None:
        nonlocal calls
        calls += 1
        if calls > RECORDS + CHUNK_RECORDS + 10:  # a chunk is committed by then
            raise Killed
        return verdict(key, value)

    progress = RewritingProgress(PLACE, CODEC)
    first = Rewriter(cluster, lambda: False)
    scan = first.scan(PLACE, dies)
    assert (scan.hits, scan.until) == (len(range(0, RECORDS, GOES_EVERY)), RECORDS)
    with pytest.raises(Killed):
        first.copy(PLACE, 0, scan.until, dies, progress)
    first.close()

    second = Rewriter(cluster, lambda: False)
    begun = rewriting({key: CODEC.decode(ERASURES, value) for key, value in _rows(cluster)})[RECEIPTS, 1]
    assert (begun.until, begun.copied) == (RECORDS, CHUNK_RECORDS)
    second.copy(PLACE, begun.copied, begun.until, verdict, progress)
    _handle(cluster, RECORDS)
    assert second.delete(PLACE, begun.until, progress)
    second.close()

    left = list(_read(cluster))
    assert [one.value() for one in left] == [b"stays %d" % number for number in range(RECORDS) if number % GOES_EVERY]
    assert all(is_copy(one.headers()) for one in left)
    times = [one.timestamp()[1] for one in left]
    assert times == sorted(times)
    assert times[0] < _now_ms() - RECORDS / 2
    assert _rows(cluster) == []


def test_nothing_is_deleted_before_it_is_handled(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.kafka.rewriting.HANDLED_S", 0.6)
    _handle(cluster, RECORDS - 1)
    rewriter = Rewriter(cluster, lambda: False)
    assert not rewriter.delete(PLACE, RECORDS, RewritingProgress(PLACE, CODEC))
    assert len(list(_read(cluster))) == RECORDS
    rewriter.close()


def test_a_topic_whose_records_nobody_reads_again_is_emptied(cluster: Cluster) -> None:
    place = Place(RECEIPTS, 1, (), kept=False)
    rewriter, progress = Rewriter(cluster, lambda: False), RewritingProgress(PLACE, CODEC)
    rewriter.copy(place, 0, RECORDS, verdict, progress)
    assert rewriter.delete(place, RECORDS, progress)
    assert list(_read(cluster)) == []
    rewriter.close()


def _handle(cluster: Cluster, offset: int) -> None:
    """Commit as the workers' group does."""
    group = cluster.physical(WORKER_GROUP)
    consumer = Consumer({**cluster.client, "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(cluster.physical(RECEIPTS), 1, offset)], asynchronous=False)
    consumer.close()


def _read(cluster: Cluster) -> Iterator[Message]:
    consumer = Consumer(reader_config(cluster))
    try:
        consumer.assign([TopicPartition(cluster.physical(RECEIPTS), 1, 0)])
        while (message := consumer.poll(10)) is not None and message.error() is None:
            yield message
    finally:
        consumer.close()


def _rows(cluster: Cluster) -> list[tuple[str, bytes]]:
    return list(latest_rows(cluster, ERASURES, 2, "", lambda *_: None).items())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
