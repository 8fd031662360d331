"""The HTTP shell, against a real socket that answers by script."""

import asyncio
import contextlib
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import Mock

import httpx
import hypothesis
import hypothesis.strategies as st
import pytest

from connectors.contract.errors import ConnectorError, Misconfigured, Refused, Transient, UnknownResult
from connectors.contract.sink import OwnershipLost
from connectors.http.answers import retry_after_s
from connectors.http.inflating import PIECE_BYTES, Gzip
from connectors.http.messages import Headers, Request, Response, json_request
from connectors.http.skew import ClockSkew
from connectors.http.transport import HttpLimits, HttpTransport

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
async def _listening(serve: Serve) -> AsyncIterator[str]:
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
async def _server(answer: bytes | None) -> AsyncIterator[Server]:
    server = Server(answer)
    async with _listening(server.serve) as server.url:
        yield server


async def _sent(url: str, request: Request, timeout_s: float = 5.0, limits: HttpLimits | None = None) -> Response:
    transport = HttpTransport(url, timeout_s, limits)
    try:
        return await transport.send(request)
    finally:
        await transport.aclose()


ELSEWHERE = "http://192.0.2.1:9"  # of the range that is for documentation: nobody is there
READ = Request("GET", "/users/a%2Fb%40c", (("email", "a+b@example.com"),))
WRITE = json_request("POST", "/users", {"id": "1"}, "write")


async def test_an_answer_comes_back_as_it_was_sent() -> None:
    async with _server(OK) as server:
        response = await _sent(server.url, READ.with_header("Authorization", "Bearer t"))
    assert (response.status, response.body, response.headers["x-THING"]) == (200, b"{}", "one")
    assert server.heads[0].startswith("GET /users/a%2Fb%40c?email=a%2Bb%40example.com HTTP/1.1\r\n")
    assert "authorization: bearer t" in server.heads[0].lower()


async def test_an_observation_spans_the_round_trip_and_the_second_of_the_date() -> None:
    times = iter([10.0, 10.25])
    async with _server(OK) as server:
        transport = HttpTransport(server.url, monotonic=lambda: next(times), wall_ms=lambda: DATE_MS)
        response = await transport.send(READ)
        await transport.aclose()
    assert response.observed is not None
    assert (response.observed.earliest_ms, response.observed.latest_ms) == (1668499950750, 1668499951999)


DAY_MS = 24 * 3_600_000
DATE_MS = 1668499951000  # of OK


@pytest.mark.parametrize("ahead_ms", [-DAY_MS - 1, DAY_MS + 1, 8_000 * 365 * DAY_MS])
def test_a_date_beyond_a_day_of_our_clock_is_none(ahead_ms: int) -> None:
    headers = Headers([("Date", "Tue, 15 Nov 2022 08:12:31 GMT")])
    assert Response(200, headers, received_ms=DATE_MS - ahead_ms).observed is None
    assert Response(200, headers, received_ms=DATE_MS - (DAY_MS if ahead_ms > 0 else -DAY_MS)).observed is not None


def test_a_time_that_an_answer_tells_is_believed_up_to_a_day_ahead_and_however_old() -> None:
    response = Response(200, received_ms=DATE_MS)
    assert response.believed(0) == 0
    assert response.believed(DATE_MS + DAY_MS) == DATE_MS + DAY_MS
    assert response.believed(DATE_MS + DAY_MS + 1) is None
    assert response.believed(None) is None


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        ([], 0),
        ([600_000] * 4, 0),
        ([600_000] * 5, 600_000),
        ([-900_100, -600_000, -700_000, -700_000, -700_000], -600_000),
        ([600_000, 600_000, 0, 600_000, 600_000], 0),
        ([600_000, -600_000, 600_000, 600_000, 600_000], 0),
        ([200_000] * 9, 0),
        ([0, *[90_000_000] * 5], 90_000_000),
    ],
)
def test_a_skew_is_told_where_it_lasts(ahead: list[int], told: int) -> None:
    skew = ClockSkew()
    for one in ahead:
        skew.note(one)
        skew.note(None)
    assert skew.lasting_ms == told


