"""Partitions read from their ends: the same rows as from the beginning, over transactions, deletions and gaps."""

import asyncio
import random

import pytest

from connectors.kafka import backwards
from connectors.kafka.admin import Admin
from connectors.kafka.backwards import newest_values, slices
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import ConsumerGroup
from connectors.kafka.latest import latest_rows, rows_of
from connectors.kafka.transactions import Produced, TransactionalWriter
from schemas.topics import PAIRS_STATE
from tests.kafka import Kafka, fresh_prefix

PARTITIONS, KEYS, TRANSACTIONS = 2, 40, 60


@pytest.fixture
def cluster(kafka: Kafka) -> Cluster:
    made = kafka.cluster(fresh_prefix())
    Admin(made).apply_topics(PARTITIONS, 1)
    return made


def written(cluster: Cluster) -> None:
    """Transactions of several rows each, some of which delete."""
    chosen = random.Random(7)
    writer = TransactionalWriter(cluster, "backwards-test", ConsumerGroup(cluster, "backwards-test"))
    for number in range(TRANSACTIONS):
        keys = [f"acme:1:people:{chosen.randrange(KEYS)}" for _ in range(chosen.randrange(1, 6))]
        values = [None if chosen.random() < 0.2 else b"%d" % (number * 10 + place) for place in range(len(keys))]
        writer.write([Produced(PAIRS_STATE, key, value) for key, value in zip(keys, values, strict=True)], {})
    writer.close()


async def test_the_newest_value_of_each_key(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backwards, "FIRST", 3)  # many slices
    monkeypatch.setattr(backwards, "MOST", 50)
    await asyncio.to_thread(written, cluster)
    forwards = await asyncio.to_thread(latest_rows, cluster, PAIRS_STATE, PARTITIONS, "", lambda *_: None)
    wanted = {f"acme:1:people:{number}" for number in range(KEYS)} | {"acme:1:people:nobody"}
    assert await asyncio.to_thread(rows_of, cluster, PAIRS_STATE, PARTITIONS, wanted) == forwards
    assert len(forwards) > KEYS // 2


async def test_no_more_is_read_than_is_asked_for(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backwards, "FIRST", 3)
    await asyncio.to_thread(written, cluster)
    for partition in range(PARTITIONS):
        some = slices(cluster, PAIRS_STATE, partition, ())
        newest = await asyncio.to_thread(next, some)
        older = await asyncio.to_thread(next, some)
        assert older.begin < newest.begin and not newest.whole
        some.close()  # type: ignore[attr-defined] # a generator


async def test_an_empty_partition_holds_nothing(cluster: Cluster) -> None:
    assert await asyncio.to_thread(newest_values, cluster, PAIRS_STATE, 0, ("acme:1:people:1",)) == {}
