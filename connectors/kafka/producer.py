"""Publishing records: a coroutine that ends when the brokers have them."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.kafka.cluster import Cluster
from connectors.kafka.lifeline import Lifeline
from connectors.kafka.settings import ANY_PARTITION, publisher_config
from schemas.codec import Codec, RecordTooLarge
from schemas.records import DeadLetter
from schemas.redrives import Sent, letter_headers
from schemas.traces import TRACEPARENT, traceparent

log = logging.getLogger(__name__)

FLUSH_S = 10.0
FULL_S = 0.02
"""Between looks at a full queue: librdkafka tells of no room that came free."""


class PublishFailed(RuntimeError):
    """The brokers did not take a record: nothing that led to it may be acknowledged."""


def headers_of(record: Any, cluster: Cluster) -> tuple[Sent, ...]:
    """The headers a record is sent with: a dead letter's reason and place, for tools that cannot decode it; a trace."""
    headers = letter_headers(record, cluster.physical) if isinstance(record, DeadLetter) else ()
    if cluster.traces and (parent := traceparent(record)) is not None:
        return (*headers, (TRACEPARENT, parent))
    return headers


Along = Callable[[str, str, Any], Iterable[tuple[str, str, Any]]]
"""(topic, key, record) -> topic, key and record of what is sent with it."""


def _nothing(*_: Any) -> Iterable[tuple[str, str, Any]]:
    return ()


def _told_aside(sent: "asyncio.Future[tuple[int, int]]") -> None:
    if not sent.cancelled() and (error := sent.exception()) is not None:
        log.error("what goes along with a record was not published: %s", error)


def _uncounted(_: DeadLetter) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True, eq=False)
class _Handed:
    """A record on its way to the queue."""

    topic: str
    key: bytes
    value: bytes | None = field(repr=False)
    place: int
    headers: tuple[Sent, ...]
    future: "asyncio.Future[tuple[int, int]]"


_Report = tuple[_Handed, KafkaError | None, Message]
"""A record, and how its delivery ended."""
PURGED: Final = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})


