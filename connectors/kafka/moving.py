"""Copies whole topics into others of another partition count, and proves each copy against what it was made of.

Only for topics that nobody writes and nobody takes from meanwhile: a copy that was cut off is thrown away and begun
anew, so it needs no transactions.
"""

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Final

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # confluent_kafka does not list what it exports
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicMetadata,
)

from connectors.kafka.bounded import within
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.partitioner import placed
from connectors.kafka.settings import SILENT, TIMEOUT_S, publisher_config, reader_config, transactional_config
from connectors.kafka.tally import Tally, digest, headers_of
from connectors.kafka.transactions import committed_messages
from schemas.copies import Header, as_handled
from schemas.topics import TopicAndPartition

MOST_MESSAGE_BYTES: Final = 100_000_000  # the topics have limits of their own, which an operator may have raised
FLUSH_S: Final = 120.0
TRANSACTIONS_S: Final = 90.0
"""How long is waited for transactions that a killed process left open: the brokers end them after 30 s."""
LOOK_EVERY_S: Final = 0.1
READ_S: Final = 0.02  # how long one of many partitions is waited for before the others have their turn
WHILE_MOVED: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""Nothing is deleted or compacted of a copy before it is proven."""

Handled = Mapping[int, Mapping[str, int]]
"""By partition, then by stage: the offset behind the last record that it has handled."""


class NotMoved(RuntimeError):
    """A copy is not what it was made of, or the brokers refuse a part of the move; the message says which."""


@dataclass(frozen=True, slots=True)
class Made:
    """A copy as it was made."""

    tally: Tally
    handled: tuple[int, ...] = ()  # by new partition: how many of its first records every stage has handled


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a topic is kept beside its records."""

    partitions: int
    replicas: int
    settings: Mapping[str, str]  # those that were set for this topic, an operator's own among them


