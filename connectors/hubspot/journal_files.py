"""Fetches the journal's files from wherever HubSpot puts them: another host, that gets no token of ours."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import urlsplit

from connectors.contract.errors import Misconfigured, Transient
from connectors.http.addresses import is_address, is_loopback
from connectors.http.messages import Request, Response
from connectors.http.transport import HttpLimits, HttpTransport

MOST_FILE_BYTES: Final = 16 * 1024 * 1024
"""HubSpot says 5 MB; what is larger by far is no file of the journal."""
FETCH_S: Final = 30.0
NOT_PUBLIC: Final = "journal_file_not_public"
"""Reason of Misconfigured: the file's address is not of the public internet, or not by https."""


class FileTransport(Protocol):
    """Carries requests to one host of files."""

    async def send(self, request: Request) -> Response: ...

    def stop(self) -> None: ...

    async def aclose(self) -> None: ...


class JournalFiles:
    """The files of one account. `api_url` on this machine is a simulator's, whose files lie on this machine too.

    With `proxy_url` the proxy finds the host, and judges where it lies.
    """

    def __init__(
        self,
        api_url: str,
        proxy_url: str | None = None,
        *,
        opened: Callable[[str, str | None], FileTransport] | None = None,
    ) -> None:
        self._local = is_loopback(api_url)
        self._proxy_url = proxy_url
        self._opened = opened or _opened
        self._transports: dict[str, FileTransport] = {}  # by origin; one at a time
        self._stopped = False

    async def fetch(self, url: str) -> bytes:
        """The file's bytes.

        Raises Transient where it cannot be had now, Refused where it is too large, Misconfigured for such a host.
        """
        parts = urlsplit(url) if is_address(url) else None
        if parts is None:
            raise Misconfigured(NOT_PUBLIC)
        await self._check(url, parts.scheme, parts.hostname or "")
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        # presigned: a token, or the query in another order, would spoil it
        answer = await (await self._transport(f"{parts.scheme}://{parts.netloc}")).send(Request("GET", target))
        if answer.status != 200:
            raise Transient(f"journal_file_http_{answer.status}", status=answer.status)
        return answer.body

    def stop(self) -> None:
        """Fetch nothing any more, for the connection is over; what is under way ends at once."""
        self._stopped = True
        for transport in self._transports.values():
            transport.stop()

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    async def _transport(self, origin: str) -> FileTransport:
        if origin not in self._transports:
            await self.aclose()
            self._transports[origin] = opened = self._opened(origin, self._proxy_url)
            if self._stopped:
                opened.stop()
        return self._transports[origin]

    async def _check(self, url: str, scheme: str, host: str) -> None:
        """Refuse an address by which an answer of HubSpot's could make us ask a neighbour of this machine."""
        if self._local:
            if not is_loopback(url):
                raise Misconfigured(NOT_PUBLIC)
            return
        if scheme != "https" or is_loopback(url) or _is_number_of_private_network(host):
            raise Misconfigured(NOT_PUBLIC)
        if self._proxy_url is None and any(map(_is_number_of_private_network, await _numbers(host))):
            raise Misconfigured(NOT_PUBLIC)


async def _numbers(host: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError:
        raise Transient("not_connected") from None
    return [str(address[0]) for *_, address in found]


def _is_number_of_private_network(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return False


def _opened(origin: str, proxy_url: str | None) -> FileTransport:
    limits = HttpLimits(connections=1, answer_bytes=MOST_FILE_BYTES)
    return HttpTransport(origin, FETCH_S, limits, proxy_url=proxy_url)
