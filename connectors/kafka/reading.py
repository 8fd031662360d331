"""Reads committed records from places on topics to where they end, or follows them: a reader of no group."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from connectors.kafka.arrived import arrived
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.settings import follower_config, reader_config
from schemas.copies import Headers
from schemas.topics import TopicAndPartition

AT_ONCE: Final = 1_000
POLL_S: Final = 0.2
STALL_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """One message as it stands on its partition."""

    topic: str
    partition: int
    offset: int
    key: bytes = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)
    at_ms: int  # the message's own time

    @property
    def place(self) -> str:
        """As Kafka's people write it: `hubspot.changes[2]@88213`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Reading:
    """Records from an offset on, of several partitions; of each up to an offset where one is named."""

    def __init__(
        self,
        cluster: Cluster,
        begins: Mapping[TopicAndPartition, int],
        ends: Mapping[TopicAndPartition, int] | None = None,
        *,
        follows: bool = False,
    ) -> None:
        """`follows`: somebody goes on reading behind the ends."""
        self._cluster = cluster
        self._ends = ends or {}
        self.left = {place for place, begin in begins.items() if begin < self._ends.get(place, begin + 1)}
        """Partitions whose end was not reached yet, as it was when this reader came to it."""
        self.reached = dict(begins)
        """Where each partition is read on."""
        self._consumer = Consumer(follower_config(cluster) if follows else reader_config(cluster))
        places = [TopicPartition(cluster.physical(topic), number, begins[topic, number]) for topic, number in self.left]
        self._consumer.assign(places)

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._consumer.close()

    def take(self, within_s: float) -> list[Found]:
        """What came within that time; blocks."""
        found = []
        for message in arrived(self._consumer, AT_ONCE, within_s):
            place = self._cluster.logical(message.topic() or ""), message.partition() or 0
            offset = message.offset() or 0
            error, end = message.error(), self._ends.get(place)
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    self.left.discard(place)
                    self.reached[place] = max(offset, self.reached.get(place, 0))
                continue
            self.reached[place] = offset + 1
            if end is None or offset < end:
                found.append(_found(message, place, offset))
            if end is not None and offset + 1 >= end:
                self.left.discard(place)
        return found

    def to_end(self, look: Callable[[], object] = lambda: None) -> Iterator[Found]:
        """What is left, up to where each partition ends. Blocks. Raises as `read_to_end` does."""
        heard = time.monotonic()
        while self.left:
            look()
            left, found = len(self.left), self.take(POLL_S)
            yield from found
            if found or len(self.left) < left:
                heard = time.monotonic()
            elif time.monotonic() - heard > STALL_S:
                raise BrokersUnreachable(f"reading {len(self.left)} partitions stalled for {STALL_S:.0f} s")


def read_to_end(
    cluster: Cluster,
    begins: Mapping[TopicAndPartition, int],
    ends: Mapping[TopicAndPartition, int] | None = None,
    look: Callable[[], object] = lambda: None,
) -> Iterator[Found]:
    """Every committed record from those offsets to those ends, or to the ends that there are now. Blocks.

    Raises BrokersUnreachable where nothing comes for STALL_S, and what `look` raises, called before each batch.
    """
    with Reading(cluster, begins, ends) as reading:
        yield from reading.to_end(look)


class Tail:
    """What partitions got since they were last asked: read whole once, then only what is new."""

    def __init__(self, cluster: Cluster, begins: Mapping[TopicAndPartition, int]) -> None:
        self._cluster = cluster
        self._reached = dict(begins)

    def news(self) -> Iterator[Found]:
        """The committed records that came since, each once, however often somebody stops in between; blocks.

        Raises BrokersUnreachable as `read_to_end`.
        """
        with Reading(self._cluster, self._reached) as reading:
            for found in reading.to_end():
                self._reached[found.topic, found.partition] = found.offset + 1
                yield found
            self._reached = reading.reached


def _found(message: Message, place: TopicAndPartition, offset: int) -> Found:
    return Found(
        *place, offset, message.key() or b"", message.value(), message.headers() or (), max(message.timestamp()[1], 0)
    )
