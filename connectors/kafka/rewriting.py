"""Rids partitions of some of their records: the others are copied to the end, then all up to there are deleted.

Copies and how far copying has come are one transaction, so a crash costs no record and doubles none; deleting begins
once every group has handled what is deleted.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable, ConsumerGroup
from connectors.kafka.settings import ANY_PARTITION, SILENT, TIMEOUT_S, transactional_config
from connectors.kafka.transactions import committed_messages
from schemas.copies import as_copy

log = logging.getLogger(__name__)

TRANSACTIONAL_ID: Final = "pairstream-eraser"
NUDGE: Final = "compaction"
CHUNK_RECORDS: Final = 1_000  # of one transaction: readers of committed records wait that long
HANDLED_S: Final = 30.0  # how long is waited for the groups; then the partition's turn comes again later
ASK_EVERY_S: Final = 0.5

Verdict = Callable[[str, bytes], bytes | None]
"""(key, value) -> the value to keep, the same or without what is to go; None: the record goes."""


class Stopped(RuntimeError):
    """This process is to end, or another one erases now."""


class Progress(Protocol):
    """Where the progress of one partition is kept."""

    def written(self, until: int, copied: int) -> tuple[str, str, bytes]:
        """(topic, key, value) of a record that says how far copying has come."""

    def ended(self) -> tuple[str, str]:
        """(topic, key) of the record that is deleted at the end."""


@dataclass(frozen=True, slots=True)
class Place:
    """One partition, the groups that handle its records, and whether others may need what it keeps."""

    topic: str
    partition: int
    groups: tuple[str, ...]
    kept: bool  # false: its records are of use until they are handled, so none is copied

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


@dataclass(frozen=True, slots=True)
class Scan:
    """What a partition holds."""

    hits: int  # records that are to go, or to lose something
    until: int  # the offset behind its last record


@dataclass(frozen=True, slots=True)
class _Sent:
    """One message of a transaction: a copy of an original, at its time, or one of our own."""

    topic: str
    key: str | bytes | None
    value: bytes | None
    partition: int = ANY_PARTITION
    original: Message | None = None


class Rewriter:
    """Rewrites partitions, one at a time; opening it fences an earlier one. Every method blocks."""

    def __init__(self, cluster: Cluster, stopped: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._stopped = stopped
        self._admin = AdminClient({**cluster.client, "log_level": SILENT})
        self._groups: dict[str, ConsumerGroup] = {}
        self._producer = Producer(transactional_config(cluster, TRANSACTIONAL_ID))
        self._producer.init_transactions(TIMEOUT_S)

    def scan(self, place: Place, verdict: Verdict) -> Scan:
        """Look through all committed records that the partition has now."""
        hits, until = 0, 0
        for message in self._messages(place, 0):
            hits += _judged(message, verdict) != message.value()
            until = (message.offset() or 0) + 1
        return Scan(hits, until)

    def copy(self, place: Place, start: int, until: int, verdict: Verdict, progress: Progress) -> None:
        """Copy the records in between that stay to the end of the partition; nothing where none is kept."""
        if not place.kept:
            self._commit_chunk(place, [], until, until, progress)
            return
        chunk: list[Message] = []
        for message in self._messages(place, start):
            offset = message.offset() or 0
            if offset >= until:
                break
            chunk.append(message)
            if len(chunk) >= CHUNK_RECORDS:
                self._commit_chunk(place, _staying(chunk, verdict), until, offset + 1, progress)
                chunk = []
        self._commit_chunk(place, _staying(chunk, verdict), until, until, progress)

    def delete(self, place: Place, until: int, progress: Progress) -> bool:
        """Delete the records before an offset, once every group has handled them; False where one has not in time."""
        if not self._handled(place, until):
            return False
        where = TopicPartition(self._cluster.physical(place.topic), place.partition, until)
        for future in self._admin.delete_records([where], request_timeout=TIMEOUT_S).values():
            try:
                future.result(TIMEOUT_S)
            except KafkaException as error:
                # retention took more than that meanwhile
                if error.args[0].code() != KafkaError.OFFSET_OUT_OF_RANGE:
                    raise BrokersUnreachable(f"{place}: {error.args[0].str()}") from error
        topic, key = progress.ended()
        self._transaction([_Sent(topic, key, None)])
        return True

    def nudge(self, topics: Sequence[str], partitions: int) -> None:
        """Write a row that is none to every partition of compacted topics: an idle one would never be compacted."""
        self._transaction([_Sent(topic, NUDGE, None, number) for topic in topics for number in range(partitions)])

    def close(self) -> None:
        self._producer.purge()

    def _handled(self, place: Place, until: int) -> bool:
        deadline = time.monotonic() + HANDLED_S
        where = (place.topic, place.partition)
        while True:
            behind = [name for name in place.groups if self._group(name).committed([where]).get(where, 0) < until]
            if not behind:
                return True
            self._check()
            if time.monotonic() > deadline:
                log.info("%s: %s has not handled offset %d yet", place, ", ".join(behind), until)
                return False
            time.sleep(ASK_EVERY_S)

    def _group(self, name: str) -> ConsumerGroup:
        if name not in self._groups:
            self._groups[name] = ConsumerGroup(self._cluster, name)
        return self._groups[name]

    def _commit_chunk(
        self, place: Place, staying: Sequence[tuple[Message, bytes]], until: int, copied: int, progress: Progress
    ) -> None:
        topic, key, value = progress.written(until, copied)
        copies = [_Sent(place.topic, one.key(), kept, place.partition, one) for one, kept in staying]
        self._transaction([*copies, _Sent(topic, key, value)])

    def _transaction(self, messages: Sequence["_Sent"]) -> None:
        self._check()
        try:
            self._producer.begin_transaction()
            for message in messages:
                self._produce(message)
            self._producer.commit_transaction(TIMEOUT_S)
        except KafkaException as error:
            raise Stopped(error.args[0].str()) from error

    def _produce(self, sent: "_Sent") -> None:
        while True:
            try:
                self._producer.produce(
                    self._cluster.physical(sent.topic),
                    key=sent.key,
                    value=sent.value,
                    partition=sent.partition,
                    headers=[] if sent.original is None else as_copy(sent.original.headers()),
                    timestamp=0 if sent.original is None else max(sent.original.timestamp()[1], 0),
                )
            except BufferError:
                self._producer.poll(0.05)
                continue
            return

    def _messages(self, place: Place, start: int) -> Iterator[Message]:
        """The committed records from an offset to the end that there is now."""
        return committed_messages(
            self._cluster, place.topic, place.partition, start, at_once=CHUNK_RECORDS, look=self._check
        )

    def _check(self) -> None:
        if self._stopped():
            raise Stopped("this process erases no longer")


def _staying(chunk: Sequence[Message], verdict: Verdict) -> list[tuple[Message, bytes]]:
    judged = ((message, _judged(message, verdict)) for message in chunk)
    return [(message, kept) for message, kept in judged if kept is not None]


def _judged(message: Message, verdict: Verdict) -> bytes | None:
    value = message.value()
    return None if value is None else verdict((message.key() or b"").decode(errors="replace"), value)
