"""A small server before a simulator: it passes requests on, and answers some of them as a hostile vendor would."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import unquote

from tests.faults.hostile.answers import KINDS
from tests.faults.hostile.wire import DRIP_BYTES, Asked, Reply, honest

LONGEST_REQUEST: Final = 4 * 1024 * 1024


@dataclass
class HostileVendor:
    """Plays `kinds`, each request with the chance `share`, until it is calmed."""

    app: Any
    kinds: Sequence[str]
    share: float
    rng: Random
    url: str = ""
    played: Counter[str] = field(default_factory=Counter)
    asked_at: list[float] = field(default_factory=list)  # the loop's time of every request
    _calm: bool = False
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    def calm(self) -> None:
        """Answer as the simulator does from now on; answers under way that would never end are cut."""
        self._calm = True
        for connection in self._connections:
            connection.cancel()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["HostileVendor"]:
        """Answer on a port of this machine until the block ends."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=LONGEST_REQUEST)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.calm()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await asyncio.sleep(0)  # aborted connections close their sockets at the loop's next turn

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)

        def ended(task: asyncio.Task[None]) -> None:
            self._connections.discard(task)
            writer.transport.abort()

        connection.add_done_callback(ended)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the connector hung up, as it may

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False where the connection is over."""
        asked = await self._asked(reader)
        made = self._chosen(asked)
        if made.drip_s:
            for start in range(0, len(made.raw), DRIP_BYTES):
                writer.write(made.raw[start : start + DRIP_BYTES])
                await writer.drain()
                await asyncio.sleep(made.drip_s)
        else:
            writer.write(made.raw)
            await writer.drain()
        return not made.reset

    def _chosen(self, asked: Asked) -> Reply:
        if self._calm or self.rng.random() >= self.share:
            return honest(asked)
        kind = self.rng.choice(self.kinds)
        self.played[kind] += 1
        return KINDS[kind](self.rng, asked)

    async def _asked(self, reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        named = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(named.get("content-length", 0)))
        self.asked_at.append(asyncio.get_running_loop().time())
        passed = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
        return await self._simulated(method, target, passed, body)

    async def _simulated(self, method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Asked:
        """The simulator's answer, asked for without a client between: two hundred seeds take their time as it is."""
        path, _, query = target.partition("?")
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": unquote(path), "raw_path": path.encode()}
        await self.app({**scope, "query_string": query.encode(), "headers": headers}, receive, send)
        answered = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent[0]["headers"]}
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Asked(method, target, sent[0]["status"], answered, content)