async def test_a_transport_tells_the_skew_of_its_answers() -> None:
    async with _server(OK.replace(b"X-Thing", b"Connection: close\r\nX-Thing")) as server:
        transport = HttpTransport(server.url, wall_ms=lambda: DATE_MS - 3_600_000)
        for _ in range(5):
            assert transport.ahead_ms() == 0
            await transport.send(READ)
        assert transport.ahead_ms() == 3_600_000
        await transport.aclose()


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Tue, 99 Nov 2022",
        "Thu, 26 Nov 10000 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -9999",
        "Thu, 01 Jan 1900 00:00:00 GMT",
        "1" * 5_000,
        f"Thu, 26 Nov {'9' * 400} 00:00:00 GMT",
    ],
)
def test_no_observation_without_a_usable_date(date: str) -> None:

    assert Response(200, Headers([("Date", date)])).observed is None


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async with _server(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as server:
        assert (await _sent(server.url, READ)).status == 302
        assert len(server.heads) == 1


@pytest.mark.parametrize(
    ("answer", "request_", "kind", "reason"),
    [
        (None, READ, Transient, "timed_out"),
        (None, WRITE, UnknownResult, "timed_out"),
        (b"", READ, Transient, "connection_lost"),
        (b"", WRITE, UnknownResult, "connection_lost"),
        (OK[:-1], READ, Transient, "connection_lost"),
        (OK[:-1], WRITE, UnknownResult, "connection_lost"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", WRITE, UnknownResult, "connection_lost"),
    ],
)
async def test_a_lost_answer_is_named_by_what_it_leaves_open(
    answer: bytes | None, request_: Request, kind: type[ConnectorError], reason: str
) -> None:
    # a quarter of it is for connecting: a busy machine takes longer than one would think
    timeout_s = 1.5 if answer is None else 10.0
    async with _server(answer) as server:
        with pytest.raises(ConnectorError) as caught:
            await _sent(server.url, request_, timeout_s)
    assert (type(caught.value), caught.value.reason) == (kind, reason)


async def test_a_write_that_found_nobody_listening_was_not_done() -> None:
    async with _server(OK) as server:
        url = server.url
    with pytest.raises(Transient) as caught:
        await _sent(url, WRITE)
    assert caught.value.reason == "not_connected"


@hypothesis.given(st.text(max_size=80) | st.from_regex(r"\w{3}, \d+ Nov \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_no_date_whatsoever_raises(date: str) -> None:
    observed = Response(200, Headers([("Date", date)])).observed
    assert observed is None or 0 <= observed.latest_ms <= 253_402_300_799_999


@pytest.mark.parametrize(
    ("told", "wait_s"), [("3", 3.0), ("-3", 0.0), ("9" * 400, None), ("9" * 5_000, None), ("x", None)]
)
def test_a_wait_is_one_that_a_clock_can_count(told: str, wait_s: float | None) -> None:
    assert retry_after_s(Response(429, Headers([("Retry-After", told)]))) == wait_s


@pytest.mark.parametrize(
    "url", ["ftp://example.com", "http://[::1", "http://[x", "api.example.com", "http://127.0.0.1:99999"]
)
async def test_a_bad_address_is_a_setting_to_change(url: str) -> None:
    with pytest.raises(Misconfigured):
        await _sent(url, READ)


async def test_an_answer_beyond_the_limit_is_refused() -> None:
    body = b"x" * 2_000
    async with _server(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + body) as server:
        with pytest.raises(Refused) as caught:
            await _sent(server.url, READ, limits=HttpLimits(answer_bytes=1_000))
    assert caught.value.reason == "answer_too_large"


def packed(body: bytes, coding: str = "gzip") -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
        % (
            coding.encode(),
            len(body),
        )
        + body
    )


async def test_a_packed_answer_is_unpacked() -> None:
    async with _server(packed(gzip.compress(b"{}" * 300_000))) as server:
        assert (await _sent(server.url, READ)).body == b"{}" * 300_000
    assert "accept-encoding: gzip\r\n" in server.heads[0].lower()


async def test_an_answer_is_bounded_while_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """2.5 KB became 4 GB in memory before anybody looked at the size."""
    unpacked = list[int]()

    class Counting(Gzip):
        def pieces(self, chunk: bytes) -> Iterator[bytes]:
            for piece in super().pieces(chunk):
                unpacked.append(len(piece))
                yield piece

    monkeypatch.setattr("connectors.http.inflating.Gzip", Counting)
    bomb = gzip.compress(b"0" * 50_000_000)
    async with _server(packed(bomb)) as server:
        with pytest.raises(Refused) as caught:
            await _sent(server.url, READ, limits=HttpLimits(answer_bytes=1_000_000))
    assert caught.value.reason == "answer_too_large"
    assert sum(unpacked) <= 1_000_000 + PIECE_BYTES


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "gzip, identity"])
async def test_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    async with _server(packed(gzip.compress(b"{}"), coding)) as server:
        with pytest.raises(Refused) as caught:
            await _sent(server.url, READ)
    assert caught.value.reason == "unknown_coding"


@pytest.mark.parametrize("body", [gzip.compress(b"{}" * 1_000)[:-12], b"no gzip"], ids=["cut off", "no gzip"])
async def test_a_broken_packing_is_a_lost_answer(body: bytes) -> None:
    async with _server(packed(body)) as server:
        with pytest.raises(UnknownResult) as caught:
            await _sent(server.url, WRITE)
    assert caught.value.reason == "connection_lost"


@hypothesis.given(st.binary(max_size=3_000), st.integers(1, 700))
def test_unpacking_gives_back_what_was_packed_however_it_is_cut(body: bytes, size: int) -> None:
    stream, whole = gzip.compress(body), Gzip()
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert b"".join(piece for chunk in chunks for piece in whole.pieces(chunk)) == body
    assert whole.ended


async def test_no_cookie_is_kept_nor_read() -> None:
    """One outside ASCII ended the connector."""
    answer = OK.replace(b"X-Thing", "Set-Cookie: a=ä; Path=/\r\nSet-Cookie: b=1\r\nX-Thing".encode())
    async with _server(answer) as server:
        transport = HttpTransport(server.url)
        for _ in range(2):
            assert (await transport.send(READ)).status == 200
        await transport.aclose()
    assert "cookie" not in server.heads[1].lower()


async def test_a_token_outside_ascii_is_a_setting_to_change() -> None:
    async with _server(OK) as server:
        with pytest.raises(Misconfigured) as caught:
            await _sent(server.url, READ.with_header("Authorization", "Bearer “pat-1”"))
    assert caught.value.reason == "not_ascii"


async def test_a_proxy_of_the_environment_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _server(b"HTTP/1.1 502 Proxied\r\nContent-Length: 0\r\n\r\n") as proxy, _server(OK) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await _sent(server.url, READ)).status == 200
        with pytest.raises(Transient):
            await _sent(ELSEWHERE, READ, timeout_s=0.2)
    assert proxy.heads == []


