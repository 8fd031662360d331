"""How much of strangers' requests this process holds at once."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from connectors.receiver.ports import WebhookResult
from schemas.topics import MAX_RECORD_BYTES

_ENVELOPE_BYTES: Final = 1_024
"""The integration's name and the record's other fields around a body."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """`answer_within_s` stays below HubSpot's 5 s, body and all.

    `body_bytes` are a hundred of the longest texts, each character as six (`\\u00e9`); a record takes `part_bytes`.
    """

    answer_within_s: float = 4.0
    requests: int = 1_000
    held_bytes: int = 128_000_000
    body_bytes: int = 40_000_000
    part_bytes: int = MAX_RECORD_BYTES - _ENVELOPE_BYTES


class NotAdmitted(Exception):
    """A request cannot be taken; `result` says why."""

    def __init__(self, result: WebhookResult) -> None:
        super().__init__(result)
        self.result: WebhookResult = result


class Admission:
    """Counts the requests under way and the bytes of their bodies."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._requests = 0
        self._bytes = 0

    @contextmanager
    def taken(self) -> Iterator["AdmittedRequest"]:
        """A place for one request. Raises NoRoom `overloaded`."""
        if self._requests >= self._limits.requests:
            raise NotAdmitted("overloaded")
        place = AdmittedRequest(self, self._limits)
        self._requests += 1
        try:
            yield place
        finally:
            self._requests -= 1
            self._bytes -= place.held

    def grow(self, size: int) -> None:
        """Raises NoRoom `overloaded`, nothing taken."""
        if self._bytes + size > self._limits.held_bytes:
            raise NotAdmitted("overloaded")
        self._bytes += size


class AdmittedRequest:
    """One request's share of the room."""

    def __init__(self, room: Admission, limits: AdmissionLimits) -> None:
        self._room = room
        self._limits = limits
        self.held = 0

    async def body(self, request: Request) -> bytes:
        """The raw body. Raises NoRoom `too_large` (before reading on) or `overloaded`."""
        told = request.headers.get("content-length", "")
        if told.isascii() and told.isdigit() and int(told[:20]) > self._limits.body_bytes:
            raise NotAdmitted("too_large")
        return b"".join([chunk async for chunk in self._chunks(request)])

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        async for chunk in request.stream():
            if self.held + len(chunk) > self._limits.body_bytes:
                raise NotAdmitted("too_large")
            self._room.grow(len(chunk))
            self.held += len(chunk)
            yield chunk
