"""Brokers as they are: limits are lowered, producers expire, records and topics go before they are read."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # confluent_kafka does not list what it exports
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import GroupMember, Hooks, Taken
from connectors.kafka.groups import ConsumerGroup
from connectors.kafka.producer import Publisher, PublishFailed, publish_now
from connectors.kafka.state_log import CompactedStateLog
from connectors.kafka.topic_watch import TopicWatch
from connectors.kafka.transactions import Produced, TransactionalWriter
from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.operations.losses import LATELY_MS, read_losses
from pipeline.operations.lost_records import LOST
from schemas.codec import Codec, RecordTooLarge
from schemas.letters import letter_of_no_record
from schemas.registry import LocalRegistry
from schemas.topics import DEAD_LETTERS, HUBSPOT_CHANGES, MATCHES, OBJECTS_STATE, RECEIPTS, USERFLOW_ACTIVITY

PARTITIONS = 2
WITHIN_S = 30.0
FORGETS_PRODUCERS = {
    "transactional.id.expiration.ms": "1000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
    "producer.id.expiration.ms": "1000",
    "producer.id.expiration.check.interval.ms": "500",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A broker of this module's own, which forgets idle producers after a second."""
    with LocalBroker(BrokerSettings(tmp_path_factory.mktemp("kafka"), properties=FORGETS_PRODUCERS)) as broker:
        made = Cluster({"bootstrap.servers": broker.bootstrap_servers})
        Admin(made).apply_topics(PARTITIONS, replication=1)
        yield made