async def test_a_proxy_that_a_setting_names_is_used_but_for_this_machine() -> None:
    async with _server(b"HTTP/1.1 502 Proxied\r\nContent-Length: 0\r\n\r\n") as proxy, _server(OK) as server:
        statuses = []
        for url in (server.url, server.url.replace("127.0.0.1", "localhost"), ELSEWHERE):
            transport = HttpTransport(url, proxy_url=proxy.url)
            statuses.append((await transport.send(READ)).status)
            await transport.aclose()
    assert statuses == [200, 200, 502]
    assert len(proxy.heads) == 1


async def test_a_trickling_answer_ends_with_the_timeout() -> None:
    async with _trickling() as url:
        with pytest.raises(Transient):
            await _sent(url, READ, timeout_s=0.4)


async def test_a_call_that_is_cancelled_cuts_no_exchange_and_its_connection_serves_the_next() -> None:
    begun, may_answer, cut = asyncio.Event(), asyncio.Event(), list[str]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            begun.set()
            await may_answer.wait()
            if reader.at_eof():
                cut.append("the caller hung up")
            writer.write(OK)

    async with _listening(serve) as url:
        transport = HttpTransport(url, 5.0, HttpLimits(connections=1))
        call = asyncio.create_task(transport.send(WRITE))
        await begun.wait()
        call.cancel()
        await asyncio.wait({call})
        following = asyncio.create_task(transport.send(READ))
        await asyncio.sleep(0)
        may_answer.set()

        assert (await following).status == 200
        assert (call.cancelled(), cut) == (True, [])
        await transport.aclose()


async def test_neither_urls_nor_headers_nor_tokens_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with _server(OK) as server:
        await _sent(server.url, READ.with_header("Authorization", "Bearer secret-token"))
    assert "example.com" not in caplog.text
    assert "secret-token" not in caplog.text


async def test_an_error_does_not_carry_the_request_it_came_from() -> None:
    async with _server(b"") as server:
        with pytest.raises(UnknownResult) as caught:
            await _sent(server.url, WRITE.with_header("Authorization", "Bearer secret-token"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_request_shows_neither_query_nor_headers_nor_body() -> None:
    request = json_request("POST", "/users", {"name": "Ann"}).with_header("Authorization", "Bearer secret-token")
    assert "Ann" not in repr(request)
    assert "secret-token" not in repr(request)
    assert "a+b@example.com" not in repr(READ)


@asynccontextmanager
async def _trickling() -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            for _ in range(1_000):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)

    async with _listening(serve) as url:
        yield url


def test_certificates_are_read_once_for_all_transports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading holds the loop for 30 ms: integrations that open together would hold it for seconds."""
    reading = Mock(return_value=httpx.create_ssl_context())
    monkeypatch.setattr(httpx, "create_ssl_context", reading)

    for account in range(3):
        HttpTransport(f"https://{account}.example")

    assert reading.call_count <= 1


async def test_nothing_leaves_a_transport_that_is_stopped() -> None:
    """Neither a new request nor one that waited for a connection, though another one hangs."""
    server = Server(None)
    async with _listening(server.serve) as url:
        transport = HttpTransport(url, limits=HttpLimits(connections=1))
        hangs = asyncio.create_task(transport.send(Request("GET", "/hangs")))
        while not server.heads:  # noqa: ASYNC110 - a script of bytes tells of nothing
            await asyncio.sleep(0.01)
        waits = asyncio.create_task(transport.send(Request("GET", "/waits")))
        await asyncio.sleep(0)
        transport.stop()
        for task in (hangs, waits, asyncio.create_task(transport.send(Request("GET", "/late")))):
            with pytest.raises(OwnershipLost):
                await task
        await transport.aclose()
    assert len(server.heads) == 1
