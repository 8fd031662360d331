"""Serves a simulator on a real port inside the running process, for tests and for `pairstream simulate`."""

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from connectors.simulation.calls import Json
from connectors.simulation.control import control_routes
from connectors.simulation.gate import Gate
from connectors.simulation.vendor import Simulator

_SHUTDOWN_S = 2


def build_app(vendor: Simulator[Json], routes: list[Route]) -> Gate:
    """The vendor's endpoints and the control API behind the door, with the vendor's life bound to the app's."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with vendor:
            yield

    return Gate(vendor, Starlette(routes=[*control_routes(vendor), *routes], lifespan=lifespan))


@asynccontextmanager
async def serve(simulator: Simulator[Json], host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Answer on `host:port` (0: any free one) until the block ends; yields the base URL without a trailing slash."""
    listener = _listener(host, port)
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
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await _started(server, task)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        simulator.closing.set()
        server.should_exit = True
        await task
        listener.close()


def _listener(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's delay (40 ms an answer) off only for sockets that say they are TCP
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to whoever runs the loop, and says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def _started(server: _Server, task: asyncio.Task[None]) -> None:
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({ready, task}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        # it ended before it was ready: say why
        await task
        raise RuntimeError("the simulator did not start")
