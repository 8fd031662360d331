"""A compacted topic as a table that is always complete: read to the end before use, then followed."""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Mapping
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import PASSING
from connectors.kafka.lifeline import Lifeline, Stranded
from connectors.kafka.settings import TIMEOUT_S, follower_config, reader_config
from schemas.codec import Codec, MalformedRecord
from schemas.configuration import INSTALLATION
from schemas.registry import LocalRegistry, UnknownSchema

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_S: Final = 0.2
READ_AGAIN_S: Final = 0.005
ASK_AGAIN_S: Final = 0.2
OWN_WRITES_S: Final = 10.0

Changed = Callable[[str, str, Any], object]
"""Called with topic, key and the new record (None: deleted), on the reader's thread."""


def _ignored(*_: Any) -> None:
    """A short-lived reader has nobody to end when it fails."""


class TableIncomplete(RuntimeError):
    """The topic could not be read to its end."""


async def until_read(topic: str, read: Callable[[], bool]) -> None:
    """Wait until this process reads what it wrote to the topic, so that it never decides on an old table.

    Raises RuntimeError where that takes longer than OWN_WRITES_S.
    """
    deadline = asyncio.get_running_loop().time() + OWN_WRITES_S
    while not read():
        if asyncio.get_running_loop().time() > deadline:
            raise RuntimeError(f"own writes to {topic} are not seen after {OWN_WRITES_S:.0f} s")
        await asyncio.sleep(0.01)


def _reason(failure: BaseException | None) -> str:
    """Why a table is incomplete, and what to do; None: it was still being read when the time was over."""
    if failure is None:
        return f"not at their end after {TIMEOUT_S * 4:g} s; is a broker down? Fix: run the command again."
    if isinstance(failure, KafkaException):
        return f"{failure.args[0].str()}. Fix: check KAFKA_BOOTSTRAP_SERVERS and that the brokers run."
    return str(failure)


