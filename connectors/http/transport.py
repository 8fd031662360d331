"""The one HTTP client: sends a request as it is, and names each failure by what to do next."""

import asyncio
import logging
import os
import ssl
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import Final

import httpx

from connectors.contract.errors import ConnectorError, Misconfigured, Refused, Transient, UnknownResult
from connectors.contract.sink import OwnershipLost
from connectors.http.addresses import is_address, is_loopback
from connectors.http.inflating import BrokenPacking, inflater_for
from connectors.http.messages import Headers, Request, Response
from connectors.http.skew import ClockSkew

# httpx logs every URL, and a query can hold an email; httpcore logs headers, and one of them is the token
for _talkative in ("httpx", "httpcore"):
    logging.getLogger(_talkative).setLevel(logging.WARNING)

_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_ADDRESS_WRONG = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_UNSENDABLE = (ValueError, OverflowError, ExceptionGroup)
"""What Python raises of a request that fits into no HTTP, such as a token outside ASCII."""

_CODINGS: Final = "gzip"
STOPPED: Final = "the connection is over"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How many connections one transport keeps, and the largest answer it reads, in bytes."""

    connections: int = 20
    answer_bytes: int = 32 * 1024 * 1024


def this_machine_ms() -> int:
    """Milliseconds since 1970 by the clock of this machine."""
    return time.time_ns() // 1_000_000


class HttpTransport:
    """A pool of connections to one base URL; `timeout_s` bounds a whole exchange, whatever trickles in."""

    def __init__(
        self,
        base_url: str,
        timeout_s: float = 10.0,
        limits: HttpLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        proxy_url: str | None = None,
        wall_ms: Callable[[], int] = this_machine_ms,
    ) -> None:
        """`proxy_url` is the only proxy there is, whatever the environment says, and none of this machine's own."""
        self._limits = limits or HttpLimits()
        self._base_url = base_url.rstrip("/")
        self._is_address = is_address(base_url)
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._wall_ms = wall_ms
        self._skew = ClockSkew()
        self._exchanges: set[asyncio.Task[tuple[int, Headers, bytes]]] = set()
        self._stopped = False
        # waiting for a connection, TCP and TLS together end before the deadline: nothing is sent that was given up
        early = timeout_s / 4
        self._client = httpx.AsyncClient(
            verify=_trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
            trust_env=False,
            proxy=None if is_loopback(base_url) else proxy_url,
            cookies=_NoCookies(),
            headers={"Accept-Encoding": _CODINGS},
            timeout=httpx.Timeout(timeout_s, connect=early, pool=early),
            limits=httpx.Limits(max_connections=self._limits.connections),
            follow_redirects=False,
        )

    async def send(self, request: Request) -> Response:
        """The answer whatever its status.

        Raises Transient, UnknownResult (writes only), Misconfigured, Refused for an answer that is too large, and
        OwnershipLost once the transport is stopped.
        """
        if self._stopped:
            raise OwnershipLost(STOPPED)
        if not self._is_address:
            raise Misconfigured("bad_address")
        started = self._monotonic()
        # httpcore loses a connection for ever where it is cancelled at a bad moment (encode/httpcore#830): who waits no
        # longer leaves the exchange to end by itself
        exchange = asyncio.create_task(self._exchange(request))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._timeout_s):
                status, headers, body = await asyncio.shield(exchange)
        except asyncio.CancelledError:
            if exchange.cancelled() and self._stopped:  # else it is whoever waits that was cancelled
                raise OwnershipLost(STOPPED) from None
            raise
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, BrokenPacking, *_UNSENDABLE) as error:
            # the original is dropped on purpose: it holds the request and with it the token
            raise _named(error, request) from None
        elapsed_ms = round((self._monotonic() - started) * 1000)
        response = Response(status, headers, body, elapsed_ms, self._wall_ms())
        self._skew.note(response.ahead_ms)
        return response

    def ahead_ms(self) -> int:
        """By how much the vendor's clock is ahead of ours, where that lasts; else 0."""
        return self._skew.lasting_ms

    def stop(self) -> None:
        """Let nothing leave any more, for the connection is over: no request, and none that waits for a connection.

        Exchanges are cancelled here and nowhere else: the pool that this may spoil is closed next.
        """
        self._stopped = True
        for exchange in self._exchanges:
            exchange.cancel()

    async def aclose(self) -> None:
        """End exchanges that nobody waits for, and close every connection."""
        for exchange in self._exchanges:
            exchange.cancel()
        await asyncio.gather(*self._exchanges, return_exceptions=True)
        await self._client.aclose()

    def _ended(self, exchange: "asyncio.Task[tuple[int, Headers, bytes]]") -> None:
        self._exchanges.discard(exchange)
        if not exchange.cancelled():
            exchange.exception()  # whoever still waits has raised it

    async def _exchange(self, request: Request) -> tuple[int, Headers, bytes]:
        url, until = self._base_url + request.target, asyncio.get_running_loop().time() + self._timeout_s
        async with self._client.stream(request.method, url, headers=request.headers, content=request.body) as answer:
            headers = Headers(answer.headers.multi_items())
            try:
                body = await self._body(answer, until)
            except (Refused, BrokenPacking):
                if answer.is_success or answer.status_code == httpx.codes.NOT_FOUND:
                    raise  # a 404 without a body is an API's: it would pass for an object that is gone
                body = b""  # the status says it all: a proxy's 503 is no refusal however it is packed
            return answer.status_code, headers, body

    async def _body(self, answer: httpx.Response, until: float) -> bytes:
        """The answer's body, unpacked; both as it came and unpacked it has at most the bytes of the limit."""
        inflater, body, came = inflater_for(answer.headers.get("content-encoding", "")), bytearray(), 0
        if inflater is None:
            raise Refused("unknown_coding", status=answer.status_code)
        async for chunk in answer.aiter_raw():
            came += len(chunk)
            for piece in inflater.pieces(chunk):
                body += piece
                self._check(max(came, len(body)), until, answer.status_code)
                await asyncio.sleep(0)  # others' turn: a small chunk may unpack to megabytes
        if not inflater.ended:
            raise BrokenPacking("the answer ends in the middle of its packing")
        return bytes(body)

    def _check(self, size: int, until: float, status: int) -> None:
        if asyncio.get_running_loop().time() > until:
            raise httpx.ReadTimeout("the answer trickles")
        if size > self._limits.answer_bytes:
            raise Refused("answer_too_large", status=status)


@cache
def _trusted(file: str | None, folder: str | None) -> ssl.SSLContext:
    """The certificates of this machine, or those that the environment names; both are no business of a proxy's.

    Read once for all transports: it holds the loop for 30 ms, and forty integrations that open together for a second.
    """
    return httpx.create_ssl_context()


class _NoCookies(CookieJar):
    """Keeps and sends none: no vendor's API needs any, and one outside ASCII raised where nobody expected it."""

    def extract_cookies(self, response: HTTPResponse, request: urllib.request.Request) -> None:
        return

    def add_cookie_header(self, request: urllib.request.Request) -> None:
        return


def _named(error: Exception, request: Request) -> ConnectorError:
    if isinstance(error, _ADDRESS_WRONG):
        return Misconfigured("bad_address")
    if isinstance(error, UnicodeError):
        return Misconfigured("not_ascii")
    if isinstance(error, _UNSENDABLE):
        return Misconfigured("bad_address")
    if isinstance(error, _NOTHING_SENT):
        return Transient("not_connected")
    reason = "timed_out" if isinstance(error, httpx.TimeoutException | TimeoutError) else "connection_lost"
    return UnknownResult(reason) if request.kind == "write" else Transient(reason)
