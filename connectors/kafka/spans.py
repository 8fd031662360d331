"""Reads many partitions at once, each from one offset to another: what stands between a group and the end."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from connectors.kafka.arrived import arrived
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.settings import TIMEOUT_S, reader_config
from schemas.topics import TopicAndPartition

AT_ONCE: Final = 2_000
LOOK_S: Final = 0.2

Span = tuple[int, int]
"""The first offset that is wanted, and the first that is not."""


@dataclass(frozen=True, slots=True)
class Found:
    """One committed record as the brokers hold it."""

    place: TopicAndPartition
    offset: int
    at_ms: int  # the brokers' time of it
    value: bytes


Seen = Callable[[Found], bool]
"""Takes one record; False where no more of its place is wanted."""


def read_spans(cluster: Cluster, spans: Mapping[TopicAndPartition, Span], seen: Seen) -> None:
    """Hand over every committed record of each span, in order of each place. Blocks.

    What is committed may end before a span does: behind a transaction under way. Raises BrokersUnreachable.
    """
    left = {place: end for place, (begin, end) in spans.items() if end > begin}
    if not left:
        return
    consumer = Consumer(reader_config(cluster))
    try:
        consumer.assign(
            [TopicPartition(cluster.physical(topic), number, spans[topic, number][0]) for topic, number in left]
        )
        heard = time.monotonic()
        while left:
            for message in arrived(consumer, AT_ONCE, LOOK_S):
                heard = time.monotonic()
                place = (cluster.logical(message.topic() or ""), message.partition() or 0)
                if place in left and _is_over(place, message, left[place], seen):
                    del left[place]
            if time.monotonic() - heard > TIMEOUT_S:
                raise BrokersUnreachable(f"{len(left)} partitions are not read within {TIMEOUT_S:.0f} s")
    finally:
        consumer.close()


def _is_over(place: TopicAndPartition, message: Message, end: int, seen: Seen) -> bool:
    error = message.error()
    if error is not None:
        return error.code() == KafkaError._PARTITION_EOF
    offset = message.offset() or 0
    found = Found(place, offset, message.timestamp()[1], message.value() or b"")
    return offset >= end or not seen(found) or offset + 1 >= end
