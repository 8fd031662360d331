"""What the simulators' tests share: a receiver of webhooks, a client without a network, a clock that is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

SAMPLES = Path(__file__).parents[3] / "samples"
DEADLINE_S = 3
RECEIVER_URL = "http://receiver/webhooks"

# vendor JSON
Json = Any


def sample(system: str, name: str) -> Json:
    """A recorded wire sample."""
    return json.loads((SAMPLES / system / f"{name}.json").read_text())


@dataclass(frozen=True)
class Delivered:
    """One webhook request as it arrived."""

    url: str
    headers: httpx.Headers
    raw: bytes

    @property
    def body(self) -> Json:
        """The parsed body."""
        return json.loads(self.raw)


@dataclass
class Receiver:
    """Keeps webhook requests; answers `statuses` in turn, then 204. `hold` keeps every answer back until set."""

    statuses: list[int] = field(default_factory=list)
    hold: asyncio.Event | None = None
    requests: list[Delivered] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        delivered = Delivered(str(request.url), httpx.Headers(scope["headers"]), await request.body())
        self.requests.append(delivered)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self.hold is not None:
            await self.hold.wait()
        self.in_flight -= 1
        status = self.statuses.pop(0) if self.statuses else 204
        await Response(status_code=status)(scope, receive, send)

    @property
    def transport(self) -> httpx.ASGITransport:
        """The way to this receiver."""
        return httpx.ASGITransport(self)

    @property
    def events(self) -> list[Json]:
        """Every event of every request; a single notification counts as one."""
        bodies = [request.body for request in self.requests]
        return [event for body in bodies for event in (body if isinstance(body, list) else [body])]

    async def until(self, events: int) -> list[Json]:
        """The events once there are so many."""
        await eventually(lambda: len(self.events) >= events)
        return self.events


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; TimeoutError at the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        # any condition will do, so there is nothing to wait on
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@asynccontextmanager
async def caller(app: ASGIApp, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app in this process."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers=headers
    ) as client:
        yield client


@dataclass
class ToldTime:
    """Seconds that move only when a test says so."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_ms(self, milliseconds: float) -> None:
        """Move on."""
        self.seconds += milliseconds / 1000


def ids(rows: Sequence[Json]) -> list[str]:
    """The ids of records, sorted."""
    return sorted(str(row["id"]) for row in rows)
