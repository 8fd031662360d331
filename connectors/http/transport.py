"""The one place that talks HTTP: carries a request as it is and names what goes wrong on the way."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from connectors.contract.errors import ConnectorError, Misconfigured, Refused, Transient, UnknownResult
from connectors.http.messages import Headers, Request, Response

# httpx logs every URL, and a query can hold an email; httpcore logs headers, and one of them is the token
for _talkative in ("httpx", "httpcore"):
    logging.getLogger(_talkative).setLevel(logging.WARNING)

_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_ADDRESS_WRONG = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How many connections one transport keeps, and the largest answer it reads, in bytes."""

    connections: int = 20
    answer_bytes: int = 32 * 1024 * 1024


class HttpTransport:
    """A pool of connections to one base URL; `timeout_s` bounds a whole exchange, whatever trickles in."""

    def __init__(
        self,
        base_url: str,
        timeout_s: float = 10.0,
        limits: HttpLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or HttpLimits()
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._exchanges: set[asyncio.Task[tuple[int, Headers, bytes]]] = set()
        # waiting for a connection, TCP and TLS together end before the deadline: nothing is sent that was given up
        early = timeout_s / 4
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=early, pool=early),
            limits=httpx.Limits(max_connections=self._limits.connections),
            follow_redirects=False,
        )

    async def send(self, request: Request) -> Response:
        """The answer whatever its status.

        Raises Transient, UnknownResult (writes only), Misconfigured, and Refused for an answer that is too large.
        """
        started = self._monotonic()
        # httpcore loses a connection for ever where it is cancelled at a bad moment (encode/httpcore#830): who waits no
        # longer leaves the exchange to end by itself
        exchange = asyncio.create_task(self._exchange(request))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._timeout_s):
                status, headers, body = await asyncio.shield(exchange)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            # the original is dropped on purpose: it holds the request and with it the token
            raise _named(error, request) from None
        return Response(status, headers, body, round((self._monotonic() - started) * 1000))

    async def aclose(self) -> None:
        """End what nobody waits for, and close every connection."""
        for exchange in self._exchanges:
            exchange.cancel()
        await asyncio.gather(*self._exchanges, return_exceptions=True)
        await self._client.aclose()

    def _ended(self, exchange: "asyncio.Task[tuple[int, Headers, bytes]]") -> None:
        self._exchanges.discard(exchange)
        if not exchange.cancelled():
            exchange.exception()  # told to whoever still waits

    async def _exchange(self, request: Request) -> tuple[int, Headers, bytes]:
        url, until = self._base_url + request.target, asyncio.get_running_loop().time() + self._timeout_s
        async with self._client.stream(request.method, url, headers=request.headers, content=request.body) as answer:
            return answer.status_code, Headers(answer.headers.multi_items()), await self._body(answer, until)

    async def _body(self, answer: httpx.Response, until: float) -> bytes:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if asyncio.get_running_loop().time() > until:
                raise httpx.ReadTimeout("the answer trickles")
            if len(body) > self._limits.answer_bytes:
                raise Refused("answer_too_large", status=answer.status_code)
        return bytes(body)


def _named(error: Exception, request: Request) -> ConnectorError:
    if isinstance(error, _ADDRESS_WRONG):
        return Misconfigured("bad_address")
    if isinstance(error, _NOTHING_SENT):
        return Transient("not_connected")
    reason = "timed_out" if isinstance(error, httpx.TimeoutException | TimeoutError) else "connection_lost"
    return UnknownResult(reason) if request.kind == "write" else Transient(reason)
