"""What full syncs ask of the brokers, and who asks: the road of a run, and the schedule of three schedulers."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher
from connectors.kafka.settings import reader_config, transactional_config
from connectors.kafka.table import TableReader
from pipeline.full_sync.coordinator import FullSyncs, FullSyncSettings
from pipeline.full_sync.road import GROUPS, Road
from pipeline.scheduler import Scheduler
from pipeline.secrets import SecretBox, make_key
from schemas.codec import Codec
from schemas.configuration import DesiredIntegration, IntegrationPart
from schemas.records import StateCommand
from schemas.registry import LocalRegistry
from schemas.runs import RunProgress
from schemas.topics import INTEGRATIONS, MAPPINGS, RUNS, STATE_COMMANDS, WORKER_GROUP
from tests.e2e.world import eventually, read_topic
from tests.kafka import Kafka, fresh_prefix
from tests.unit.pipeline.full_sync.simulated import PEOPLE, RUN, SECTION, SETTINGS

PARTITIONS = 2
DAY_S = 86_400
TAKEN_OVER_S = 40.0
SHOWN_S = 10.0


@dataclass
class Topics:
    """An installation's topics, on which nobody works but the test."""

    cluster: Cluster
    codec: Codec
    road: Road

    def command(self, run_id: str | None) -> bytes:
        return self.codec.encode(STATE_COMMANDS, StateCommand("acme", 1, "pairs", "rederive", run_id=run_id))

    def publish(self, run_id: str | None) -> None:
        """One record, followed by the marker of its transaction."""
        self.begin(run_id).commit_transaction()

    def begin(self, run_id: str | None) -> Producer:
        """One record of a transaction under way."""
        producer = Producer(transactional_config(self.cluster, f"test-{id(self)}"))
        producer.init_transactions()
        producer.begin_transaction()
        producer.produce(self.cluster.physical(STATE_COMMANDS), self.command(run_id), b"key", 0)
        producer.flush(SHOWN_S)
        return producer

    def ended_at(self, end: int) -> Mapping[str, int]:
        """The ends of all topics once that partition's is so: markers are written after a transaction is decided."""
        deadline = time.monotonic() + SHOWN_S
        while (ends := self.road.ends().ends)[f"{STATE_COMMANDS}[0]"] < end:
            assert time.monotonic() < deadline, ends
        return ends

    def commit(self, offset: int) -> None:
        """The worker's group has come so far on the partition."""
        group = {**reader_config(self.cluster), "group.id": self.cluster.physical(WORKER_GROUP)}
        consumer = Consumer(group)
        try:
            place = TopicPartition(self.cluster.physical(STATE_COMMANDS), 0, offset)
            consumer.commit(offsets=[place], asynchronous=False)
        finally:
            consumer.close()


def topics(kafka: Kafka) -> Topics:
    cluster, codec = kafka.cluster(fresh_prefix()), Codec(LocalRegistry())
    Admin(cluster).apply_topics(PARTITIONS, 1)
    return Topics(cluster, codec, Road(Admin(cluster), codec.decode))


def test_a_record_holds_a_pass_up_until_its_group_has_passed_it_and_a_marker_does_not(kafka: Kafka) -> None:
    it = topics(kafka)
    assert len(it.road.ends().ends) == sum(map(len, GROUPS.values())) * PARTITIONS
    it.publish(RUN)
    ends = it.ended_at(2)  # the record and its marker
    assert it.road.seen(ends, RUN).behind > 0
    it.commit(1)
    seen = it.road.seen(ends, RUN)
    assert (seen.behind, seen.emitted) == (0, False)


def test_a_transaction_under_way_holds_a_pass_up(kafka: Kafka) -> None:
    it = topics(kafka)
    before = it.road.ends().ends
    producer = it.begin(RUN)
    ends = it.ended_at(1)
    assert it.road.seen(ends, RUN).behind > 0
    assert it.road.seen(before, RUN).emitted
    producer.abort_transaction()
    ends = it.ended_at(2)
    seen = it.road.seen(ends, RUN)
    assert (seen.behind, seen.emitted) == (0, False)


