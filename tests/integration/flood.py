"""A flood of hostile requests from a process of its own, on this machine: `python -m tests.integration.flood PORT`.

Prints as JSON how many of each kind were sent and how they ended.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

REQUESTS = 10_000
SECONDS = 60.0
GIVEN_UP_S = 15.0
HOST = "127.0.0.1"


Stranger = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def head(*lines: str, path: str = "/webhooks/hubspot") -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: sync.acme.com", *lines, "", "")).encode()


def garbage_signature() -> list[str]:
    """A signature as HubSpot's look, of this moment, by a secret that nobody has."""
    return [
        "X-HubSpot-Signature-v3: UW2kxmZ6nYwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        f"X-HubSpot-Request-Timestamp: {time.time_ns() // 1_000_000}",
    ]


def with_body(body: bytes, *lines: str, path: str = "/webhooks/hubspot") -> bytes:
    return head(*lines, f"Content-Length: {len(body)}", path=path) + body


ACCOUNTS = b"[" + b",".join(b'{"portalId": %d}' % number for number in range(50_000)) + b"]"
DEEP = b'[{"portalId": 62515},' + b"[" * 900_000
WORDS = b'[{"portalId": 62515, "propertyValue": "' + b"x" * 900_000 + b'"}]'


def whole(make: Callable[[], bytes]) -> Stranger:
    """Sends all of it and reads the answer."""

    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(make())
        await writer.drain()
        await reader.read(65_536)

    return stranger


def held(make: Callable[[], bytes], drop: bytes = b"") -> Stranger:
    """Sends a part, then a little each second, until it is thrown out."""

    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(make())
        closed = asyncio.ensure_future(reader.read(65_536))
        while not closed.done():
            await asyncio.wait({closed}, timeout=1.0)
            if drop and not closed.done():
                writer.write(drop)
        closed.result()

    return stranger


async def gone(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(head("Content-Length: 1000", *garbage_signature()) + b"[")
    writer.transport.abort()


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Asks a hundred times at once and reads nothing."""
    writer.write(b"GET / HTTP/1.1\r\nHost: sync.acme.com\r\n\r\n" * 100)
    await writer.drain()
    await asyncio.sleep(5)


KINDS: dict[str, Stranger] = {
    "unsigned, large": whole(lambda: with_body(WORDS)),
    "signed by nobody, large": whole(lambda: with_body(WORDS, *garbage_signature())),
    "signed by nobody, 50,000 accounts": whole(lambda: with_body(ACCOUNTS, *garbage_signature())),
    "signed by nobody, deep": whole(lambda: with_body(DEEP, *garbage_signature())),
    "too large": whole(lambda: with_body(WORDS * 2, *garbage_signature())),
    "two lengths": whole(lambda: head("Transfer-Encoding: chunked", "Content-Length: 3") + b"0\r\n\r\n"),
    "chunks of a byte": whole(
        lambda: head("Transfer-Encoding: chunked", *garbage_signature()) + b"1\r\n[\r\n" * 30_000
    ),
    "a time of 5,000 digits": whole(lambda: with_body(b"{}", f"Userflow-Signature: t={'1' * 5_000},v1=ab")),
    "a name that is not there": whole(
        lambda: with_body(
            b"{}", f"Userflow-Signature: t={int(time.time())},v1=ab", path=f"/webhooks/userflow/{random.random()}"
        )
    ),
    "no HTTP": whole(lambda: random.randbytes(2_000) + b"\r\n\r\n"),
    "a large head": whole(lambda: head(*(f"X-{number}: {'x' * 90}" for number in range(200)))),
    "half a head": held(lambda: b"POST /webhooks/hubspot HTTP/1.1\r\nHost:"),
    "a head that trickles": held(lambda: b"POST /webhooks/hubspot HTTP/1.1\r\n", b"X-More: 1\r\n"),
    "a body that trickles": held(lambda: head("Content-Length: 900000", *garbage_signature()) + WORDS[:500_000], b"x"),
    "gone at once": gone,
    "deaf": deaf,
}


async def visit(port: int, stranger: Stranger) -> str:
    try:
        async with asyncio.timeout(GIVEN_UP_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                await stranger(reader, writer)
            finally:
                with suppress(OSError):
                    writer.close()
    except TimeoutError:
        return "held longer than the server should have"
    except OSError:
        return "thrown out"
    return "ended"


async def flood(port: int) -> Counter[str]:
    """All of them, evenly over the time; each kind in turn."""
    ends: Counter[str] = Counter()
    visits: set[asyncio.Task[None]] = set()
    started = asyncio.get_running_loop().time()

    async def one(name: str, stranger: Stranger) -> None:
        ends[f"{name}: {await visit(port, stranger)}"] += 1

    kinds = list(KINDS.items())
    for number in range(REQUESTS):
        wait_s = started + number * SECONDS / REQUESTS - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, wait_s))
        task = asyncio.create_task(one(*kinds[number % len(kinds)]))
        visits.add(task)
        task.add_done_callback(visits.discard)
    took_s = asyncio.get_running_loop().time() - started
    await asyncio.gather(*visits)
    ends["seconds"] = round(took_s)
    return ends


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(flood(int(sys.argv[1])))) + "\n")
