"""Batches of records: in order, none twice, and committed no further than what was acknowledged."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from faust.types import TP

from connectors.kafka.cluster import Cluster
from pipeline.agents import consumer as consumer_module
from pipeline.agents.consumer import (
    BATCH_RECORDS,
    FLOW_FETCH_MS,
    HELD_POLL_S,
    IDLE_FETCH_MS,
    BatchConsumer,
    RecordBatch,
)
from pipeline.agents.worker import build_app

FIRST, SECOND = TP("sync.matches", 0), TP("sync.matches", 1)
GENERATION = 7


@dataclass(frozen=True)
class Record:
    """What aiokafka gives; only the offset matters here."""

    offset: int
    timestamp: int = 1_700_000_000_000
    timestamp_type: int = 0


def records(*offsets: int) -> list[Any]:
    return [Record(offset) for offset in offsets]


class Fetching(BatchConsumer):
    """The consumer under test; what its thread would fetch is given."""

    fetched: Mapping[TP, list[Any]] = {}
    sought = 0
    waited_s = 0.0

    async def _wait_next_records(self, timeout: float) -> tuple[Mapping[TP, list[Any]], set[TP]]:  # noqa: ASYNC109 - Faust's
        self.waited_s = timeout
        return self.fetched, {FIRST, SECOND}

    async def perform_seek(self) -> None:
        self.sought += 1


@pytest.fixture
def consumer(tmp_path: Path) -> Iterator[Fetching]:
    app = build_app(Cluster({"bootstrap.servers": "nowhere:9092"}), 0, tmp_path, [])
    app.transport.Consumer = Fetching
    app.topics._acking_topics.add(FIRST.topic)
    app.consumer_generation_id = GENERATION
    consumer: Fetching = app.consumer
    yield consumer
    consumer._thread.thread_loop.close()  # Faust closes it where the consumer's thread ends; here none was started


async def fetch(consumer: Fetching, fetched: Mapping[TP, list[Any]]) -> list[RecordBatch]:
    """The batches of one fetch, each delivered as Faust delivers it."""
    consumer.fetched = fetched
    delivered = []
    async for tp, batch in consumer.getmany(1.0):
        batch.incref()
        consumer.track_message(batch)
        consumer._read_offset[tp] = batch.offset
        delivered.append(batch)
    return delivered


def offsets(batch: RecordBatch) -> list[int]:
    return [record.offset for record in batch.records]


def committable(consumer: Fetching, tp: TP = FIRST) -> int | None:
    """The offset that Faust would commit now, remembered as committed."""
    offset: int | None = consumer._new_offset(tp)
    if offset is not None:
        consumer._committed_offset[tp] = offset
    return offset


async def test_a_fetch_is_a_batch_of_each_partition_in_turn(consumer: Fetching) -> None:
    long = range(BATCH_RECORDS + 1)
    batches = await fetch(consumer, {FIRST: records(*long), SECOND: records(5)})
    assert [(batch.tp, len(batch.records)) for batch in batches] == [(FIRST, BATCH_RECORDS), (SECOND, 1), (FIRST, 1)]
    assert [batch.generation_id for batch in batches] == [GENERATION] * 3
    assert offsets(batches[0]) + offsets(batches[2]) == [*long]


async def test_nothing_may_be_committed_before_it_is_acknowledged(consumer: Fetching) -> None:
    first, second = [(await fetch(consumer, {FIRST: records(*part)}))[0] for part in ((0, 1, 2), (3, 4))]
    assert committable(consumer) is None
    first.ack(consumer)
    assert committable(consumer) == 3
    assert committable(consumer) is None
    assert set(consumer.unacked) == {second}
    second.ack(consumer)
    assert committable(consumer) == 5
    assert not consumer.unacked


async def test_a_batch_acknowledged_too_early_waits_for_the_one_before(consumer: Fetching) -> None:
    first, second = [(await fetch(consumer, {FIRST: records(*part)}))[0] for part in ((10, 11, 12), (13, 14))]
    consumer._committed_offset[FIRST] = 10
    second.ack(consumer)
    assert committable(consumer) is None
    first.ack(consumer)
    assert committable(consumer) == 15


async def test_markers_between_and_before_records_are_committed_with_them(consumer: Fetching) -> None:
    """Each transaction leaves an offset at which no record stands."""
    first, second = [(await fetch(consumer, {FIRST: records(*part)}))[0] for part in ((0, 1, 3, 6), (9, 10))]
    first.ack(consumer)
    assert committable(consumer) == 7
    second.ack(consumer)
    assert committable(consumer) == 11


async def test_after_a_seek_to_the_committed_offset_reading_goes_on_there(consumer: Fetching) -> None:
    consumer._committed_offset[FIRST] = consumer._read_offset[FIRST] = 40
    (batch,) = await fetch(consumer, {FIRST: records(38, 39, 40, 41)})
    assert offsets(batch) == [40, 41]
    batch.ack(consumer)
    assert committable(consumer) == 42


async def test_markers_at_the_committed_offset_hold_nothing_up(consumer: Fetching) -> None:
    consumer._committed_offset[FIRST] = consumer._read_offset[FIRST] = 40
    (batch,) = await fetch(consumer, {FIRST: records(43)})
    batch.ack(consumer)
    assert committable(consumer) == 44


async def test_what_was_delivered_before_is_no_batch(consumer: Fetching) -> None:
    consumer._read_offset[FIRST] = 50
    assert await fetch(consumer, {FIRST: records(48, 49)}) == []


async def test_both_agents_of_a_topic_must_acknowledge(consumer: Fetching) -> None:
    (batch,) = await fetch(consumer, {FIRST: records(0, 1)})
    batch.incref()
    batch.ack(consumer)
    assert committable(consumer) is None
    batch.ack(consumer)
    assert committable(consumer) == 2


async def test_the_fetches_of_a_flow_stand_apart_and_what_comes_after_a_quiet_time_waits_for_nothing(
    consumer: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "APART_S", 3_600.0)
    monkeypatch.setattr(consumer_module, "FLOW_S", 3_600.0)
    for offset in range(2):
        assert len(await fetch(consumer, {FIRST: records(offset)})) == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await fetch(consumer, {FIRST: records(2)})
    monkeypatch.setattr(consumer_module, "FLOW_S", 0.0)
    assert len(await fetch(consumer, {FIRST: records(2)})) == 1


async def test_a_partition_of_which_enough_was_taken_is_looked_at_again_at_once(consumer: Fetching) -> None:
    """What waits of it wakes nobody: both agents rested a second beside a full buffer."""
    consumer._set_active_tps({FIRST, SECOND})
    for deed, wait_s in ((consumer.on_buffer_full, HELD_POLL_S), (consumer.on_buffer_drop, 1.0)):
        deed(FIRST)
        await fetch(consumer, {})
        assert consumer.waited_s == wait_s


async def test_a_fetch_waits_long_at_the_broker_only_where_nothing_comes(consumer: Fetching) -> None:
    """A partition that is in no fetch waits for the one under way."""
    fetched, thread = [{FIRST: records(0)}, {}], consumer._thread
    fetcher = SimpleNamespace(_fetch_max_wait_ms=0, _closed=False, _subscriptions=MagicMock())
    fetcher.fetched_records = AsyncMock(side_effect=fetched)
    waits = []
    for _ in fetched:
        await thread._fetch_records(SimpleNamespace(_fetcher=fetcher, _closed=False), {FIRST}, timeout=1.0)
        waits.append(fetcher._fetch_max_wait_ms)
    assert waits == [FLOW_FETCH_MS, IDLE_FETCH_MS]


async def test_a_rebalance_ends_the_fetch(consumer: Fetching) -> None:
    consumer.fetched = {FIRST: records(0), SECOND: records(0)}
    delivered = 0
    async for _ in consumer.getmany(1.0):
        delivered += 1
        consumer.app.consumer_generation_id += 1
    assert delivered == 1


async def test_a_stopped_flow_gives_nothing_and_seeks_back(consumer: Fetching) -> None:
    consumer.stop_flow()
    assert await fetch(consumer, {FIRST: records(0)}) == []
    assert consumer.sought == 1


async def test_partitions_that_are_paused_give_nothing(consumer: Fetching) -> None:
    other: Any = TP("sync.matches", 3)
    assert await fetch(consumer, {other: records(0)}) == []
