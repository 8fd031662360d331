"""All effects of a step as one: outputs, state rows and handled offsets in a single Kafka transaction.

And reading the rows back.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import ConsumerGroup
from connectors.kafka.offsets import TopicAndPartition
from connectors.kafka.settings import ANY_PARTITION, TIMEOUT_S, reader_config, transactional_config

RESTORE_STALL_S = 60.0


class TransactionFailed(RuntimeError):
    """A step's transaction did not commit; `fenced` where another process owns the partition now."""

    def __init__(self, message: str, *, fenced: bool) -> None:
        super().__init__(message)
        self.fenced = fenced


@dataclass(frozen=True, slots=True)
class Produced:
    """One message of a transaction; `partition` only where it does not follow from the key."""

    topic: str
    key: str
    value: bytes | None
    partition: int | None = None


class TransactionalWriter:
    """A producer that commits many messages or none; opening it fences every earlier holder of its id."""

    def __init__(self, cluster: Cluster, transactional_id: str, group: ConsumerGroup) -> None:
        self._cluster = cluster
        self._group = group
        self._producer = Producer(transactional_config(cluster, transactional_id))
        with _named("init_transactions"):
            self._producer.init_transactions(TIMEOUT_S)

    def write(self, messages: Iterable[Produced], handled: Mapping[TopicAndPartition, int]) -> None:
        """Commit all messages, and for the group where its input goes on. Blocks. Raises TransactionFailed."""
        places = [
            TopicPartition(self._cluster.physical(topic), number, offset) for (topic, number), offset in handled.items()
        ]
        with _named("transaction"):
            self._producer.begin_transaction()
            for message in messages:
                self._produce(message)
            self._producer.send_offsets_to_transaction(places, self._group.metadata, TIMEOUT_S)
            self._producer.commit_transaction(TIMEOUT_S)

    def _produce(self, message: Produced) -> None:
        topic = self._cluster.physical(message.topic)
        place = ANY_PARTITION if message.partition is None else message.partition
        while True:
            try:
                self._producer.produce(topic, key=message.key.encode(), value=message.value, partition=place)
            except BufferError:
                self._producer.poll(0.05)
                continue
            return

    def close(self) -> None:
        """Close without waiting: an uncommitted transaction never happened."""
        self._producer.purge()


class _named:
    """Turns the client's errors within into TransactionFailed."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, KafkaException):
            cause: KafkaError = error.args[0]
            raise TransactionFailed(f"{self._what}: {cause.str()}", fenced=cause.code() in FENCED) from error


FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})


@dataclass(frozen=True, slots=True)
class Row:
    """One message of a compacted topic; `value` None deletes the key; `next_offset` is where reading goes on."""

    key: str
    value: bytes | None
    next_offset: int


def read_committed_rows(cluster: Cluster, topic: str, partition: int, offset: int) -> Iterator[Row]:
    """Every committed row of one partition from an offset to the end it has now. Blocks.

    Raises TransactionFailed where nothing comes for RESTORE_STALL_S.
    """
    consumer = Consumer(reader_config(cluster))
    try:
        consumer.assign([TopicPartition(cluster.physical(topic), partition, offset)])
        heard = time.monotonic()
        while True:
            for message in consumer.consume(2_000, 0.2):
                heard = time.monotonic()
                error = message.error()
                if error is None:
                    yield Row((message.key() or b"").decode(), message.value(), (message.offset() or 0) + 1)
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
            if time.monotonic() - heard > RESTORE_STALL_S:
                raise TransactionFailed(
                    f"reading {topic}[{partition}] stalled for {RESTORE_STALL_S:.0f} s", fenced=False
                )
    finally:
        consumer.close()