class Publisher:
    """An idempotent producer on an asyncio loop.

    Its queue to the brokers is bounded. What finds it full waits in order, without holding the loop, until there is
    room or until whoever awaits its future gives up.
    """

    def __init__(
        self,
        cluster: Cluster,
        codec: Codec,
        queue: Mapping[str, int] | None = None,
        *,
        buried: Callable[[DeadLetter], None] = _uncounted,
        along: Along = _nothing,
        unordered: Collection[str] = (),
    ) -> None:
        """`queue` replaces librdkafka's bounds of the queue to the brokers; `buried` gets each dead letter sent.

        `along` gives what else is sent with a record: the audit of what it does. Of `unordered` topics nothing is given
        up with a producer: the next one sends it, behind what came meanwhile and perhaps twice. Where its queue is
        full, it waits for room as long as somebody awaits it.
        """
        self._along = along
        self._unordered = frozenset(map(cluster.physical, unordered))
        self._cluster = cluster
        self._buried = buried
        self._config = {**publisher_config(cluster), **(queue or {})}
        self._lifeline, self._producer = self._opened()
        self._waiting: dict[_Handed, None] = {}
        self._outbox: list[_Handed] = []
        self._reports: deque[_Report] = deque()
        self._reporting = False  # the loop was told of those that lie there
        self._codec = codec
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._replaced: Lifeline | None = None  # that of the last producer that was given up
        self._ends: list[threading.Thread] = []  # of those that were given up
        self._poller = threading.Thread(target=self._poll, name="publisher", daemon=True)
        self._poller.start()

    def send(
        self, topic: str, key: str, record: Any, partition: int | None = None
    ) -> "asyncio.Future[tuple[int, int]]":
        """Hand a record over; the future gives its partition and offset, or raises PublishFailed.

        Raises Unencodable, at once or by the future, for a record that no message holds.
        """
        value = self._codec.encode(topic, record)
        also = tuple(self._along(topic, key, record))  # asked before: it compares with what the key held until now
        sent = self.send_bytes(topic, key, value, partition, headers_of(record, self._cluster))
        for other in also:
            self.send(*other).add_done_callback(_told_aside)
        if isinstance(record, DeadLetter):
            sent.add_done_callback(lambda done: self._buried(record) if _succeeded(done) else None)
        return sent

    def send_bytes(
        self,
        topic: str,
        key: str,
        value: bytes | None,
        partition: int | None = None,
        headers: tuple[Sent, ...] = (),
    ) -> "asyncio.Future[tuple[int, int]]":
        """The same for bytes; a value of None is a tombstone on a compacted topic."""
        place = ANY_PARTITION if partition is None else partition
        encoded = self._cluster.message_key(topic, key, value, headers)
        physical = self._cluster.physical(topic)
        handed = _Handed(physical, encoded, value, place, headers, self._loop.create_future())
        if not self._outbox:
            self._loop.call_soon(self._hand_over)
        self._outbox.append(handed)
        return handed.future

    async def close(self) -> None:
        """Wait until everything handed over is with the brokers, then stop."""
        flushed, left = None, 0
        while flushed is not self._producer:  # one that is given up meanwhile hands on what it holds
            flushed = self._producer
            for end in self._ends:
                await asyncio.to_thread(end.join)
            self._report()
            self._hand_over()
            if self._waiting:
                await asyncio.wait([handed.future for handed in self._waiting], timeout=FLUSH_S)
            left = await asyncio.to_thread(flushed.flush, FLUSH_S) + len(self._waiting)
        self._waiting.clear()
        self._stopped.set()
        await asyncio.to_thread(self._poller.join)
        if left:
            raise PublishFailed(f"{left} records were not delivered within {FLUSH_S:.0f} s")

    def _hand_over(self) -> None:
        """Give the queue to the brokers all that was sent in this turn of the loop, and so in few requests.

        Sent one by one as they were made, the hundred objects of a page left in seventy.
        """
        outbox, self._outbox = self._outbox, []
        for handed in outbox:
            try:
                if self._waiting or not self._produce(handed):
                    self._wait(handed)
            except PublishFailed as error:
                handed.future.set_exception(error)

    def _produce(self, handed: "_Handed") -> bool:
        """False where the queue to the brokers is full."""

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._reports.append((handed, error, message))
            if not self._reporting:
                self._reporting = True
                self._loop.call_soon_threadsafe(self._report)

        try:
            self._producer.produce(
                handed.topic,
                key=handed.key,
                value=handed.value,
                on_delivery=delivered,
                partition=handed.place,
                headers=list(handed.headers),
            )
        except BufferError:
            return False
        except KafkaException as error:
            raise PublishFailed(f"{handed.topic}: {error.args[0].str()}") from error
        return True

    def _report(self) -> None:
        """Tell of all that were delivered meanwhile: to wake the loop costs more than a record does."""
        self._reporting = False  # before it looks: what is delivered from here on wakes it again
        while self._reports:
            handed, error, message = self._reports.popleft()
            if error is None or error.code() not in PURGED or not self._again(handed):
                _resolve(handed.future, error, message)

    def _again(self, handed: _Handed) -> bool:
        """Whether the next producer has what was given up with the one before, or will once it has room."""
        if handed.topic not in self._unordered:
            return False
        try:
            if not self._produce(handed):
                self._wait(handed)
        except PublishFailed:
            return False
        return True

    def _wait(self, handed: "_Handed") -> None:
        """In line behind those that wait already; who waits for it no longer takes it out."""
        if not self._waiting:
            self._loop.call_later(FULL_S, self._go_on)
        self._waiting[handed] = None
        handed.future.add_done_callback(lambda _: self._waiting.pop(handed, None))

    def _go_on(self) -> None:
        while self._waiting:
            handed = next(iter(self._waiting))
            try:
                if not self._produce(handed):
                    self._loop.call_later(FULL_S, self._go_on)
                    return
            except PublishFailed as error:
                handed.future.set_exception(error)
            self._waiting.pop(handed, None)

    def _opened(self) -> tuple[Lifeline, Producer]:
        lifeline = Lifeline()
        return lifeline, Producer({**self._config, **lifeline.config})

    def _poll(self) -> None:
        while not self._stopped.is_set():
            lifeline, producer = self._lifeline, self._producer
            producer.poll(0.1)
            if lifeline.cut and lifeline is not self._replaced:
                self._replaced = lifeline
                self._loop.call_soon_threadsafe(self._replace)

    def _replace(self) -> None:
        """Go on with a new producer; what the one that has forgotten every broker still holds was not published.

        Of most topics it is not handed to the new one: what was sent meanwhile would come before it.
        """
        log.warning("a producer has forgotten every broker: a new one goes on, what goes in order was not published")
        lost = self._producer
        self._lifeline, self._producer = self._opened()
        lost.purge()
        end = threading.Thread(target=lost.flush, args=(FLUSH_S,), name="end of a producer", daemon=True)
        end.start()
        self._ends = [*(one for one in self._ends if one.is_alive()), end]


def _resolve(future: "asyncio.Future[tuple[int, int]]", error: KafkaError | None, message: Message) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result((message.partition() or 0, message.offset() or 0))
    elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        # the limit was lowered since this process read it
        future.set_exception(RecordTooLarge(f"{message.topic()}: {error.str()}"))
    else:
        future.set_exception(PublishFailed(f"{message.topic()}: {error.str()}"))


def publish_now(
    cluster: Cluster,
    codec: Codec,
    messages: Sequence[tuple[str, str, Any]],
    *,
    buried: Callable[[DeadLetter], None] = _uncounted,
) -> None:
    """Publish records, (topic, key, record) each, from a thread without a loop. Blocks. Raises PublishFailed."""
    producer, failed = Producer(publisher_config(cluster)), list[str]()

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failed.append(f"{message.topic()}: {error.str()}")

    for topic, key, record in messages:
        value = codec.encode(topic, record)
        headers = headers_of(record, cluster)
        encoded = cluster.message_key(topic, key, value, headers)
        physical = cluster.physical(topic)
        producer.produce(physical, key=encoded, value=value, headers=list(headers), on_delivery=delivered)
    left = producer.flush(FLUSH_S)
    if left or failed:
        raise PublishFailed(f"{left} records were not delivered; {'; '.join(failed[:3])}")
    for _, _, record in messages:
        if isinstance(record, DeadLetter):
            buried(record)


def _succeeded(sent: "asyncio.Future[tuple[int, int]]") -> bool:
    return not sent.cancelled() and sent.exception() is None
