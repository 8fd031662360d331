"""The queue to the brokers is bounded, waiting for it holds nothing up, and dead letters are counted."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Message

from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher, PublishFailed
from connectors.kafka.settings import publisher_config
from schemas.codec import Codec
from schemas.letters import letter_of_no_record
from schemas.records import DeadLetter, Receipt
from schemas.registry import LocalRegistry
from schemas.topics import DEAD_LETTERS, RECEIPTS
from tests.kafka import Kafka
from tests.unit.connectors.simulation.simulated import eventually

DEADLINE_S = 20.0
NOBODY = Cluster({"bootstrap.servers": "127.0.0.1:1"})
FEW = {"queue.buffering.max.messages": 2, "log_level": 0}  # and no word of brokers that are away

LETTER = letter_of_no_record(
    id="1", integration="acme", stage="hubspot.sink", reason="invalid_option", detail="d", at_ms=1, key="k"
)
RECEIPT = Receipt("acme", 1, 1, "people", "a@b.c", "userflow", "users", "7", "parked", {})


def test_the_queue_holds_no_gigabyte() -> None:
    assert publisher_config(NOBODY)["queue.buffering.max.kbytes"] == 32_768


async def test_a_full_queue_holds_up_nobody_but_who_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the brokers away the loop spun in `send`: nothing else ran until they came back."""
    monkeypatch.setattr("connectors.kafka.producer.FLUSH_S", 0.1)
    publisher = Publisher(NOBODY, Codec(LocalRegistry()), FEW)
    sent = [publisher.send_bytes("topic", "key", b"value") for _ in range(5)]

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await sent[-1]
    assert sent[-1].cancelled()
    await eventually(lambda: len(publisher._waiting) == 2)

    for future in sent:
        future.cancel()
    await eventually(lambda: not publisher._waiting)
    with pytest.raises(Exception, match="2 records were not delivered"):
        await publisher.close()


async def test_what_waited_for_the_queue_is_sent_in_order(mock_kafka: Kafka) -> None:
    publisher = Publisher(Cluster({"bootstrap.servers": mock_kafka.bootstrap_servers}), Codec(LocalRegistry()), FEW)

    async with asyncio.timeout(DEADLINE_S):
        sent = [publisher.send_bytes("in-order", "key", b"%d" % number, 0) for number in range(50)]
        places = await asyncio.gather(*sent)
        await publisher.close()

    assert [offset for _, offset in places] == list(range(50))


async def test_the_loop_is_woken_once_for_all_that_was_delivered_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """To wake it costs a system call, and a page of a crawl was a hundred."""
    publisher = Publisher(NOBODY, Codec(LocalRegistry()))
    handed: list[Callable[[None, Message], None]] = []
    never = SimpleNamespace(
        produce=lambda _, on_delivery, **__: handed.append(on_delivery), poll=publisher._producer.poll
    )
    monkeypatch.setattr(publisher, "_producer", never)
    sent = [publisher.send_bytes("topic", "key", b"value") for _ in range(3)]
    assert handed == []  # it is handed over in one go, and so leaves in one request
    await asyncio.sleep(0)
    woken, loop = list[object](), asyncio.get_running_loop()
    wake = loop.call_soon_threadsafe

    def counted(*told: Any) -> object:
        woken.append(told)
        return wake(*told)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)

    for offset, delivered in enumerate(handed):
        delivered(None, cast(Any, SimpleNamespace(partition=lambda: 0, offset=lambda offset=offset: offset)))
    assert await asyncio.gather(*sent) == [(0, 0), (0, 1), (0, 2)]
    assert len(woken) == 1
    publisher._stopped.set()


async def test_closing_sends_what_still_waits(mock_kafka: Kafka) -> None:
    publisher = Publisher(Cluster({"bootstrap.servers": mock_kafka.bootstrap_servers}), Codec(LocalRegistry()), FEW)
    sent = [publisher.send_bytes("at-the-end", "key", b"value", 0) for _ in range(20)]

    await publisher.close()

    assert all(future.done() and not future.exception() for future in sent)


async def test_a_dead_letter_that_the_brokers_have_is_counted(mock_kafka: Kafka) -> None:
    counted: list[DeadLetter] = []
    publisher = Publisher(mock_kafka.cluster(), Codec(LocalRegistry()), buried=counted.append)
    try:
        await publisher.send(DEAD_LETTERS, "k", LETTER)
        await publisher.send(RECEIPTS, "k", RECEIPT)
    finally:
        await publisher.close()
    assert counted == [LETTER]


async def test_a_dead_letter_that_the_brokers_did_not_take_is_not_counted(mock_kafka: Kafka) -> None:
    counted: list[DeadLetter] = []
    publisher = Publisher(mock_kafka.cluster(), Codec(LocalRegistry()), buried=counted.append)
    try:
        with pytest.raises(PublishFailed):
            await publisher.send(DEAD_LETTERS, "k", LETTER, partition=10_000)
    finally:
        await publisher.close()
    assert counted == []
