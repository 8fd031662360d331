"""A member whose commits the brokers do not answer goes on polling, for its polls are what they may wait for."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from connectors.kafka import consumer, joining, rejoining
from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import GroupMember, Hooks, Taken

TOPIC = "hubspot.field-patches"
PLACE = TopicPartition(TOPIC, 0)
DEADLINE_S = 10.0
FENCED = KafkaError(KafkaError.FENCED_INSTANCE_ID)


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

    def assign(self, places: list[TopicPartition]) -> None:
        self.begun = [place.offset for place in places]

    # what a test lets happen
    def give(self) -> None:
        self._events.put(lambda: self._callbacks["on_assign"](self, [PLACE]))

    def revoke(self) -> None:
        self._events.put(lambda: self._callbacks["on_revoke"](self, [PLACE]))

    def lose(self) -> None:
        self._events.put(lambda: self._callbacks["on_lost"](self, [PLACE]))

    def fail(self, error: KafkaError) -> None:
        def raised() -> None:
            raise KafkaException(error)

        self._events.put(raised)

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
    it.brokers.give()
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
    running.brokers.give()
    await becomes(lambda: running.member.owned)
    await running.takes(5)
    await becomes(lambda: len(running.brokers.asked) == 2)
    assert places(running.brokers.asked[1]) == [(TOPIC, 0, 6)]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_commit_that_is_fenced_ends_the_process(running: Running, at_once: bool) -> None:
    def refuse(**_: Any) -> None:
        raise KafkaException(FENCED)

    if at_once:
        running.brokers.commit = refuse
        await running.takes(0)
    else:
        await running.takes(0)
        await becomes(lambda: running.brokers.asked)
        running.brokers.answer(running.brokers.asked[0], FENCED)
    await becomes(lambda: running.failures)
    assert isinstance(running.failures[0], KafkaException)
    assert running.failures[0].args[0].code() == KafkaError.FENCED_INSTANCE_ID


async def joined_anew(running: Running, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its session passes, and what it asked before is taken for another's; the brokers of its next client."""
    monkeypatch.setattr(rejoining, "OPENED_S", 0.0)
    former = running.brokers
    former.lose()
    await becomes(lambda: running.revoked and not running.member.owned)
    former.fail(FENCED)
    await becomes(lambda: running.member._consumer is not former)
    return running.member._consumer


async def test_a_member_that_was_fenced_by_its_own_requests_joins_anew(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause of the brokers longer than its session ended the process, in one of two pauses."""
    await running.takes(0)
    former, running.brokers = running.brokers, await joined_anew(running, monkeypatch)
    running.brokers.give()
    await becomes(lambda: running.member.owned)
    await running.takes(0)
    await becomes(lambda: running.brokers.asked)
    running.brokers.answer(running.brokers.asked[0])
    await becomes(lambda: places(running.brokers.asked[-1]) == [(TOPIC, 0, 1)])
    former.closes.set()
    await becomes(former.closed.is_set)
    assert running.failures == []


async def test_a_member_that_its_group_forgot_joins_anew(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejoining, "OPENED_S", 0.0)
    monkeypatch.setattr(joining, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(joining, "JOIN_S", 0.0)
    await running.takes(0)
    running.member._joining = joining.Joining(Cluster({}), TOPIC, told=lambda *_: True)
    running.member._joining.end()
    former = running.brokers
    await running.polls_on()
    assert running.brokers is running.member._consumer
    former.lose()
    await becomes(lambda: running.member._consumer is not former)
    running.member._joining.end()
    assert running.failures == []


async def test_what_it_is_given_while_it_ends_is_not_begun(running: Running) -> None:
    await running.polls_on()
    await running.member.stop()
    running.brokers._callbacks["on_assign"](running.brokers, [PLACE])
    assert (running.brokers.begun, running.member.owned) == ([], frozenset())


async def test_a_member_reads_from_where_its_group_was(running: Running) -> None:
    running.brokers.give()
    await becomes(lambda: running.member.owned)
    assert running.brokers.begun == [0]


async def test_what_the_client_before_tells_at_its_end_changes_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, running.brokers = running.brokers, await joined_anew(running, monkeypatch)
    running.brokers.give()
    await becomes(lambda: running.member.owned)
    revoked = running.revoked
    for callback in ("on_revoke", "on_lost", "on_assign"):
        former._callbacks[callback](former, [PLACE])
    former._on_commit(FENCED, [PLACE])
    assert (running.member.owned, running.revoked) == (frozenset({0}), revoked)
    await running.takes(3)


async def test_a_member_that_is_fenced_with_its_partitions_has_a_rival_and_ends(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejoining, "OPENED_S", 0.0)
    running.brokers.fail(FENCED)
    await becomes(lambda: running.failures)
    assert running.member._consumer is running.brokers


async def test_a_member_ends_though_its_consumer_does_not(running: Running) -> None:
    await running.takes(0)
    await becomes(lambda: running.brokers.asked)
    async with asyncio.timeout(DEADLINE_S / 2):
        await running.member.stop()
    assert not running.brokers.closed.is_set()
