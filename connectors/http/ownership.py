"""The last look before a write leaves: whether this process still owns the integration."""

from dataclasses import dataclass

from connectors.contract.sink import MayWrite, OwnershipLost
from connectors.http.messages import Request, Response, Transport


@dataclass(frozen=True, slots=True)
class OwnedTransport:
    """Asks `may_write` when a write is about to leave, after all waiting for its place in the budget.

    `reads_too`: reads are asked for as well, where nothing may leave any more.
    """

    transport: Transport
    may_write: MayWrite
    system: str  # stands in the error
    reads_too: bool = False

    async def send(self, request: Request) -> Response:
        """Send once; raises OwnershipLost where nothing may be written."""
        if (self.reads_too or request.kind == "write") and not self.may_write():
            raise OwnershipLost(self.system)
        return await self.transport.send(request)
