"""The HTTP shell, against a real socket that answers by script."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import Mock

import httpx
import pytest

from connectors.contract.errors import ConnectorError, Misconfigured, Refused, Transient, UnknownResult
from connectors.contract.sink import OwnershipLost
from connectors.http.messages import Request, json_request
from connectors.http.transport import HttpLimits, HttpTransport
from tests.unit.connectors.http.listening import DATE_MS, OK, Server, listening, sent, served

ELSEWHERE = "http://192.0.2.1:9"  # of the range that is for documentation: nobody is there
READ = Request("GET", "/users/a%2Fb%40c", (("email", "a+b@example.com"),))
WRITE = json_request("POST", "/users", {"id": "1"}, "write")


async def test_an_answer_comes_back_as_it_was_sent() -> None:
    async with served(OK) as server:
        response = await sent(server.url, READ.with_header("Authorization", "Bearer t"))
    assert (response.status, response.body, response.headers["x-THING"]) == (200, b"{}", "one")
    assert server.heads[0].startswith("GET /users/a%2Fb%40c?email=a%2Bb%40example.com HTTP/1.1\r\n")
    assert "authorization: bearer t" in server.heads[0].lower()


async def test_an_observation_spans_the_round_trip_and_the_second_of_the_date() -> None:
    times = iter([10.0, 10.25])
    async with served(OK) as server:
        transport = HttpTransport(server.url, monotonic=lambda: next(times), wall_ms=lambda: DATE_MS)
        response = await transport.send(READ)
        await transport.aclose()
    assert response.observed is not None
    assert (response.observed.earliest_ms, response.observed.latest_ms) == (1668499950750, 1668499951999)


async def test_a_transport_tells_the_skew_of_its_answers() -> None:
    async with served(OK.replace(b"X-Thing", b"Connection: close\r\nX-Thing")) as server:
        transport = HttpTransport(server.url, wall_ms=lambda: DATE_MS - 3_600_000)
        for _ in range(5):
            assert transport.ahead_ms() == 0
            await transport.send(READ)
        assert transport.ahead_ms() == 3_600_000
        await transport.aclose()


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async with served(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as server:
        assert (await sent(server.url, READ)).status == 302
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
    async with served(answer) as server:
        with pytest.raises(ConnectorError) as caught:
            await sent(server.url, request_, timeout_s)
    assert (type(caught.value), caught.value.reason) == (kind, reason)


async def test_a_write_that_found_nobody_listening_was_not_done() -> None:
    async with served(OK) as server:
        url = server.url
    with pytest.raises(Transient) as caught:
        await sent(url, WRITE)
    assert caught.value.reason == "not_connected"


@pytest.mark.parametrize(
    "url", ["ftp://example.com", "http://[::1", "http://[x", "api.example.com", "http://127.0.0.1:99999"]
)
async def test_a_bad_address_is_a_setting_to_change(url: str) -> None:
    with pytest.raises(Misconfigured):
        await sent(url, READ)


async def test_an_answer_beyond_the_limit_is_refused() -> None:
    body = b"x" * 2_000
    async with served(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + body) as server:
        with pytest.raises(Refused) as caught:
            await sent(server.url, READ, limits=HttpLimits(answer_bytes=1_000))
    assert caught.value.reason == "answer_too_large"


async def test_no_cookie_is_kept_nor_read() -> None:
    """One outside ASCII ended the connector."""
    answer = OK.replace(b"X-Thing", "Set-Cookie: a=ä; Path=/\r\nSet-Cookie: b=1\r\nX-Thing".encode())
    async with served(answer) as server:
        transport = HttpTransport(server.url)
        for _ in range(2):
            assert (await transport.send(READ)).status == 200
        await transport.aclose()
    assert "cookie" not in server.heads[1].lower()


async def test_a_token_outside_ascii_is_a_setting_to_change() -> None:
    async with served(OK) as server:
        with pytest.raises(Misconfigured) as caught:
            await sent(server.url, READ.with_header("Authorization", "Bearer “pat-1”"))
    assert caught.value.reason == "not_ascii"


async def test_a_proxy_of_the_environment_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(b"HTTP/1.1 502 Proxied\r\nContent-Length: 0\r\n\r\n") as proxy, served(OK) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await sent(server.url, READ)).status == 200
        with pytest.raises(Transient):
            await sent(ELSEWHERE, READ, timeout_s=0.2)
    assert proxy.heads == []


async def test_a_proxy_that_a_setting_names_is_used_but_for_this_machine() -> None:
    async with served(b"HTTP/1.1 502 Proxied\r\nContent-Length: 0\r\n\r\n") as proxy, served(OK) as server:
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
            await sent(url, READ, timeout_s=0.4)


async def test_a_call_that_is_cancelled_cuts_no_exchange_and_its_connection_serves_the_next() -> None:
    begun, may_answer, cut = asyncio.Event(), asyncio.Event(), list[str]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            begun.set()
            await may_answer.wait()
            if reader.at_eof():
                cut.append("the caller hung up")
            writer.write(OK)

    async with listening(serve) as url:
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
    async with served(OK) as server:
        await sent(server.url, READ.with_header("Authorization", "Bearer secret-token"))
    assert "example.com" not in caplog.text
    assert "secret-token" not in caplog.text


async def test_an_error_does_not_carry_the_request_it_came_from() -> None:
    async with served(b"") as server:
        with pytest.raises(UnknownResult) as caught:
            await sent(server.url, WRITE.with_header("Authorization", "Bearer secret-token"))
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

    async with listening(serve) as url:
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
    async with listening(server.serve) as url:
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
