"""What strangers can do to a server is bounded: each test is a kind of request that tied one up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from starlette.types import Receive, Scope, Send

from pipeline.bounded_http import VISITOR, BoundedProtocol, ConnectionLimits
from pipeline.serving import serve

DEADLINE_S = 5.0
NEVER_S = 60.0
PATIENT = ConnectionLimits(head_s=NEVER_S, exchange_s=NEVER_S, unread_s=NEVER_S)
HEAD = b"POST / HTTP/1.1\r\nHost: sync.acme.com\r\n"


@dataclass
class Echo:
    """Answers with the length of the body; proves a request that says so, and keeps one waiting that says so."""

    bodies: list[bytes] = field(default_factory=list)
    known: list[bool] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        body = b"" if b"x-early" in headers else await _read(receive)
        visitor: BoundedProtocol = scope["state"][VISITOR]
        self.known.append(visitor.known)
        if b"x-signed" in headers:
            visitor.prove()
        self.bodies.append(body)
        answer = b"%d" % len(body)
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]}
        )
        await send({"type": "http.response.body", "body": answer})


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message.get("more_body", False)
        body += message.get("body", b"")
    return body


@dataclass
class Visit:
    """One connection of a client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            return head + await self.reader.readexactly(int(lengths[0].split(b":")[1]))

    async def is_closed(self) -> bool:
        """Wait until the server has closed it."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return True


@asynccontextmanager
async def served(limits: ConnectionLimits) -> AsyncIterator[tuple[Echo, Callable[[], Awaitable[Visit]]]]:
    echo, visits = Echo(), list[Visit]()
    async with serve(echo, "127.0.0.1", 0, limits) as url:
        port = int(url.rpartition(":")[2])

        async def visit() -> Visit:
            visits.append(Visit(*await asyncio.open_connection("127.0.0.1", port)))
            return visits[-1]

        try:
            yield echo, visit
        finally:
            for one in visits:
                one.writer.close()


HALF_SENT = {
    "nothing at all": b"",
    "half a head": b"POST / HTTP/1.1\r\nHost:",
    "half a second head": HEAD + b"Content-Length: 0\r\n\r\n" + b"POST / HTT",
}


@pytest.mark.parametrize("sent", HALF_SENT.values(), ids=HALF_SENT)
async def test_a_head_that_does_not_end_is_not_waited_for(sent: bytes) -> None:
    async with served(ConnectionLimits(head_s=0.05, exchange_s=NEVER_S)) as (_, visit):
        stranger = await visit()
        await stranger.say(sent)

        assert await stranger.is_closed()


async def test_a_head_that_trickles_has_the_same_deadline() -> None:
    async with served(ConnectionLimits(head_s=0.2, exchange_s=NEVER_S)) as (_, visit):
        stranger = await visit()

        async def trickle() -> None:
            await stranger.say(b"POST / HTTP/1.1\r\n")
            while True:
                await stranger.say(b"A: b\r\n")
                await asyncio.sleep(0.01)

        trickling = asyncio.ensure_future(trickle())
        try:
            assert await stranger.is_closed()
        finally:
            trickling.cancel()
            await asyncio.gather(trickling, return_exceptions=True)


async def test_an_exchange_that_does_not_end_is_not_waited_for() -> None:
    async with served(ConnectionLimits(head_s=NEVER_S, exchange_s=0.05)) as (_, visit):
        stranger = await visit()
        await stranger.say(HEAD + b"Content-Length: 100\r\n\r\nx")

        assert await stranger.is_closed()


async def test_a_body_that_goes_on_after_its_answer_is_not_read_for_ever() -> None:
    async with served(ConnectionLimits(head_s=NEVER_S, exchange_s=NEVER_S, unread_s=0.05)) as (_, visit):
        stranger = await visit()
        await stranger.say(HEAD + b"X-Early: 1\r\nContent-Length: 100\r\n\r\nx")

        assert (await stranger.answer()).startswith(b"HTTP/1.1 200")
        assert await stranger.is_closed()


async def test_the_rest_of_a_body_after_its_answer_spoils_nothing() -> None:
    async with served(PATIENT) as (echo, visit):
        stranger = await visit()
        await stranger.say(HEAD + b"X-Early: 1\r\nContent-Length: 100\r\n\r\nx")
        await stranger.answer()
        await stranger.say(b"x" * 99 + HEAD + b"Content-Length: 3\r\n\r\nabc")

        assert (await stranger.answer()).endswith(b"3")
        assert echo.bodies == [b"", b"abc"]


REFUSED = {
    "two lengths": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a body in chunks of a byte": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1_000,
    "a head of 20 KB": HEAD + b"A: " + b"x" * 20_000,
    "no HTTP": b"\x16\x03\x01\x00\xff\r\n\r\n",
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
async def test_what_only_an_attack_looks_like_is_refused(sent: bytes) -> None:
    async with served(PATIENT) as (echo, visit):
        stranger = await visit()
        await stranger.say(sent)

        assert (await stranger.reader.readline()).startswith(b"HTTP/1.1 4")
        assert await stranger.is_closed()
        assert b"abc" not in echo.bodies


async def test_requests_before_the_answer_to_the_last_are_not_served() -> None:
    """A hundred at once kept everybody else waiting for as long."""
    async with served(PATIENT) as (echo, visit):
        stranger = await visit()
        await stranger.say((HEAD + b"Content-Length: 0\r\n\r\n") * 100)

        assert await stranger.is_closed()
        assert len(echo.bodies) == 1


async def test_a_body_of_many_real_chunks_is_taken() -> None:
    async with served(PATIENT) as (_, visit):
        sender = await visit()
        await sender.say(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n%s\r\n" % (b"x" * 1024) * 900 + b"0\r\n\r\n"
        )

        assert (await sender.answer()).endswith(b"921600")


async def test_broken_bytes_after_an_answer_end_the_connection_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # uvicorn tried to answer a second time, which h11 refuses with an exception in the event loop
    async with served(PATIENT) as (_, visit):
        stranger = await visit()
        await stranger.say(HEAD + b"X-Early: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
        await stranger.answer()
        await stranger.say(b"zzz\r\n")

        assert await stranger.is_closed()
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_the_oldest_stranger_makes_room_for_the_newest() -> None:
    async with served(ConnectionLimits(connections=2, head_s=NEVER_S)) as (_, visit):
        first, second = await visit(), await visit()
        await second.say(b"POST")
        third = await visit()

        assert await first.is_closed()
        await third.say(HEAD + b"Content-Length: 0\r\n\r\n")
        assert (await third.answer()).endswith(b"0")


async def test_who_sent_something_signed_is_closed_last() -> None:
    async with served(ConnectionLimits(connections=2, head_s=NEVER_S)) as (echo, visit):
        vendor = await visit()
        await vendor.say(HEAD + b"X-Signed: 1\r\nContent-Length: 0\r\n\r\n")
        await vendor.answer()

        idle = await visit()
        newest = await visit()

        assert await idle.is_closed()
        for one in (vendor, newest):
            await one.say(HEAD + b"Content-Length: 0\r\n\r\n")
            await one.answer()
        # of the same address, so it is known as well
        assert echo.known == [False, True, True]
