"""Serves a simulator on a real port inside the running process, for tests and for `pairstream simulate`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from connectors.http.server import serving
from connectors.simulation.calls import Json
from connectors.simulation.control import control_routes
from connectors.simulation.gate import Gate
from connectors.simulation.vendor import Simulator

_SHUTDOWN_S = 2


def build_app(vendor: Simulator[Json], routes: list[Route]) -> Gate:
    """The vendor's endpoints and the control API behind the gate; the vendor lives as long as the app."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with vendor:
            yield

    return Gate(vendor, Starlette(routes=[*control_routes(vendor), *routes], lifespan=lifespan))


@asynccontextmanager
async def serve(simulator: Simulator[Json], host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve on `host:port` (0: any free one) until the block ends; yields the base URL without a trailing slash."""
    config = uvicorn.Config(
        simulator.app,
        loop="asyncio",
        lifespan="on",
        log_level="warning",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    async with serving(config, host, port) as url:
        try:
            yield url
        finally:
            simulator.closing.set()
