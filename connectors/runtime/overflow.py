"""Ends records of an integration that cannot be opened, once more of them wait than memory is kept for.

Patches and events are parked: their pairs are derived again once the integration works. What would have been read is
owed: a full sync of its object type is asked for before the record ends.
"""

from collections.abc import Callable, Sequence
from typing import Any

from connectors.inbound.run_requests import request_run
from connectors.kafka.consumer import Taken
from connectors.outbound.receipts import event_receipt, pair_of, patch_receipt
from connectors.session.letters import Publish
from schemas.records import ConnectorRequest, FieldPatch, Notification, TimelineEvent
from schemas.topics import RECEIPTS
from schemas.values import System


class Overflow:
    """Lets records of one system's integrations go; `crawled` gives the connection and types of an integration."""

    def __init__(
        self,
        system: System,
        publish: Publish,
        now_ms: Callable[[], int],
        crawled: Callable[[str], tuple[int, Sequence[str]]],
    ) -> None:
        self._system = system
        self._publish = publish
        self._now_ms = now_ms
        self._crawled = crawled
        self._owed: set[tuple[str, int, str]] = set()

    async def let_go(self, taken: Taken, record: Any) -> None:
        """End the record; once this returns, the brokers have what brings its content back.

        The parts of a full sync are asked for again by its coordinator.
        """
        match record:
            case FieldPatch():
                await self._publish(RECEIPTS, pair_of(record), patch_receipt(record, "parked", record.fields))
            case TimelineEvent():
                await self._publish(RECEIPTS, pair_of(record), event_receipt(record, self._system, "parked"))
            case Notification():
                connection, object_types = self._crawled(record.integration)
                for object_type in object_types:
                    await self._owe(record.integration, connection, object_type)
            case ConnectorRequest(kind="lookup" | "reread"):
                await self._owe(record.integration, record.connection, record.object_type)
        taken.finished()

    def begin_anew(self, integration: str) -> None:
        """The integration works again: a crawl asked for before may miss what is let go from now on."""
        self._owed = {owed for owed in self._owed if owed[0] != integration}

    async def _owe(self, integration: str, connection: int, object_type: str) -> None:
        owed = (integration, connection, object_type)
        if owed in self._owed:
            return
        await request_run(self._publish, integration, self._now_ms(), types=(f"{self._system}.{object_type}",))
        self._owed.add(owed)
