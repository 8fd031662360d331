"""Reads a partition from its end towards its beginning, in growing slices: what is wanted often stands near the end."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from connectors.kafka.arrived import arrived
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.settings import TIMEOUT_S, reader_config

FIRST: Final = 2_000  # offsets of the slice at the end; each further one is four times as long
MOST: Final = 128_000
AT_ONCE: Final = 10_000
FETCH_BYTES: Final = 8 * 1024 * 1024
STALL_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: the messages of the wanted keys in their order, and how far back it reaches."""

    messages: tuple[Message, ...]
    since_ms: int | None  # the time of its first message; None: it holds none
    begin: int  # its first offset
    whole: bool  # the partition begins here: there is nothing before it


def slices(cluster: Cluster, topic: str, partition: int, keys: Collection[bytes]) -> Iterator[Slice]:
    """The committed messages with these keys, the newest slice first, until whoever asks has enough. Blocks.

    Raises BrokersUnreachable where reading stalls.
    """
    consumer = Consumer({**reader_config(cluster), "fetch.message.max.bytes": FETCH_BYTES})
    place = TopicPartition(cluster.physical(topic), partition)
    try:
        first, end = consumer.get_watermark_offsets(place, TIMEOUT_S, cached=False)
        length = FIRST
        while end > first:
            begin = max(end - length, first)
            messages, since_ms = _between(consumer, place, begin, end, keys)
            yield Slice(messages, since_ms, begin, whole=begin == first)
            end, length = begin, min(length * 4, MOST)
    finally:
        consumer.close()


def newest_values(cluster: Cluster, topic: str, partition: int, keys: Collection[str]) -> dict[str, bytes | None]:
    """Key -> its newest committed value, None where it was deleted; without the keys that there are none of. Blocks.

    Raises BrokersUnreachable.
    """
    found: dict[str, bytes | None] = {}
    wanted = {key.encode() for key in keys}
    for one in slices(cluster, topic, partition, wanted):
        for message in reversed(one.messages):
            found.setdefault((message.key() or b"").decode(), message.value())
        if len(found) == len(wanted):
            break
    return found


def _between(
    consumer: Consumer, place: TopicPartition, begin: int, end: int, keys: Collection[bytes]
) -> tuple[tuple[Message, ...], int | None]:
    consumer.assign([TopicPartition(place.topic, place.partition, begin)])
    found: list[Message] = []
    since_ms: int | None = None
    heard = time.monotonic()
    while True:
        messages = arrived(consumer, AT_ONCE, 0.2)
        if messages:
            heard = time.monotonic()
        elif time.monotonic() - heard > STALL_S:
            raise BrokersUnreachable(f"reading {place.topic}[{place.partition}] stalled for {STALL_S:.0f} s")
        for message in messages:
            error, offset = message.error(), message.offset() or 0
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    return tuple(found), since_ms
                continue
            if offset >= end:
                return tuple(found), since_ms
            if since_ms is None:
                since_ms = message.timestamp()[1]
            if message.key() in keys:
                found.append(message)
            if offset == end - 1:
                return tuple(found), since_ms
