"""Records that wait for their worker: they came before it, or before the configuration they were made under."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.kafka.consumer import Taken
from schemas.configuration import IntegrationSettings

LATE_S: Final = 5.0  # how far this process's view of the configuration may lag behind a record

Waiting = tuple[Taken, Any]
"""A record as it was taken, and decoded."""


@dataclass(slots=True, eq=False)
class _Queue:
    since: float
    records: list[Waiting] = field(default_factory=list)


class WaitingRecords:
    """The records of each integration that wait, in their order."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._queues: dict[str, _Queue] = {}

    def __contains__(self, integration: str) -> bool:
        return integration in self._queues

    @property
    def integrations(self) -> list[str]:
        return list(self._queues)

    def count(self, integration: str) -> int:
        """How many records of the integration wait."""
        queue = self._queues.get(integration)
        return len(queue.records) if queue is not None else 0

    def add(self, integration: str, taken: Taken, record: Any) -> None:
        self._queue(integration).records.append((taken, record))

    def add_first(self, integration: str, records: Sequence[Waiting]) -> None:
        """Records that a former worker left unfinished go before those that came later."""
        if records:
            self._queue(integration).records[:0] = records

    def forget(self, integration: str) -> None:
        """Another process has the partition: it takes the records again."""
        self._queues.pop(integration, None)

    def release(self, integration: str, handed_over: Callable[[Taken, Any], bool]) -> None:
        """Offer each record in order; those for which `handed_over` says no go on waiting."""
        queue = self._queues.pop(integration, None)
        if queue is None:
            return
        queue.records = [waiting for waiting in queue.records if not handed_over(*waiting)]
        if queue.records:
            self._queues[integration] = queue

    def late(self, integration: str) -> bool:
        """Whether the configuration had time enough to come."""
        queue = self._queues.get(integration)
        return queue is not None and self._late_in_s(queue) <= 0

    def next_late_in_s(self) -> float | None:
        """Seconds until one more integration is late; None where that will not happen."""
        return min((left_s for queue in self._queues.values() if (left_s := self._late_in_s(queue)) > 0), default=None)

    def _late_in_s(self, queue: _Queue) -> float:
        return queue.since + LATE_S - self._monotonic()

    def _queue(self, integration: str) -> _Queue:
        return self._queues.setdefault(integration, _Queue(self._monotonic()))


def is_over(record: Any, settings: IntegrationSettings | None) -> bool:
    """Whether the record was made under a connection that is known to be over."""
    connection = getattr(record, "connection", None)
    if connection is None or settings is None:
        return False
    return bool(connection < settings.connection + (settings.state == "disconnected"))


def is_ahead(record: Any, connection: int) -> bool:
    """Whether the record was made under a later connection than the one that this process has read of."""
    return bool(getattr(record, "connection", 0) > connection)
