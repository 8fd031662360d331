"""A real socket that answers what a test gives it, and one request sent to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from connectors.http.messages import Request, Response
from connectors.http.transport import HttpLimits, HttpTransport

DATE_MS = 1668499951000  # of OK
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Tue, 15 Nov 2022 08:12:31 GMT\r\nX-Thing: one\r\n\r\n{}"


class Server:
    """Reads one request a connection and answers with what it was given; None hangs, b"" hangs up."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        length = next((int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:")), 0)
        await reader.readexactly(length)
        if self.answer is None:
            await reader.read()
        with contextlib.suppress(ConnectionError):
            writer.write(self.answer or b"")
            await writer.drain()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """The URL that `serve` answers at; every connection is closed and its work over at the end."""
    ended: set[asyncio.Task[Any] | None] = set()

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    listening = await asyncio.start_server(until_closed, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await listening.wait_closed()
        tasks = [task for task in ended if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def served(answer: bytes | None) -> AsyncIterator[Server]:
    server = Server(answer)
    async with listening(server.serve) as server.url:
        yield server


async def sent(url: str, request: Request, timeout_s: float = 5.0, limits: HttpLimits | None = None) -> Response:
    transport = HttpTransport(url, timeout_s, limits)
    try:
        return await transport.send(request)
    finally:
        await transport.aclose()