def set_limit(cluster: Cluster, topic: str, limit: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(limit), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = AdminClient(dict(cluster.client))  # it has to live until the answer has come
    for future in client.incremental_alter_configs([resource]).values():
        future.result(15)


def delete_records(cluster: Cluster, topic: str, partition: int, before: int) -> None:
    client = AdminClient(dict(cluster.client))
    for future in client.delete_records([TopicPartition(topic, partition, before)]).values():
        future.result(15)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - what changes is in another thread or process
            await asyncio.sleep(0.05)


def test_a_smaller_limit_is_found_mended_and_known(cluster: Cluster) -> None:
    admin = Admin(cluster)
    set_limit(cluster, RECEIPTS, 100_000)
    assert admin.message_limit() == 100_000
    assert [(problem.topic, problem.message) for problem in admin.check_topics(PARTITIONS)] == [
        (RECEIPTS, "max.message.bytes is 100000, not 1048588")
    ]
    admin.apply_topics(PARTITIONS, replication=1)
    assert admin.check_topics(PARTITIONS) == []


async def test_a_message_over_a_limit_that_was_lowered_since_is_too_large_and_the_next_one_goes(
    cluster: Cluster,
) -> None:
    set_limit(cluster, USERFLOW_ACTIVITY, 50_000)
    publisher = Publisher(cluster, Codec(LocalRegistry()))
    try:
        with pytest.raises(RecordTooLarge):
            await publisher.send_bytes(USERFLOW_ACTIVITY, "key", b"x" * 60_000)
        with pytest.raises(RecordTooLarge):
            await publisher.send_bytes(USERFLOW_ACTIVITY, "k" * 60_000, b"x" * 1_000_000)
        await publisher.send_bytes(USERFLOW_ACTIVITY, "key", b"x" * 40_000)
    finally:
        await publisher.close()


async def test_a_transaction_that_fails_for_one_message_says_so_and_the_producer_goes_on(cluster: Cluster) -> None:
    set_limit(cluster, MATCHES, 50_000)
    writer = TransactionalWriter(cluster, "limited", ConsumerGroup(cluster, "limited"))
    small, large = Produced(MATCHES, "small", b"x"), Produced(MATCHES, "large", b"x" * 60_000)
    with pytest.raises(RecordTooLarge):
        writer.write([small, large], {(HUBSPOT_CHANGES, 0): 5})
    writer.write([small], {(HUBSPOT_CHANGES, 0): 6})
    group = ConsumerGroup(cluster, "limited")
    await until(lambda: group.committed([(HUBSPOT_CHANGES, 0)]) == {(HUBSPOT_CHANGES, 0): 6})
    writer.close()


async def test_a_producer_that_expired_while_it_was_idle_is_opened_again(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    group = ConsumerGroup(cluster, "idle")
    log = CompactedStateLog(cluster, Codec(LocalRegistry()), group, "idle-0", topic=OBJECTS_STATE, partition=0)
    log.open()
    log.commit([], {"acme:1:hubspot:contacts:1": None}, {HUBSPOT_CHANGES: 1})
    handled, idle_s = 1, 1.0
    with caplog.at_level("INFO", "connectors.kafka.state_log"):
        while "was of no use" not in caplog.text and idle_s < WITHIN_S:
            await asyncio.sleep(idle_s)  # every commit is a sign of life: it has to be idle for longer each time
            handled, idle_s = handled + 1, idle_s * 2
            await asyncio.to_thread(log.commit, [], {"acme:1:hubspot:contacts:1": None}, {HUBSPOT_CHANGES: handled})
    assert "was of no use" in caplog.text
    # a commit is decided before its offsets show
    await until(lambda: group.committed([(HUBSPOT_CHANGES, 0)]) == {(HUBSPOT_CHANGES, 0): handled})
    log.close()


@asynccontextmanager
async def member(
    cluster: Cluster, group: str, *, in_vain: int = 0
) -> AsyncIterator[tuple[list[tuple[str, int, int, int]], list[int]]]:
    """A member that reads the changes, ends every record at once, and tells what was lost; `in_vain` times it fails."""
    lost, taken, tries = list[tuple[str, int, int, int]](), list[int](), list[int]()

    def tell(*what: Any) -> None:
        tries.append(1)
        if len(tries) <= in_vain:
            raise PublishFailed("the brokers do not take the report")
        lost.append(what)

    def take(batch: Sequence[Taken]) -> None:
        for one in batch:
            taken.append(one.offset)
            one.finished()

    async def revoked(_: frozenset[int]) -> None: ...

    def failed(error: BaseException) -> None:
        pytest.fail(f"the member failed: {error}")

    hooks = Hooks(take, lambda _: None, revoked, failed, tell)
    reading = GroupMember(cluster, group, f"{group}-0", topics=(HUBSPOT_CHANGES,), hooks=hooks)
    reading.start()
    try:
        yield lost, taken
    finally:
        await reading.stop()


async def test_records_that_were_deleted_before_they_were_read_are_told(cluster: Cluster) -> None:
    group, publisher = ConsumerGroup(cluster, "losing"), Publisher(cluster, Codec(LocalRegistry()))
    place = (HUBSPOT_CHANGES, 0)
    try:
        last = [await publisher.send_bytes(HUBSPOT_CHANGES, "key", b"x", 0) for _ in range(10)][-1][1]
        async with member(cluster, "losing") as (lost, _):
            # nothing is committed before the brokers have told what was lost, which they may do late
            await until(lambda: group.committed([place]) == {place: last + 1})
            assert lost == []
        for _ in range(5):
            await publisher.send_bytes(HUBSPOT_CHANGES, "key", b"x", 0)
        await asyncio.to_thread(partial(delete_records, cluster, HUBSPOT_CHANGES, 0, last + 4))
        async with member(cluster, "losing") as (lost, taken):
            await until(lambda: bool(lost))
            assert lost == [(HUBSPOT_CHANGES, 0, last + 1, last + 4)]
            await until(lambda: len(taken) >= 2)
    finally:
        await publisher.close()


async def test_nothing_is_committed_past_a_loss_until_it_is_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that failed behind the commit was forgotten: after the restart nothing showed the loss."""
    monkeypatch.setattr("connectors.kafka.consumer.LOOK_FOR_LOST_S", 0.5)
    group, publisher = ConsumerGroup(cluster, "telling"), Publisher(cluster, Codec(LocalRegistry()))

    def committed() -> int:
        return group.committed([(HUBSPOT_CHANGES, 1)]).get((HUBSPOT_CHANGES, 1), 0)

    try:
        places = [await publisher.send_bytes(HUBSPOT_CHANGES, "key", b"x", 1) for _ in range(8)]
        async with member(cluster, "telling") as (_, taken):
            await until(lambda: committed() == places[-1][1] + 1)
        for _ in range(5):
            await publisher.send_bytes(HUBSPOT_CHANGES, "key", b"x", 1)
        before, start = places[-1][1] + 1, places[-1][1] + 4
        await asyncio.to_thread(partial(delete_records, cluster, HUBSPOT_CHANGES, 1, start))
        async with member(cluster, "telling", in_vain=1_000) as (_, taken):
            await until(lambda: len(taken) >= 2)
        assert committed() == before
        async with member(cluster, "telling", in_vain=2) as (lost, taken):
            of_it = (HUBSPOT_CHANGES, 1, before, start)
            await until(lambda: of_it in lost)
            await until(lambda: committed() == start + 2)
            assert [loss for loss in lost if loss[1] == 1] == [of_it]  # other tests delete from other partitions
    finally:
        await publisher.close()


async def test_doctor_reads_the_letters_of_losses_of_late(cluster: Cluster) -> None:
    codec, admin, at_ms = Codec(LocalRegistry()), Admin(cluster), time.time_ns() // 1_000_000
    letters = [
        letter_of_no_record(
            id=reason, integration="", stage="x", reason=reason, detail=reason, at_ms=at_ms, key="sync.matches[0]"
        )
        for reason in (LOST, "step_failed")
    ]
    publish_now(cluster, codec, [(DEAD_LETTERS, letter.key, letter) for letter in letters])
    assert [one.reason for one in read_losses(cluster, codec, admin, at_ms)] == [LOST]
    assert list(read_losses(cluster, codec, admin, at_ms + LATELY_MS + 600_000)) == []


async def test_a_topic_that_is_made_anew_is_told_once(cluster: Cluster) -> None:
    admin, told = Admin(cluster), list[str]()
    watch = TopicWatch(admin, (RECEIPTS, MATCHES), told.extend)
    assert watch.look()
    client = AdminClient(dict(cluster.client))
    for future in client.delete_topics([RECEIPTS]).values():
        future.result(15)
    await until(lambda: RECEIPTS not in admin.partitions())
    assert watch.look()  # one look may be at a broker that lags
    assert not watch.look()
    await asyncio.to_thread(admin.apply_topics, PARTITIONS, 1)
    assert watch.look()
    assert not watch.look()
    assert set(told) == {RECEIPTS}
