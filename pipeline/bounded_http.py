"""HTTP/1.1 for strangers: bounds uvicorn's gaps, such as half-sent heads, trickled bodies and idle connections.

uvicorn has no time-out for a head or a body and no bound on idle connections; its protocol class (`Config.http`) is
the documented place to add them.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

VISITOR: Final = "visitor"
"""The key in an ASGI scope's `state` under which an application finds its connection."""

_DUST_PARTS: Final = 64
_DUST_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`head_s` bounds a request's head, `exchange_s` a whole request with its answer, however slowly bytes trickle.

    `unread_s` and `body_bytes` bound the rest of a body that arrives after its answer. Of `connections`, strangers'
    close first; a client that has sent a signed request counts as known, up to `addresses` of them.
    """

    connections: int = 500
    head_s: float = 5.0
    exchange_s: float = 30.0
    unread_s: float = 1.0
    head_bytes: int = 16_384
    body_bytes: int = 64_000_000
    addresses: int = 1_000


class BoundedConfig(uvicorn.Config):
    """uvicorn's settings and our bounds."""

    def __init__(self, app: ASGIApp, limits: ConnectionLimits, **settings: Any) -> None:
        # Any, as uvicorn types its own settings
        super().__init__(app, http=BoundedProtocol, ws="none", backlog=_BACKLOG, **settings)
        self.bounds = limits
        self.open_connections = OpenConnections(limits.connections, limits.addresses)


_BACKLOG: Final = 256
"""asyncio accepts this many at once, before any of them can be closed: they need file descriptors."""


class OpenConnections:
    """The open connections, in the order of closing: strangers, then known addresses, then proven ones.

    Within each group the oldest closes first: a newcomer always gets its time, however many came before.
    """

    def __init__(self, most: int, addresses: int) -> None:
        self._most = most
        self._most_addresses = addresses
        self._strangers: OrderedDict[BoundedProtocol, None] = OrderedDict()
        self._acquainted: OrderedDict[BoundedProtocol, None] = OrderedDict()
        self._proven: OrderedDict[BoundedProtocol, None] = OrderedDict()
        self._addresses: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._ranks()))

    def opened(self, connection: "BoundedProtocol") -> None:
        """Add the newcomer, and close another connection if there is one too many."""
        rank = self._acquainted if connection.address in self._addresses else self._strangers
        rank[connection] = None
        if len(self) > self._most:
            given_up, _ = next(rank for rank in self._ranks() if rank).popitem(last=False)
            given_up.give_up()

    def closed(self, connection: "BoundedProtocol") -> None:
        for rank in self._ranks():
            rank.pop(connection, None)

    def proved(self, connection: "BoundedProtocol") -> None:
        """Mark this connection: it sent a signed request."""
        if connection not in self._strangers and connection not in self._acquainted and connection not in self._proven:
            return  # the connection was closed meanwhile
        self.closed(connection)
        self._proven[connection] = None
        self._addresses[connection.address] = None
        self._addresses.move_to_end(connection.address)
        while len(self._addresses) > self._most_addresses:
            self._addresses.popitem(last=False)

    def knows(self, connection: "BoundedProtocol") -> bool:
        return connection not in self._strangers

    def _ranks(self) -> tuple["OrderedDict[BoundedProtocol, None]", ...]:
        return self._strangers, self._acquainted, self._proven


class BoundedProtocol(H11Protocol):
    """One connection with one deadline: for the awaited head, or for the exchange under way."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, VISITOR: self}, _loop)
        assert isinstance(config, BoundedConfig)
        self._limits = config.bounds
        self._open = config.open_connections
        self._deadline: asyncio.TimerHandle | None = None
        self._idle = False
        self.conn: _BoundedConnection = _BoundedConnection(self._limits)
        self.address = ""

    @property
    def known(self) -> bool:
        """Whether a signed request came from this address before."""
        return self._open.knows(self)

    def prove(self) -> None:
        """Record that this connection just sent a signed request."""
        self._open.proved(self)

    def give_up(self) -> None:
        """Close at once, dropping unsent data."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._end_after(self._limits.head_s)
        self._open.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_after(None)
        self._open.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._idle:
            self._idle = False
            self._end_after(self._limits.head_s)
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and not self.cycle.response_complete:
            self._end_after(self._limits.exchange_s)
        if self.cycle is not None and self.conn.next_came_early:
            # no vendor pipelines requests: a hundred at once would be served before those of others
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        unread = self.conn.their_state is h11.SEND_BODY
        self._idle = not unread
        self._end_after(self._limits.unread_s if unread else self._limits.head_s)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Send nothing after an answer has begun: uvicorn would raise."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def _end_after(self, wait_s: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if wait_s is None else self.loop.call_later(wait_s, self.give_up)


class _BoundedConnection(h11.Connection):
    """h11's own parser, which also refuses shapes that only an attack has."""

    def __init__(self, limits: ConnectionLimits) -> None:
        super().__init__(h11.SERVER, limits.head_bytes)
        self.next_came_early = False
        self._most_bytes = limits.body_bytes
        self._parts = 0
        self._bytes = 0

    def next_event(self) -> Any:
        # Any: h11 gives event objects and marker classes alike
        event = super().next_event()
        self.next_came_early = event is h11.PAUSED
        if isinstance(event, h11.Request):
            self._parts = self._bytes = 0
            _refuse_two_lengths(event)
        elif isinstance(event, h11.Data):
            self._parts += 1
            self._bytes += len(event.data)
            self._refuse_dust()
        return event

    def _refuse_dust(self) -> None:
        """Refuse a body in tiny chunks: chunks of a byte cost a thousand times its size."""
        if self._bytes > self._most_bytes:
            raise h11.RemoteProtocolError("the body is too large")
        if self._parts > _DUST_PARTS and self._bytes < self._parts * _DUST_BYTES:
            raise h11.RemoteProtocolError("the body comes in too small parts")


def _refuse_two_lengths(request: h11.Request) -> None:
    """Refuse two lengths: a proxy in front may believe the other, and pass the rest of the body on as a request."""
    names = {name for name, _ in request.headers}
    if {b"content-length", b"transfer-encoding"} <= names:
        raise h11.RemoteProtocolError("Content-Length and Transfer-Encoding contradict each other")
