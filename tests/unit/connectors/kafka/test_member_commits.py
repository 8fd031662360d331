"""A member whose commits the brokers do not answer goes on polling, for its polls are what they may wait for."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from connectors.kafka import consumer
from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import GroupMember, Hooks, Taken

TOPIC = "hubspot.field-patches"
PLACE = TopicPartition(TOPIC, 0)
DEADLINE_S = 10.0


class Record:
    """One message of the topic."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None: ...
    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"acme"

    def value(self) -> bytes:
        return b"patch"

    def headers(self) -> None: ...


class Brokers:
    """The consumer as librdkafka makes it: callbacks come within polls, a waiting commit ends when it is answered."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._on_commit = config["on_commit"]
        self._events = SimpleQueue[Callable[[], Any]]()
        self.polls = 0
        self.asked: list[list[TopicPartition]] = []
        self.waited: list[list[TopicPartition]] = []
        self.waits = threading.Event()  # set: commits that wait are answered
        self.closed = threading.Event()
        self.closes = threading.Event()

    def subscribe(self, _: Sequence[str], **callbacks: Any) -> None:
        self._callbacks = callbacks

    def committed(self, places: Sequence[TopicPartition], _: float) -> Sequence[TopicPartition]:
        return [TopicPartition(place.topic, place.partition, 0) for place in places]

    def poll(self, within_s: float) -> Any:
        self.polls += 1
        try:
            return self._events.get(timeout=within_s)()
        except Empty:
            return None

    def consume(self, *_: Any) -> list[Any]:
        return []

    def pause(self, _: Any) -> None: ...

    resume = pause

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        if asynchronous:
            self.asked.append(offsets)
        else:
            self.waited.append(offsets)
            self.waits.wait(DEADLINE_S)

    def close(self) -> None:
        self.closes.wait(DEADLINE_S)
        self.closed.set()

    # what a test lets happen
    def assign(self) -> None:
        self._events.put(lambda: self._callbacks["on_assign"](self, [PLACE]))

    def revoke(self) -> None:
        self._events.put(lambda: self._callbacks["on_revoke"](self, [PLACE]))

    def deliver(self, offset: int) -> None:
        self._events.put(lambda: Record(offset))

    def answer(self, commit: list[TopicPartition], error: KafkaError | None = None) -> None:
        self._events.put(lambda: self._on_commit(error, commit))


async def becomes(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what changes is on another thread
            await asyncio.sleep(0.01)


def _finish(batch: Sequence[Taken]) -> None:
    for taken in batch:
        taken.finished()


class Running:
    """A member on those brokers, all of whose records are handled as soon as they are taken."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []
        self.revoked = 0

        async def revoked(_: frozenset[int]) -> None:
            self.revoked += 1

        hooks = Hooks(
            _finish,
            lambda _: None,
            revoked,
            self.failures.append,
            lambda *_: None,
        )
        self.member = GroupMember(Cluster({}), "group", "one", topics=(TOPIC,), hooks=hooks)
        self.brokers: Any = self.member._consumer

    async def takes(self, offset: int) -> None:
        self.brokers.deliver(offset)
        await becomes(lambda: self.member.reached() == {(TOPIC, 0): offset + 1})

    async def polls_on(self) -> None:
        seen = self.brokers.polls
        await becomes(lambda: self.brokers.polls > seen + 3)


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    monkeypatch.setattr(consumer, "Consumer", Brokers)
    monkeypatch.setattr(consumer, "FirstOffsets", Nothing)
    monkeypatch.setattr(consumer, "LAST_COMMIT_S", 0.1)
    monkeypatch.setattr(consumer, "CLOSE_S", 0.1)
    it = Running()
    it.member.start()
    it.brokers.assign()
    await becomes(lambda: it.member.owned)
    yield it
    async with asyncio.timeout(DEADLINE_S):
        await it.member.stop()
    it.brokers.closes.set()
    it.brokers.waits.set()


class Nothing:
    """No partition has lost anything."""

    def __init__(self, _: Cluster) -> None: ...

    def of(self, places: Any) -> Any:
        return dict.fromkeys(places, 0)


def places(commit: list[TopicPartition]) -> list[tuple[str, int, int]]:
    return [(place.topic, place.partition, place.offset) for place in commit]


async def test_a_commit_that_is_not_answered_keeps_nobody_from_polling(running: Running) -> None:
    await running.takes(0)
    await becomes(lambda: running.brokers.asked)
    await running.polls_on()
    await running.takes(1)
    assert [places(commit) for commit in running.brokers.asked] == [[(TOPIC, 0, 1)]]
    running.brokers.answer(running.brokers.asked[0])
    await becomes(lambda: len(running.brokers.asked) == 2)
    assert places(running.brokers.asked[1]) == [(TOPIC, 0, 2)]
    running.brokers.answer(running.brokers.asked[1])
    await running.polls_on()
    assert len(running.brokers.asked) == 2  # it is known to be there


async def test_partitions_are_given_back_though_the_last_commit_is_not_answered(running: Running) -> None:
    await running.takes(0)
    await becomes(lambda: running.brokers.asked)
    running.brokers.revoke()
    await becomes(lambda: running.revoked)
    await becomes(lambda: not running.member.reached())
    assert [places(commit) for commit in running.brokers.waited] == [[(TOPIC, 0, 1)]]
    running.brokers.answer(running.brokers.asked[0])  # late
    running.brokers.assign()
    await becomes(lambda: running.member.owned)
    await running.takes(5)
    await becomes(lambda: len(running.brokers.asked) == 2)
    assert places(running.brokers.asked[1]) == [(TOPIC, 0, 6)]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_commit_that_is_fenced_ends_the_process(running: Running, at_once: bool) -> None:
    fenced = KafkaError(KafkaError.FENCED_INSTANCE_ID)

    def refuse(**_: Any) -> None:
        raise KafkaException(fenced)

    if at_once:
        running.brokers.commit = refuse
        await running.takes(0)
    else:
        await running.takes(0)
        await becomes(lambda: running.brokers.asked)
        running.brokers.answer(running.brokers.asked[0], fenced)
    await becomes(lambda: running.failures)
    assert isinstance(running.failures[0], KafkaException)
    assert running.failures[0].args[0].code() == KafkaError.FENCED_INSTANCE_ID


async def test_a_member_ends_though_its_consumer_does_not(running: Running) -> None:
    await running.takes(0)
    await becomes(lambda: running.brokers.asked)
    async with asyncio.timeout(DEADLINE_S / 2):
        await running.member.stop()
    assert not running.brokers.closed.is_set()
