"""The compacted topic behind one partition of an agent's state; the shape `pipeline.agents.state.StateLog` asks for."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import ConsumerGroup
from connectors.kafka.producer import headers_of
from connectors.kafka.transactions import Produced, Row, TransactionalWriter, TransactionFailed, read_committed_rows
from schemas.codec import Codec

log = logging.getLogger(__name__)


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
        self._writer = TransactionalWriter(self._cluster, self._transactional_id, self._group)

    def handled(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Per topic the offset behind the last record whose effects were committed. Raises BrokersUnreachable."""
        found = self._group.committed((topic, self._partition) for topic in topics)
        self._handled = {topic: offset for (topic, _), offset in found.items()}
        return dict(self._handled)

    def starts(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Per topic the offset of the first record that is still there. Raises BrokersUnreachable."""
        found = self._group.starts((topic, self._partition) for topic in topics)
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
        try:
            self._writer.write(messages, places)
        except TransactionFailed as error:
            if not error.expired:
                raise
            self._replace_expired().write(messages, places)
        self._handled |= handled
        return written

    def _produced(self, output: OutputRecord) -> Produced:
        value = self._codec.encode(output.topic, output.record)
        headers = headers_of(output.record, self._cluster)
        return Produced(output.topic, output.key, value, output.partition, headers)

    def _replace_expired(self) -> TransactionalWriter:
        """A new producer for an idle one: the brokers forgot it (`transactional.id.expiration.ms`), or it forgot them.

        Opening fences whoever took the partition meanwhile; offsets that moved on tell that somebody did.
        """
        self.close()
        ours = dict(self._handled)
        self._writer = TransactionalWriter(self._cluster, self._transactional_id, self._group)
        if self.handled(tuple(ours)) != ours:
            raise TransactionFailed(f"{self._transactional_id} expired, and another process took over", fenced=True)
        log.info("%s was of no use after a time without work: it was opened again", self._transactional_id)
        return self._writer

    def decode(self, value: bytes) -> Any:
        return self._codec.decode(self._topic, value)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