class TableReader:
    """Follows compacted topics on a thread and keeps the newest record of every key."""

    def __init__(
        self,
        cluster: Cluster,
        codec: Codec,
        topics: tuple[str, ...],
        failed: Callable[[BaseException], None] = _ignored,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        """`failed` is called on the reader's thread with the reason why a complete table can be followed no longer.

        `look_s`: how long stopping may take, for nothing wakes a thread that waits for messages.
        """
        self._cluster = cluster
        self._codec = codec
        self._packaged = Codec(LocalRegistry())
        self._topics = topics
        self._subscribers: tuple[Changed, ...] = ()
        self._failed = failed
        self._look_s = look_s
        self._tables: dict[str, dict[str, Any]] = {topic: {} for topic in topics}
        self._changes = Counter[str]()
        self._unreadable: dict[tuple[str, str], str] = {}
        self._reached: dict[tuple[str, int], int] = {}  # the next offset of each partition
        self._open_ends: dict[tuple[str, int], int] = {}  # of those whose first end is not reached yet
        self._stopped = threading.Event()
        self._complete = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, name="tables", daemon=True)

    def start(self) -> None:
        """Read every topic to the end it has now; blocks. Raises TableIncomplete."""
        self._thread.start()
        if not self._complete.wait(TIMEOUT_S * 4) or self._failure is not None:
            message = f"{', '.join(self._topics)} could not be read: {_reason(self._failure)}"
            raise TableIncomplete(message) from self._failure

    def subscribe(self, changed: Changed) -> None:
        """Call `changed` for every record from now on; who needs all of them subscribes before the start."""
        self._subscribers = (*self._subscribers, changed)

    def table(self, topic: str) -> Mapping[str, Any]:
        """Key -> newest record; a copy."""
        return dict(self._tables[topic])

    def changes(self, topic: str) -> int:
        """How many records of the topic were taken: what was made of its table is old once it is another number."""
        return self._changes[topic]

    def get(self, topic: str, key: str) -> Any:
        return self._tables[topic].get(key)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """A sentence for each row that is left as it was, because what it became cannot be read."""
        return tuple(f"{topic}: {key} cannot be read: {why}" for (topic, key), why in dict(self._unreadable).items())

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def read_to_end(self, topic: str) -> None:
        """Return once a table holds what the brokers held at the call; blocks. Raises TableIncomplete.

        For topics that nobody writes to in transactions, whose ends are no records.
        """
        ends = self._ends(topic)
        deadline = time.monotonic() + TIMEOUT_S * 4
        while any(self._reached[place] < end for place, end in ends.items()):
            if self._stopped.is_set() or self._failure is not None or time.monotonic() > deadline:
                raise TableIncomplete(f"{topic} could not be read: {_reason(self._failure)}")
            time.sleep(READ_AGAIN_S)

    def _ends(self, topic: str) -> dict[tuple[str, int], int]:
        """Where a topic's partitions end now."""
        try:
            return self._told(lambda: self._ends_told(self._cluster.physical(topic)))
        except KafkaException as error:
            raise TableIncomplete(f"{topic} could not be read: {_reason(error)}") from error

    def _told(self, ask: Callable[[], T], passing: Container[int] | None = None) -> T:
        """What is asked; again for a while, after any error or one of these: brokers that come back know no leader."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return ask()
            except KafkaException as error:
                lasting = passing is not None and error.args[0].code() not in passing
                if lasting or self._stopped.is_set() or time.monotonic() > deadline:
                    raise
            self._stopped.wait(ASK_AGAIN_S)

    def _ends_told(self, physical: str) -> dict[tuple[str, int], int]:
        consumer = Consumer(reader_config(self._cluster))
        try:
            return {
                place: consumer.get_watermark_offsets(TopicPartition(*place), TIMEOUT_S, cached=False)[1]
                for place in tuple(self._reached)
                if place[0] == physical
            }
        finally:
            consumer.close()

    def _follow(self) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    self._read()
                except Stranded as error:
                    log.warning("%s: followed by another client: %s", ", ".join(self._topics), error)
        except Exception as error:  # noqa: BLE001 - the thread's edge: every failure is reported
            if self._complete.is_set():
                self._failed(error)
            self._failure = error
            self._complete.set()

    def _read(self) -> None:
        """Follow by a new client, from where the last one was, until stopped. Raises Stranded."""
        lifeline = Lifeline()
        consumer = Consumer({**follower_config(self._cluster), **lifeline.config})
        try:
            if not self._reached:
                self._open_ends = self._told(lambda: self._found(consumer), PASSING)
            open_ends = self._open_ends
            consumer.assign([TopicPartition(*place, offset) for place, offset in self._reached.items()])
            while not self._stopped.is_set():
                if not open_ends:
                    self._complete.set()
                message = consumer.poll(self._look_s)
                lifeline.check()
                if message is None:
                    continue
                error = message.error()
                place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
                if error is None:
                    topic = self._cluster.logical(message.topic() or "")
                    self._apply(topic, (message.key() or b"").decode(errors="replace"), message.value())
                    self._reached[place] = offset + 1
                    if offset + 1 >= open_ends.get(place, offset + 2):
                        del open_ends[place]
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._reached[place] = offset
                    open_ends.pop(place, None)  # a transaction's marker may stand at the end
        finally:
            consumer.close()

    def _found(self, consumer: Consumer) -> dict[tuple[str, int], int]:
        """Find every partition and its beginning; returns the ends of those that hold something."""
        metadata = consumer.list_topics(timeout=TIMEOUT_S)
        places = []
        for topic in map(self._cluster.physical, self._topics):
            known = metadata.topics.get(topic)
            if known is None or known.error is not None:
                raise TableIncomplete(f"topic {topic} does not exist: run `pairstream topics apply`")
            places += [(topic, partition) for partition in known.partitions]
        watermarks = {place: consumer.get_watermark_offsets(TopicPartition(*place), TIMEOUT_S) for place in places}
        self._reached = {place: first for place, (first, _) in watermarks.items()}
        return {place: end for place, (first, end) in watermarks.items() if end > first}

    def _apply(self, topic: str, key: str, value: bytes | None) -> None:
        codec = self._packaged if key == INSTALLATION else self._codec
        try:
            record = None if value is None else codec.decode(topic, value)
        except (MalformedRecord, UnknownSchema) as error:
            # one row that somebody wrote with other settings, or a newer build, must not take every process down
            log.error("%s: %s is left as it was, for what it became cannot be read: %s", topic, key, error)
            self._unreadable[topic, key] = str(error)
            return
        self._unreadable.pop((topic, key), None)
        if record is None:
            self._tables[topic].pop(key, None)
        else:
            self._tables[topic][key] = record
        self._changes[topic] += 1
        for changed in self._subscribers:
            changed(topic, key, record)
