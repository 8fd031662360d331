"""Limits the strangers' requests that this process holds at once."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from connectors.http.lenient_json import as_whole
from connectors.receiver.ports import WebhookResult
from schemas.topics import MAX_RECORD_BYTES
from schemas.values import System

_ENVELOPE_BYTES: Final = 1_024
"""Space for the integration's name and the record's other fields beside a body."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """`answer_within_s`, body included, stays below HubSpot's 5 s; one record holds `part_bytes` of a body.

    `held_bytes` bounds all bodies together: beyond it the oldest body of a stranger is dropped.
    """

    answer_within_s: float = 4.0
    requests: int = 1_000
    held_bytes: int = 32_000_000
    hubspot_body_bytes: int = 1_000_000
    userflow_body_bytes: int = 1_000_000
    part_bytes: int = MAX_RECORD_BYTES - _ENVELOPE_BYTES

    def body_bytes(self, system: System) -> int:
        """The largest body read of one request."""
        return self.hubspot_body_bytes if system == "hubspot" else self.userflow_body_bytes


class NotAdmitted(Exception):
    """A request refused for its size or for lack of room; `result` says which."""

    def __init__(self, result: WebhookResult) -> None:
        super().__init__(result)
        self.result: WebhookResult = result


class Admission:
    """Counts the open requests and the bytes of their bodies."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._requests = 0
        self._bytes = 0
        self._strangers: OrderedDict[AdmittedRequest, None] = OrderedDict()

    @contextmanager
    def taken(self, known: bool) -> Iterator["AdmittedRequest"]:
        """A place for one request; `known` senders keep theirs under load. Raises NotAdmitted `overloaded`."""
        if self._requests >= self._limits.requests:
            raise NotAdmitted("overloaded")
        place = AdmittedRequest(self)
        self._requests += 1
        if not known:
            self._strangers[place] = None
        try:
            yield place
        finally:
            self._requests -= 1
            self._bytes -= place.held
            self.proved(place)

    def proved(self, place: "AdmittedRequest") -> None:
        """Mark the request's sender as known: the request is no longer dropped for others."""
        self._strangers.pop(place, None)

    def grow(self, place: "AdmittedRequest", size: int) -> None:
        """Reserve bytes, dropping the oldest strangers if none are free.

        Raises NotAdmitted `overloaded`, and reserves nothing, if dropping frees too few.
        """
        while self._bytes + size > self._limits.held_bytes:
            oldest = next(iter(self._strangers), None)
            if oldest is None or oldest is place:
                raise NotAdmitted("overloaded")
            del self._strangers[oldest]
            self._bytes -= oldest.drop()
        self._bytes += size
        place.held += size


class AdmittedRequest:
    """One request's share of the bytes and places."""

    def __init__(self, room: Admission) -> None:
        self._room = room
        self._reading: asyncio.Timeout | None = None
        self._chunks: list[bytes] = []
        self.held = 0
        self.dropped = False

    def drop(self) -> int:
        """Stop reading the request's body and return the number of bytes freed."""
        freed, self.held, self.dropped = self.held, 0, True
        self._chunks.clear()
        if self._reading is not None:
            self._reading.reschedule(asyncio.get_running_loop().time())
        return freed

    def proved(self) -> None:
        """Mark the request's signature as valid."""
        self._room.proved(self)

    async def body(self, request: Request, most: int) -> bytes:
        """The raw body. Raises NotAdmitted `too_large` (before reading on) or `overloaded`."""
        told = as_whole(request.headers.get("content-length"))
        if told is not None and told > most:
            raise NotAdmitted("too_large")
        try:
            async with asyncio.timeout(None) as self._reading:
                async for chunk in self._taken(request, most):
                    self._chunks.append(chunk)
        except TimeoutError:
            raise NotAdmitted("overloaded") from None
        finally:
            self._reading = None
        if self.dropped:
            raise NotAdmitted("overloaded")
        body = b"".join(self._chunks)
        self._chunks.clear()
        return body

    async def _taken(self, request: Request, most: int) -> AsyncIterator[bytes]:
        async for chunk in request.stream():
            if self.held + len(chunk) > most:
                raise NotAdmitted("too_large")
            self._room.grow(self, len(chunk))
            yield chunk