class Mover:
    """Makes, fills, proves and deletes topics. Every method blocks; raises BrokersUnreachable, and NotMoved."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._admin = AdminClient({**cluster.client, "log_level": SILENT})

    def shapes(self, topics: Iterable[str]) -> dict[str, Shape]:
        """What is there of these topics."""
        found = self._there(topics)
        asked = [ConfigResource(ResourceType.TOPIC, self._cluster.physical(name)) for name in found]
        own: dict[str, Mapping[str, str]] = {}
        with _refusals("topic settings are not told"):
            for resource, future in self._admin.describe_configs(asked).items() if asked else ():
                entries = future.result(TIMEOUT_S).values()
                set_here = ConfigSource.DYNAMIC_TOPIC_CONFIG.value  # the client gives numbers
                own[self._cluster.logical(resource.name)] = {
                    one.name: one.value for one in entries if one.source == set_here and one.value is not None
                }
        return {
            name: Shape(
                len(topic.partitions), min(len(one.replicas) for one in topic.partitions.values()), own.get(name, {})
            )
            for name, topic in found.items()
        }

    def _there(self, topics: Iterable[str]) -> dict[str, TopicMetadata]:
        with _refusals("topics are not told"):
            there = self._admin.list_topics(timeout=TIMEOUT_S).topics
        return {name: there[physical] for name in topics if (physical := self._cluster.physical(name)) in there}

    def make(self, topic: str, shape: Shape) -> None:
        """Make a topic that keeps everything until it is `finished`."""
        physical = self._cluster.physical(topic)
        new = NewTopic(physical, shape.partitions, shape.replicas, config={**shape.settings, **WHILE_MOVED})
        self._until(
            lambda: self._made(new), f"{physical} is not made"
        )  # one that was deleted a moment ago may still be there
        self._until(lambda: self._known(physical, shape.partitions), f"{physical} was made but is not known")

    def _made(self, new: NewTopic) -> bool:
        (future,) = self._admin.create_topics([new], request_timeout=TIMEOUT_S).values()
        try:
            future.result(TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise NotMoved(f"{new.topic} cannot be made: {error.args[0].str()}") from error
        return True

    def _known(self, physical: str, partitions: int) -> bool:
        try:
            (future,) = self._admin.describe_topics(TopicCollection([physical]), request_timeout=TIMEOUT_S).values()
            described = future.result(TIMEOUT_S)
        except KafkaException:
            return False
        return len(described.partitions) == partitions and all(one.leader for one in described.partitions)

    def finish(self, topic: str, settings: Mapping[str, str]) -> None:
        """Give a topic its settings, now that it holds what it is to hold."""
        gone = WHILE_MOVED.keys() - settings.keys()
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
        ]
        entries += [ConfigEntry(name, None, incremental_operation=AlterConfigOpType.DELETE) for name in sorted(gone)]
        resource = ConfigResource(ResourceType.TOPIC, self._cluster.physical(topic), incremental_configs=entries)
        with _refusals(f"{topic}: its settings are refused"):
            for future in self._admin.incremental_alter_configs([resource]).values():
                future.result(TIMEOUT_S)

    def remove(self, topics: Iterable[str]) -> None:
        """Delete topics that may be gone already, and wait until they are."""
        there = self._there(topics)
        names = [self._cluster.physical(name) for name in there]
        if not names:
            return
        for name, future in self._admin.delete_topics(names, operation_timeout=TIMEOUT_S).items():
            try:
                future.result(TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise NotMoved(f"{name} cannot be deleted: {error.args[0].str()}") from error
        self._until(lambda: not self._there(there), f"{', '.join(names)}: deleted, and still there")

    def fence(self, transactional_ids: Iterable[str]) -> None:
        """End what these producers have under way, and shut them out: a process that was paused writes no more."""
        for name in transactional_ids:
            producer = Producer(transactional_config(self._cluster, name))
            with _refusals(f"{name} is not fenced"):
                producer.init_transactions(TIMEOUT_S)
            producer.purge()

    def ends(self, topics: Mapping[str, int]) -> dict[TopicAndPartition, int]:
        """The ends of topics of so many partitions each, once no transaction is under way in any."""
        places = [(topic, number) for topic, count in topics.items() for number in range(count)]

        def settled() -> bool:
            return self._offsets(places, IsolationLevel.READ_COMMITTED) == self._offsets(
                places, IsolationLevel.READ_UNCOMMITTED
            )

        self._until(settled, "a transaction is still under way", TRANSACTIONS_S)
        return self._offsets(places, IsolationLevel.READ_COMMITTED)

    def _offsets(self, places: Sequence[TopicAndPartition], isolation: IsolationLevel) -> dict[TopicAndPartition, int]:
        asked = {TopicPartition(self._cluster.physical(topic), number): OffsetSpec.latest() for topic, number in places}  # type: ignore[no-untyped-call]
        with _refusals("offsets"):
            answers = self._admin.list_offsets(asked, isolation_level=isolation, request_timeout=TIMEOUT_S)
            told = {(one.topic, one.partition): future.result(TIMEOUT_S).offset for one, future in answers.items()}
        return {(topic, number): told[self._cluster.physical(topic), number] for topic, number in places}

    def spread(
        self, source: str, target: str, shapes: tuple[int, int], handled: Handled, look: Callable[[], object]
    ) -> Made:
        """Copy records to where their keys place them among `shapes[1]` partitions, with their times and headers.

        First those that every stage has handled, then the others, each of which names the stages that have: so one
        offset for each new partition says what is left. Both by time, and in their order in each former partition.
        """
        before, after = shapes
        bounds = {number: min(handled.get(number, {"": 0}).values(), default=0) for number in range(before)}
        staged, tally = _Sending(self._cluster, target), Tally()
        for message in self._merged(source, bounds, first=True, look=look):
            staged.send(_taken(message, before, after, tally), message, list(headers_of(message)))
        done = tuple(tally.counts.get(number, 0) for number in range(after))
        for message in self._merged(source, bounds, first=False, look=look):
            stages = _past(message, handled)
            staged.send(_taken(message, before, after, tally, stages), message, _told(message, stages))
        staged.end()
        return Made(tally, done)

    def spread_newest(self, source: str, target: str, shapes: tuple[int, int], look: Callable[[], object]) -> Made:
        """The same of a compacted topic: the newest record of each key; those that were deleted are left out."""
        before, after = shapes
        staged, tally = _Sending(self._cluster, target), Tally()
        for number in range(before):
            newest: dict[bytes, Message] = {}
            for message in self._read(source, number, 0, look):
                key = message.key() or b""
                newest.pop(key, None)
                if message.value() is not None:
                    newest[key] = message
            for message in newest.values():
                staged.send(_taken(message, before, after, tally), message, list(headers_of(message)))
        staged.end()
        return Made(tally)

    def duplicate(self, source: str, target: str, partitions: int, look: Callable[[], object]) -> Tally:
        """Copy each partition as it is into the one of the same number; returns what was copied."""
        staged, tally = _Sending(self._cluster, target), Tally()
        for number in range(partitions):
            for message in self._read(source, number, 0, look):
                tally.add(number, 0, digest(message))
                staged.send(number, message, list(headers_of(message)))
        staged.end()
        return tally

    def tally(self, topic: str, partitions: int, former: int | None, strays: set[bytes]) -> Tally:
        """What a topic holds now; with `former` its sequences are those of so many former partitions."""
        found = Tally(strays=set(strays))
        for number in range(partitions):
            for message in self._read(topic, number, 0, lambda: None):
                found.add(number, 0 if former is None else placed(message.key(), former), digest(message))
        return found

    def _read(self, topic: str, partition: int, offset: int, look: Callable[[], object]) -> Iterator[Message]:
        return committed_messages(self._cluster, topic, partition, offset, within_s=READ_S, look=look)

    def _merged(
        self, source: str, bounds: Mapping[int, int], *, first: bool, look: Callable[[], object]
    ) -> Iterator[Message]:
        """The records before (first) or behind the bound of each partition, by their time."""

        def side(number: int, bound: int) -> Iterator[Message]:
            if not first:
                return self._read(source, number, bound, look)
            if not bound:
                return iter(())
            found = self._read(source, number, 0, look)
            return takewhile(lambda message: (message.offset() or 0) < bound, found)

        return heapq.merge(*(side(*one) for one in bounds.items()), key=lambda message: message.timestamp()[1])

    def commit(self, offsets: Mapping[str, Mapping[TopicAndPartition, int]]) -> None:
        """Say for each group where it goes on; it has no members. Repeated until the brokers say so too.

        The brokers forget a group's offsets some time after a topic was deleted, and may forget the new ones.
        """
        for group, wanted in offsets.items():
            self._until(partial(self._stands, group, wanted), f"{group}: its place is not kept")

    def _stands(self, group: str, wanted: Mapping[TopicAndPartition, int]) -> bool:
        own = {"group.id": self._cluster.physical(group), "isolation.level": "read_uncommitted"}
        consumer = Consumer({**reader_config(self._cluster), **own})
        places = [TopicPartition(self._cluster.physical(topic), number, at) for (topic, number), at in wanted.items()]
        try:
            with _refusals(f"group {group}"):
                if _as_wanted(consumer.committed(places, timeout=TIMEOUT_S), places):
                    return True
                within(TIMEOUT_S, partial(consumer.commit, offsets=places, asynchronous=False), "commit")
        finally:
            consumer.close()
        return False

    def _until(self, done: Callable[[], bool], otherwise: str, within_s: float = 2 * TIMEOUT_S) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            if time.monotonic() > deadline:
                raise NotMoved(f"{otherwise} after {within_s:.0f} s")
            time.sleep(LOOK_EVERY_S)


class _Sending:
    """Records on their way to one topic; none is lost unseen."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._topic = cluster.physical(topic)
        self._failed: list[str] = []
        own = {"message.max.bytes": MOST_MESSAGE_BYTES, "linger.ms": 20}
        self._producer = Producer({**publisher_config(cluster), **own})

    def send(self, partition: int, original: Message, headers: list[Header]) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=original.key(),
                    value=original.value(),
                    partition=partition,
                    headers=headers,
                    timestamp=max(original.timestamp()[1], 0),
                    on_delivery=self._delivered,
                )
            except BufferError:
                self._producer.poll(0.05)
                continue
            self._producer.poll(0)
            return

    def end(self) -> None:
        left = self._producer.flush(FLUSH_S)
        if left or self._failed:
            raise NotMoved(f"{self._topic}: {left} records were not delivered; {'; '.join(self._failed[:3])}")

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed.append(error.str())


