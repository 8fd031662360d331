"""All effects of a step as one: outputs, state rows and handled offsets in a single Kafka transaction.

And reading the rows back.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from connectors.kafka import stranded
from connectors.kafka.arrived import arrived
from connectors.kafka.bounded import Caller
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable, ConsumerGroup
from connectors.kafka.lifeline import Stranded
from connectors.kafka.settings import ANY_PARTITION, TRANSACTION_TIMEOUT_MS, reader_config, transactional_config
from connectors.kafka.stranded import answered
from schemas.codec import RecordTooLarge
from schemas.redrives import Sent
from schemas.topics import TopicAndPartition

T = TypeVar("T")

STALL_S = 60.0
IDLE_S = 5.0
WHY_S = 1.0
ANSWERED_WITHIN_S: Final = TRANSACTION_TIMEOUT_MS / 1000
"""Of each call of a transaction: brokers that stand still for less go on with it, those that do longer abort it. A call
that was given up sooner could not be made again: librdkafka takes it for failed, or to be aborted."""


class TransactionFailed(RuntimeError):
    """A step's transaction did not commit.

    `fenced`: another process owns the partition now; `expired`: the brokers forgot a producer that was idle for long,
    or it them, or it failed by itself: a new one may take over. To open it ends what the old one began, and the group's
    offsets tell then whether that was committed.
    """

    def __init__(self, message: str, *, fenced: bool, expired: bool = False) -> None:
        super().__init__(message)
        self.fenced = fenced
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Produced:
    """One message of a transaction; `partition` only where it does not follow from the key."""

    topic: str
    key: str
    value: bytes | None
    partition: int | None = None
    headers: tuple[Sent, ...] = ()


class TransactionalWriter:
    """A producer that commits many messages or none; opening it fences every earlier holder of its id."""

    def __init__(self, cluster: Cluster, transactional_id: str, group: ConsumerGroup) -> None:
        """Blocks. Raises TransactionFailed."""
        self._cluster = cluster
        self._group = group
        self._transactional_id = transactional_id
        self._too_large: str | None = None  # a topic whose brokers refused a message of the transaction for its size
        self._caller = Caller(transactional_id)
        try:
            self._producer = self._opened()
        except BaseException:
            self._caller.end()
            raise
        self._used_at = time.monotonic()

    def _opened(self) -> Producer:
        producer = Producer(transactional_config(self._cluster, self._transactional_id))
        with _named("init_transactions"):
            self._answered(producer, partial(producer.init_transactions, ANSWERED_WITHIN_S), None)
        return producer

    def write(self, messages: Iterable[Produced], handled: Mapping[TopicAndPartition, int]) -> None:
        """Commit all messages, and for the group where its input goes on. Blocks.

        Raises Unencodable, nothing committed, where one of the messages is too large; TransactionFailed otherwise.
        """
        encoded = [
            (each, self._cluster.message_key(each.topic, each.key, each.value, each.headers)) for each in messages
        ]
        places = [
            TopicPartition(self._cluster.physical(topic), number, offset) for (topic, number), offset in handled.items()
        ]
        self._too_large = None
        producer, topic = self._producer, places[0].topic if places else None
        if time.monotonic() - self._used_at >= IDLE_S and stranded.is_stranded(producer, self._cluster, topic):
            raise TransactionFailed(f"{self._transactional_id} finds no broker", fenced=False, expired=True)
        try:
            with _named("transaction"):
                self._answered(producer, partial(self._transaction, producer, encoded, places), topic)
        except TransactionFailed as error:
            if isinstance(error.__cause__, Stranded):
                raise  # its call is still under way
            if not error.fenced:
                with _named("transaction"):
                    _flushed(producer, WHY_S)  # the message that was refused is told of aside
            if self._too_large is None:
                raise
            # after such a failure librdkafka 2.16 skips sequence numbers; a new producer aborts what the old one began
            self._producer = self._opened()
            raise RecordTooLarge(f"{self._too_large}: the brokers take less than they did") from error
        self._used_at = time.monotonic()

    def _transaction(
        self, producer: Producer, encoded: Iterable[tuple[Produced, bytes]], places: list[TopicPartition]
    ) -> None:
        producer.begin_transaction()
        for message, key in encoded:
            self._produce(producer, message, key)
        producer.send_offsets_to_transaction(places, self._group.metadata, ANSWERED_WITHIN_S)
        _flushed(producer, ANSWERED_WITHIN_S)
        producer.commit_transaction(ANSWERED_WITHIN_S)

    def _answered(self, producer: Producer, call: Callable[[], T], topic: str | None) -> T:
        """What a call of the producer returns or raises. Raises TransactionFailed, expired, where it is stranded.

        A new one can take over then: what this one began would only time out.
        """
        try:
            return answered(self._caller.begin(call), lambda: stranded.is_stranded(producer, self._cluster, topic))
        except Stranded as error:
            raise TransactionFailed(f"{self._transactional_id}: {error}", fenced=False, expired=True) from error

    def _produce(self, producer: Producer, message: Produced, key: bytes) -> None:
        topic = self._cluster.physical(message.topic)
        place = ANY_PARTITION if message.partition is None else message.partition
        while True:
            try:
                producer.produce(
                    topic,
                    key=key,
                    value=message.value,
                    partition=place,
                    headers=list(message.headers),
                    on_delivery=self._delivered,
                )
            except BufferError:
                producer.poll(0.05)
                continue
            return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            self._too_large = message.topic()

    def close(self) -> None:
        """Close without waiting: an uncommitted transaction never happened."""
        self._caller.end()
        self._producer.purge()


def _flushed(producer: Producer, within_s: float) -> None:
    """Wait until the brokers have answered for all that was produced, or for that time.

    A client that is fenced meanwhile raises so, and where it tells of a message in the same moment Python makes a
    SystemError of that: the callback begins amid an exception. The commit raises what it is.
    """
    with suppress(SystemError):
        producer.flush(within_s)


class _named:
    """Turns the client's errors within into TransactionFailed."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, KafkaException):
            cause: KafkaError = error.args[0]
            fenced = cause.code() in FENCED
            expired = not fenced and _is_of_no_use_after(cause)
            raise TransactionFailed(f"{self._what}: {cause.str()}", fenced=fenced, expired=expired) from error


