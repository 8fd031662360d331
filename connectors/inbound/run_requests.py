"""Full syncs that a connector asks for: what it could not read, or let go, is in the system still."""

import asyncio
from collections.abc import Sequence

from connectors.session.context import IntegrationContext
from connectors.session.letters import Publish
from schemas.runs import RequestedBy, run_request
from schemas.topics import RUNS


async def request_run(
    publish: Publish, integration: str, now_ms: int, by: RequestedBy = "gap", types: Sequence[str] = ()
) -> str:
    """Ask for a full sync; returns its id once the brokers have the request."""
    request = run_request(integration, now_ms, by, types=types)
    await publish(RUNS, request.run_id, request)
    return request.run_id


class OwedRuns:
    """Full syncs for object types of which records were let go while the system was away: one a type and outage."""

    def __init__(self, context: IntegrationContext) -> None:
        self._context = context
        self._asked: set[str] = set()
        self._lock = asyncio.Lock()

    async def owe(self, object_type: str) -> None:
        """Ask for a run of the type; once the brokers have the request, the record may be finished unread."""
        async with self._lock:
            if object_type not in self._asked:
                context = self._context
                types = (f"{context.system}.{object_type}",)
                await request_run(context.send, context.integration, context.now_ms(), types=types)
                self._asked.add(object_type)

    def begin_anew(self) -> None:
        """The system answers again: a run asked for before may miss records that are let go from now on."""
        self._asked.clear()
