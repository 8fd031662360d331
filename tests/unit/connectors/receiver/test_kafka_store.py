"""Webhooks in Kafka: acknowledged means stored, and what is wrong is told."""

import asyncio
from collections.abc import Callable

import pytest

from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.producer import Publisher, PublishFailed
from connectors.receiver import AdmissionLimits, NotStored
from connectors.receiver.kafka_store import CHECK_EVERY_S, FAILS_S, KafkaStore
from schemas.codec import Codec
from schemas.records import Notification
from schemas.registry import LocalRegistry
from schemas.topics import HUBSPOT_NOTIFICATIONS, USERFLOW_NOTIFICATIONS
from schemas.values import System
from tests.kafka import Kafka
from tests.unit.connectors.receiver.receiving import (
    DEADLINE_S,
    NOW_MS,
)


class _Publisher:
    """Sends into a list, each with a future that the test resolves."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, asyncio.Future[tuple[int, int]]]] = []

    def send(self, topic: str, key: str, record: Notification) -> "asyncio.Future[tuple[int, int]]":
        future: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        self.sent.append((topic, key, future))
        return future


def _kafka_store(publisher: _Publisher, partitions: Callable[[], dict[str, int]] = dict) -> KafkaStore:
    return KafkaStore(publisher, partitions, lambda: 0.0)


@pytest.mark.parametrize(
    ("system", "topic"), [("hubspot", HUBSPOT_NOTIFICATIONS), ("userflow", USERFLOW_NOTIFICATIONS)]
)
async def test_kafka_keeps_a_webhook_under_its_integration_once_acknowledged(system: System, topic: str) -> None:
    publisher = _Publisher()
    storing = asyncio.ensure_future(_kafka_store(publisher).store(Notification("acme", system, b"[]", {}, NOW_MS)))
    await asyncio.sleep(0)
    sent_topic, key, future = publisher.sent[0]

    assert (sent_topic, key, storing.done()) == (topic, "acme", False)
    future.set_result((0, 1))
    await asyncio.wait_for(storing, DEADLINE_S)


async def test_what_kafka_refuses_is_not_stored() -> None:
    publisher = _Publisher()
    storing = asyncio.ensure_future(_kafka_store(publisher).store(Notification("acme", "hubspot", b"[]", {}, NOW_MS)))
    await asyncio.sleep(0)
    publisher.sent[0][2].set_exception(PublishFailed("hubspot.notifications: timed out"))

    with pytest.raises(NotStored, match="timed out"):
        await storing


async def test_kafka_tells_what_is_wrong_and_is_asked_once_in_a_while() -> None:
    answers: list[dict[str, int] | None] = [None, {HUBSPOT_NOTIFICATIONS: 4}, dict.fromkeys(
        (HUBSPOT_NOTIFICATIONS, USERFLOW_NOTIFICATIONS), 4
    )]  # fmt: skip
    now_s = 0.0

    def partitions() -> dict[str, int]:
        answer = answers.pop(0)
        if answer is None:
            raise BrokersUnreachable
        return answer

    store = KafkaStore(_Publisher(), partitions, lambda: now_s)
    problems = []
    for _ in range(3):
        problems += [await store.problem(), await store.problem()]
        now_s += CHECK_EVERY_S

    assert problems[0] == problems[1] == "the brokers cannot be reached: check KAFKA_BOOTSTRAP_SERVERS"
    assert problems[2] == problems[3] == "userflow.notifications not there: run `pairstream topics apply`"
    assert problems[4:] == [None, None]


async def test_what_is_not_stored_counts_for_a_while_until_one_is_stored() -> None:
    publisher, now_s = _Publisher(), [0.0]
    store = KafkaStore(publisher, dict, lambda: now_s[0])

    async def given_up() -> None:
        storing = asyncio.ensure_future(store.store(Notification("acme", "hubspot", b"[]", {}, NOW_MS)))
        await asyncio.sleep(0)
        storing.cancel()
        await asyncio.gather(storing, return_exceptions=True)

    await given_up()
    assert (store.fails, store.stored) == (True, 0)
    now_s[0] = FAILS_S
    assert not store.fails
    await given_up()
    assert store.fails
    storing = asyncio.ensure_future(store.store(Notification("acme", "hubspot", b"[]", {}, NOW_MS)))
    await asyncio.sleep(0)
    publisher.sent[-1][2].set_result((0, 1))
    await storing
    assert (store.fails, store.stored) == (False, 1)


async def test_the_largest_part_of_a_body_can_be_kept(mock_kafka: Kafka) -> None:
    publisher = Publisher(mock_kafka.cluster(), Codec(LocalRegistry()))
    largest = Notification("a" * 200, "hubspot", b"x" * AdmissionLimits().part_bytes, {}, NOW_MS)
    try:
        await KafkaStore(publisher, dict).store(largest)
    finally:
        await publisher.close()
