"""Clients that forget every broker, as librdkafka's do when a lone one names nobody, are noticed and replaced."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connectors.kafka import consumer, lifeline, producer, rejoining, table
from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import GroupMember, Hooks
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.lifeline import Lifeline, Stranded
from connectors.kafka.producer import Publisher, PublishFailed
from connectors.kafka.table import TableReader
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from tests.unit.connectors.kafka.lone_broker import TOPIC, LoneBroker, lone_broker

DEADLINE_S = 20.0
WITH_BROKER = '{"brokers":{"127.0.0.1:9092/1":{"nodeid":1,"source":"learned","state":"UP"}}}'
WHILE_AWAY = '{"brokers":{"127.0.0.1:9092/bootstrap":{"nodeid":-1,"source":"configured","state":"TRY_CONNECT"}}}'
WITHOUT = '{"brokers":{"GroupCoordinator":{"nodeid":-1,"source":"logical","state":"INIT"}}}'


def test_one_look_without_a_broker_is_no_end() -> None:
    line = Lifeline()
    for _ in range(3):
        line.look(WITHOUT)
        assert not line.cut
        line.look(WITH_BROKER)
    line.look(WITHOUT)
    line.look(WHILE_AWAY)
    line.look(WITHOUT)
    line.check()
    line.look(WITHOUT)
    with pytest.raises(Stranded):
        line.check()


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LoneBroker, Cluster]]:
    monkeypatch.setattr(lifeline, "LOOK_EVERY_MS", 100)
    with lone_broker() as (running, client):
        yield running, Cluster(client)


def forget(broker: LoneBroker, client: Any) -> None:
    """The client asks while the broker is fenced, and forgets it; afterwards the broker names itself again. Blocks."""
    client.list_topics(timeout=DEADLINE_S)
    broker.fenced = True
    while broker.fenced:
        try:
            client.list_topics(timeout=0.2)
        except KafkaException as error:
            broker.fenced = not broker.told_of_nobody.is_set() or error.args[0].code() != KafkaError._TRANSPORT


async def becomes(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what changes is on another thread
            await asyncio.sleep(0.01)


async def test_a_member_that_joined_just_now_ends(
    broker: tuple[LoneBroker, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, cluster = broker
    monkeypatch.setattr(consumer, "CLOSE_S", 0.5)
    failures: list[BaseException] = []
    nothing: Any = lambda *_: None  # noqa: E731 - all hooks in one
    hooks = Hooks(nothing, nothing, nothing, failures.append, nothing)
    member: Any = GroupMember(cluster, "group", "one", topics=(TOPIC,), hooks=hooks)
    await asyncio.to_thread(forget, running, member._consumer)
    member.start()
    await becomes(lambda: failures)
    assert isinstance(failures[0], Stranded)
    await member.stop()


async def test_a_member_joins_anew_by_another_client(
    broker: tuple[LoneBroker, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, cluster = broker
    monkeypatch.setattr(consumer, "CLOSE_S", 0.5)
    monkeypatch.setattr(rejoining, "OPENED_S", 0.0)
    failures: list[BaseException] = []
    nothing: Any = lambda *_: None  # noqa: E731 - all hooks in one

    async def revoked(_: frozenset[int]) -> None: ...

    hooks = Hooks(nothing, nothing, revoked, failures.append, nothing)
    member: Any = GroupMember(cluster, "group", "one", topics=(TOPIC,), hooks=hooks)
    former = member._consumer
    await asyncio.to_thread(forget, running, former)
    running.joining.clear()
    member.start()
    await becomes(lambda: member._consumer is not former)
    await becomes(running.joining.is_set)
    await member.stop()
    assert failures == []


async def test_a_publisher_goes_on_with_another_producer_and_says_what_was_not_published(
    broker: tuple[LoneBroker, Cluster],
) -> None:
    running, cluster = broker
    publisher: Any = Publisher(cluster, Codec(LocalRegistry()))
    former = publisher._producer
    sent = publisher.send_bytes(TOPIC, "key", b"value")
    await asyncio.to_thread(forget, running, former)
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(PublishFailed):
            await sent
    assert publisher._producer is not former
    assert await asyncio.to_thread(publisher._producer.list_topics, timeout=DEADLINE_S)
    await publisher.close()


@pytest.mark.parametrize("unordered", [(), (TOPIC,)])
async def test_what_goes_in_no_order_is_sent_by_the_next_producer_though_nobody_waits_for_it(
    broker: tuple[LoneBroker, Cluster], monkeypatch: pytest.MonkeyPatch, unordered: tuple[str, ...]
) -> None:
    monkeypatch.setattr(lifeline, "LOOK_EVERY_MS", 60_000)  # not by itself: what is sent here comes before
    running, cluster = broker
    publisher: Any = Publisher(cluster, Codec(LocalRegistry()), unordered=unordered)
    await asyncio.to_thread(forget, running, publisher._producer)
    publisher.send_bytes(TOPIC, "key", b"a webhook").cancel()
    ordered = publisher.send_bytes("sync.receipts", "key", b"a receipt")
    await asyncio.sleep(0)  # both are handed over
    publisher._replace()
    with pytest.raises(PublishFailed):
        await ordered
    if unordered:
        await becomes(lambda: b"a webhook" in running.produced)
    publisher.send_bytes(TOPIC, "key", b"a later one")
    await becomes(lambda: b"a later one" in running.produced)
    assert (b"a webhook" in running.produced) == bool(unordered)
    assert b"a receipt" not in running.produced
    monkeypatch.setattr(producer, "FLUSH_S", 0.1)
    with pytest.raises(PublishFailed):  # this broker answers nothing that is produced
        await publisher.close()


@pytest.mark.parametrize("behind", [True, False])
async def test_a_publisher_that_ends_beside_a_replacement_does_not_forget_what_it_handed_on(
    broker: tuple[LoneBroker, Cluster], monkeypatch: pytest.MonkeyPatch, behind: bool
) -> None:
    monkeypatch.setattr(lifeline, "LOOK_EVERY_MS", 60_000)
    monkeypatch.setattr(producer, "FLUSH_S", 1.0)
    running, cluster = broker
    publisher: Any = Publisher(cluster, Codec(LocalRegistry()), unordered=(TOPIC,))
    await asyncio.to_thread(forget, running, publisher._producer)
    publisher.send_bytes(TOPIC, "key", b"a webhook")
    await asyncio.sleep(0)
    if behind:
        publisher._replace()
    closing = asyncio.create_task(publisher.close())
    if not behind:
        await asyncio.sleep(0)  # it waits for the producer that is given up now
        publisher._replace()
    with pytest.raises(PublishFailed, match="1 records"):  # this broker answers nothing that is produced
        await closing


async def test_a_table_is_followed_on_by_another_client(
    broker: tuple[LoneBroker, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, cluster = broker
    assigned: list[tuple[str, int, int]] = []

    class Forgetful(Consumer):
        """The first client of the table forgets every broker."""

        def assign(self, places: list[TopicPartition]) -> None:
            if not assigned:
                forget(running, self)
            assigned.extend((place.topic, place.partition, place.offset) for place in places)
            super().assign(places)

    monkeypatch.setattr(table, "Consumer", Forgetful)
    failures: list[BaseException] = []
    reader: Any = TableReader(cluster, Codec(LocalRegistry()), (TOPIC,), failures.append)
    reader._reached = {(TOPIC, 0): 5}  # as after the first five records
    await asyncio.to_thread(reader.start)
    await becomes(lambda: len(assigned) == 2)
    assert assigned == [(TOPIC, 0, 5)] * 2
    reader.stop()
    assert failures == []


async def test_what_asks_now_and_then_asks_by_another_client(
    broker: tuple[LoneBroker, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, cluster = broker
    monkeypatch.setattr("connectors.kafka.admin.TIMEOUT_S", 1.0)
    admin: Any = Admin(cluster)
    await asyncio.to_thread(forget, running, admin._admin)
    with pytest.raises(BrokersUnreachable):
        admin.partitions()
    monkeypatch.setattr("connectors.kafka.admin.TIMEOUT_S", DEADLINE_S)
    assert admin.partitions() == {TOPIC: 1}
