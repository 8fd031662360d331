"""The compacted topic behind one partition of an agent's state; the shape `pipeline.agents.state.StateLog` asks for."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable, ConsumerGroup
from connectors.kafka.producer import headers_of
from connectors.kafka.transactions import (
    ANSWERED_WITHIN_S,
    Produced,
    Row,
    TransactionalWriter,
    TransactionFailed,
    read_committed_rows,
)
from schemas.codec import Codec
from schemas.topics import TopicAndPartition

log = logging.getLogger(__name__)

OPEN_AGAIN_S: Final = 0.1


class OutputRecord(Protocol):
    """A record for another topic; `partition` only where it does not follow from the key."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def record(self) -> Any: ...
    @property
    def partition(self) -> int | None: ...


class CompactedStateLog:
    """State rows of one partition, written to the same partition number as the records they come from."""

    def __init__(
        self,
        cluster: Cluster,
        codec: Codec,
        group: ConsumerGroup,
        transactional_id: str,
        topic: str,
        partition: int,
    ) -> None:
        self._cluster = cluster
        self._codec = codec
        self._group = group
        self._transactional_id = transactional_id
        self._topic = topic
        self._partition = partition
        self._writer: TransactionalWriter | None = None
        self._handled: dict[str, int] = {}  # as this log read or committed it last

    def open(self) -> None:
        """Fence every earlier owner. Raises TransactionFailed."""
        self._writer = self._opened(time.monotonic() + ANSWERED_WITHIN_S)

    def handled(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Per topic the offset behind the last record whose effects were committed. Raises BrokersUnreachable."""
        found = self._group.committed((topic, self._partition) for topic in topics)
        self._handled = {topic: offset for (topic, _), offset in found.items()}
        return dict(self._handled)

    def starts(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Per topic the offset of the first record that is still there; of none where no broker answers."""
        try:
            found = self._group.starts((topic, self._partition) for topic in topics)
        except BrokersUnreachable as error:
            log.warning("%s: where its input begins is asked again: %s", self._transactional_id, error)
            return {}
        return {topic: offset for (topic, _), offset in found.items()}

    def restore(self, offset: int) -> Iterator[Row]:
        """Committed rows from an offset to the end."""
        return read_committed_rows(self._cluster, self._topic, self._partition, offset)

    def commit(
        self, outputs: Sequence[OutputRecord], rows: Mapping[str, Any], handled: Mapping[str, int]
    ) -> Mapping[str, bytes | None]:
        """Outputs, rows and where each input topic goes on, in one transaction; returns the rows as they were written.

        Raises TransactionFailed, or Unencodable, nothing committed, for what no message holds.
        """
        if self._writer is None:
            raise RuntimeError(f"{self._topic}[{self._partition}] is not open")
        messages = [self._produced(output) for output in outputs]
        written = {key: None if row is None else self._codec.encode(self._topic, row) for key, row in rows.items()}
        messages += [Produced(self._topic, key, value, self._partition) for key, value in written.items()]
        places = {(topic, self._partition): offset for topic, offset in handled.items()}
        self._write(self._writer, messages, places)
        self._handled |= handled
        return written

    def _write(
        self, writer: TransactionalWriter, messages: list[Produced], places: Mapping[TopicAndPartition, int]
    ) -> None:
        """By a new producer where the present one is of no use, for as long as a transaction may take."""
        until = time.monotonic() + ANSWERED_WITHIN_S
        while True:
            try:
                return writer.write(messages, places)
            except TransactionFailed as error:
                if not error.expired or time.monotonic() > until:
                    raise
                log.warning("%s is given up: %s", self._transactional_id, error)
            writer = self._replaced(until)

    def _produced(self, output: OutputRecord) -> Produced:
        value = self._codec.encode(output.topic, output.record)
        headers = headers_of(output.record, self._cluster)
        return Produced(output.topic, output.key, value, output.partition, headers)

    def _replaced(self, until: float) -> TransactionalWriter:
        """A new producer for one of no use: the brokers forgot it (`transactional.id.expiration.ms`), or it them.

        Opening fences whoever took the partition meanwhile, and ends what the old one began. Offsets that moved on tell
        that somebody did, or that it was committed after all: what is in memory is not what the brokers hold then.
        """
        self.close()
        ours = dict(self._handled)
        writer = self._writer = self._opened(until)
        if self.handled(tuple(ours)) != ours:
            raise TransactionFailed(f"{self._transactional_id} expired, and another process took over", fenced=True)
        log.info("%s was of no use any more: it was opened again", self._transactional_id)
        return writer

    def _opened(self, until: float) -> TransactionalWriter:
        """Again where the new one has forgotten every broker too: a lone one names nobody for a moment."""
        while True:
            try:
                return TransactionalWriter(self._cluster, self._transactional_id, self._group)
            except TransactionFailed as error:
                if not error.expired or time.monotonic() > until:
                    raise
                time.sleep(OPEN_AGAIN_S)

    def decode(self, value: bytes) -> Any:
        return self._codec.decode(self._topic, value)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
