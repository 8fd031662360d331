"""The one HTTP server: uvicorn on a port of this process, inside the loop that already runs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn


class CannotListen(Exception):
    """The address is taken, or none of this machine's."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        why = (error.strerror or str(error)).lower()
        super().__init__(
            f"cannot listen at {host}:{port}: {why}. Fix: end what listens there, or set another port "
            "(PAIRSTREAM_RECEIVER_PORT, PAIRSTREAM_CONSOLE_PORT, PAIRSTREAM_HEALTH_PORT, --port) or "
            "PAIRSTREAM_BIND_HOST, PAIRSTREAM_CONSOLE_BIND_HOST."
        )


@asynccontextmanager
async def serving(config: uvicorn.Config, host: str, port: int) -> AsyncIterator[str]:
    """Answer on `host:port` (0: any free port) until the block ends; yields the base URL without a slash at the end.

    Raises CannotListen.
    """
    with _listener(host, port) as listener:
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]), name=f"serve {host}")
        try:
            await _started(server, task)
            yield _base_url(listener)
        finally:
            server.should_exit = True
            await task


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, _, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise CannotListen(host, port, error) from None
    # asyncio turns Nagle's delay (40 ms an answer) off only for sockets that say they are TCP
    listener = socket.socket(family, socket.SOCK_STREAM, protocol or socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise CannotListen(host, port, error) from None
    return listener


def _base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Leaves the process's signals to whoever runs the loop, and says when it has started."""

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
        await task  # says why, where it knows
        raise RuntimeError("the server did not start")