def test_what_came_after_the_ends_counts_only_if_it_is_of_the_run(kafka: Kafka) -> None:
    it = topics(kafka)
    ends = it.road.ends().ends
    it.publish(None)
    it.publish("another run")
    assert not it.road.seen(ends, RUN).emitted
    it.publish(RUN)
    seen = it.road.seen(ends, RUN)
    assert seen.emitted
    assert not it.road.seen(seen.ends, RUN).emitted or it.road.seen(seen.ends, RUN).behind


@dataclass
class Process:
    """One scheduler with its full syncs."""

    scheduler: Scheduler
    tables: TableReader
    publisher: Publisher
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def killed(self) -> None:
        """End without a word: its membership runs out."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.publisher.close()
        await asyncio.to_thread(self.tables.stop)


@dataclass
class Clock:
    """The time that all schedulers are told."""

    now_ms: int = 1_800_000_000_000


@asynccontextmanager
async def schedulers(cluster: Cluster, clock: Clock, number: int) -> AsyncIterator[list[Process]]:
    processes = [await _process(cluster, clock, ordinal) for ordinal in range(number)]
    try:
        yield processes
    finally:
        for process in processes:
            if not all(task.done() for task in process.tasks):
                await process.killed()


async def _process(cluster: Cluster, clock: Clock, ordinal: int) -> Process:
    codec, failures = Codec(LocalRegistry()), list[BaseException]()
    tables = TableReader(cluster, codec, (INTEGRATIONS, MAPPINGS, RUNS))
    await asyncio.to_thread(tables.start)
    publisher = Publisher(cluster, codec)
    scheduler = Scheduler(
        cluster,
        ordinal,
        partitions=PARTITIONS,
        tables=tables,
        publisher=publisher,
        box=SecretBox((make_key(),)),
        failed=failures.append,
    )
    full_syncs = FullSyncs(
        tables,
        publisher,
        Road(Admin(cluster), codec.decode),
        FullSyncSettings(PARTITIONS, DAY_S, 0.2),
        active=lambda: scheduler.active,
        now_ms=lambda: clock.now_ms,
        codec=codec,
    )
    tasks = [asyncio.create_task(scheduler.run()), asyncio.create_task(full_syncs.run())]
    return Process(scheduler, tables, publisher, tasks)


async def test_three_schedulers_of_which_one_is_killed_ask_for_one_run_a_day(kafka: Kafka) -> None:
    it, clock = topics(kafka), Clock()
    names = ("acme", "globex")
    publisher = Publisher(it.cluster, it.codec)
    desired = DesiredIntegration("a", "active", "", SECTION, SECTION, clock.now_ms - 1)
    for name in names:
        await publisher.send(INTEGRATIONS, f"{name}/desired", IntegrationPart(name, desired=desired))
        await publisher.send(INTEGRATIONS, f"{name}/settings", IntegrationPart(name, settings=SETTINGS))
        await publisher.send(MAPPINGS, f"{name}/people", replace(PEOPLE, integration=name))
    await publisher.close()

    async def asked() -> list[RunProgress]:
        rows = await asyncio.to_thread(read_topic, it.cluster, RUNS)
        newest = {row.run_id: row for row in rows if row.part == "run"}
        return list(newest.values())

    async with schedulers(it.cluster, clock, 3) as processes:
        for day in range(1, 5):
            if day == 3:
                active = next(process for process in processes if process.scheduler.active)
                await active.killed()
            clock.now_ms += DAY_S * 1000
            found = await eventually(asked, partial(_as_many, day * len(names)), TAKEN_OVER_S)
            assert len(found) == day * len(names)
    assert {row.full_sync.requested_by for row in found if row.full_sync} == {"schedule"}
    for name in names:
        began = sorted(int(row.run_id.partition("-")[0]) for row in found if row.integration == name)
        assert [later - earlier for earlier, later in pairwise(began)] == [DAY_S * 1000] * 3


def _as_many(number: int, rows: list[RunProgress]) -> bool:
    return len(rows) >= number