EXPIRED: Final = frozenset({KafkaError.INVALID_PRODUCER_ID_MAPPING, KafkaError.UNKNOWN_PRODUCER_ID})
FENCED: Final = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})


def _is_of_no_use_after(cause: KafkaError) -> bool:
    """Whether a new producer may do what this one could not: an error below 0 is the client's own.

    Of these a producer that forgets its brokers amid a transaction tells by one ("Broker handle destroyed"), and calls
    that brokers answer too late by another. What is fatal may be a fence.
    """
    return cause.code() in EXPIRED or (cause.code() < 0 and cause.code() != KafkaError._FATAL)


@dataclass(frozen=True, slots=True)
class Row:
    """One message of a compacted topic; `value` None deletes the key; `next_offset` is where reading goes on."""

    key: str
    value: bytes | None
    next_offset: int


def read_committed_rows(cluster: Cluster, topic: str, partition: int, offset: int) -> Iterator[Row]:
    """Every committed row of one partition from an offset to the end it has now. Blocks.

    Raises TransactionFailed where nothing comes for STALL_S.
    """
    try:
        for message in committed_messages(cluster, topic, partition, offset):
            yield Row((message.key() or b"").decode(), message.value(), (message.offset() or 0) + 1)
    except BrokersUnreachable as error:
        raise TransactionFailed(str(error), fenced=False) from error


def committed_messages(
    cluster: Cluster,
    topic: str,
    partition: int,
    offset: int,
    *,
    at_once: int = 2_000,
    within_s: float = 0.2,
    look: Callable[[], object] = lambda: None,
) -> Iterator[Message]:
    """Every committed message of one partition from an offset to the end it has now. Blocks.

    Raises BrokersUnreachable where nothing comes for STALL_S, and what `look` raises, called before each batch.
    """
    consumer = Consumer(reader_config(cluster))
    try:
        consumer.assign([TopicPartition(cluster.physical(topic), partition, offset)])
        heard = time.monotonic()
        while True:
            look()
            for message in arrived(consumer, at_once, within_s):
                heard = time.monotonic()
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
            if time.monotonic() - heard > STALL_S:
                raise BrokersUnreachable(f"reading {topic}[{partition}] stalled for {STALL_S:.0f} s")
    finally:
        consumer.close()