def _taken(message: Message, before: int, after: int, tally: Tally, stages: Iterable[str] = ()) -> int:
    """Count a record that goes into the copy; returns its new partition."""
    key = message.key()
    target, sequence = placed(key, after), placed(key, before)
    headers = _told(message, stages) if stages else list(headers_of(message))
    tally.add(target, sequence, digest(message, headers), stray=sequence != message.partition())
    return target


def _past(message: Message, handled: Handled) -> tuple[str, ...]:
    """The stages that have handled a record which others have not."""
    offset, stages = message.offset() or 0, handled.get(message.partition() or 0, {})
    return tuple(sorted(stage for stage, at in stages.items() if offset < at))


def _told(message: Message, stages: Iterable[str]) -> list[Header]:
    return as_handled(headers_of(message), stages)


def _as_wanted(found: Iterable[TopicPartition], wanted: Iterable[TopicPartition]) -> bool:
    there = {(one.topic, one.partition): one.offset for one in found}
    return all(there.get((one.topic, one.partition)) == one.offset for one in wanted)


class _refusals:
    """What the brokers refuse within, as BrokersUnreachable: may be repeated."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, KafkaException):
            raise BrokersUnreachable(f"{self._what}: {error.args[0].str()}") from error
        if isinstance(error, TimeoutError):
            raise BrokersUnreachable(f"{self._what}: no answer within {TIMEOUT_S:.0f} s") from error
