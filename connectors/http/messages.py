"""Requests, answers and calls as values: a protocol makes them, a transport carries them."""

import email.utils
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Generic, Literal, Protocol, TypeVar
from urllib.parse import quote, urlencode

from connectors.contract.errors import Refused
from connectors.contract.source import TOO_FAR_AHEAD_MS
from connectors.http.lenient_json import LATEST_MS

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Purpose = Literal["live_read", "write", "bulk_read", "bulk_write", "control", "search"]
"""The reason for a request: it decides the request's place in the budget."""

BULK: Final[frozenset[Purpose]] = frozenset({"bulk_read", "bulk_write"})
"""The purposes of a full sync: they take the places that others leave."""

Pairs = tuple[tuple[str, str], ...]

JSON_CONTENT = "application/json"
FORM_CONTENT = "application/x-www-form-urlencoded"
LAST_MS_OF_SECOND = 999
_LONGEST_DATE: Final = 64


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request below a base URL; `path` is percent-encoded, `query` and `headers` are not.

    `kind` says what a lost answer means: a `read` can be repeated, a `write` may have been done.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    query: Pairs = field(default=(), repr=False)
    headers: Pairs = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    kind: Literal["read", "write"] = "read"
    authorized: bool = True

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def with_header(self, name: str, text: str) -> "Request":
        """The same request with one more header."""
        return replace(self, headers=(*self.headers, (name, text)))


class Headers(Mapping[str, str]):
    """Header values by name, whatever the case of the name."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values = {name.lower(): value for name, value in pairs}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class VendorInterval:
    """When, by the vendor's clock, an answer was true: somewhere in this interval of epoch milliseconds."""

    earliest_ms: int
    latest_ms: int


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer; `elapsed_ms` is the whole round trip, `received_ms` our clock at its end.

    A vendor's clock is believed within a day of ours: a time from the future would make all that follows stale.
    """

    status: int
    headers: Headers = field(default_factory=Headers, repr=False)
    body: bytes = field(default=b"", repr=False)
    elapsed_ms: int = 0
    received_ms: int | None = None

    @property
    def observed(self) -> VendorInterval | None:
        """`Date` counts whole seconds, and the state was read within the round trip; None without one to believe."""
        date_ms, ahead_ms = http_date_ms(self.headers.get("date", "")), self.ahead_ms
        if date_ms is None or (ahead_ms is not None and abs(ahead_ms) > TOO_FAR_AHEAD_MS):
            return None
        return VendorInterval(date_ms - self.elapsed_ms, date_ms + LAST_MS_OF_SECOND)

    @property
    def ahead_ms(self) -> int | None:
        """By how much the vendor's `Date` is ahead of our clock; None where one of the two is not known."""
        date_ms = http_date_ms(self.headers.get("date", ""))
        return None if date_ms is None or self.received_ms is None else date_ms - self.received_ms

    def believed(self, at_ms: int | None) -> int | None:
        """A time that the answer tells; None for one that is more than a day ahead of us."""
        if at_ms is None or self.received_ms is None or at_ms <= self.received_ms + TOO_FAR_AHEAD_MS:
            return at_ms
        return None


@lru_cache(maxsize=16)
def http_date_ms(text: str) -> int | None:
    """An HTTP date in epoch milliseconds; None for what is none, or is of no year with four digits.

    Each record of a page is dated by it.
    """
    if len(text) > _LONGEST_DATE:  # cut, it would be another date
        return None
    try:
        date = email.utils.parsedate_tz(text)
        at_ms = None if date is None else int(email.utils.mktime_tz(date)) * 1000
    except (ValueError, OverflowError, TypeError, IndexError):  # the library promises none, and raises them
        return None
    return at_ms if at_ms is not None and 0 <= at_ms <= LATEST_MS else None


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """A request and how to read its answer; `parse` raises the errors of `connectors.contract.errors`."""

    request: Request
    parse: Callable[[Response], T_co]
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class RateNotice:
    """A limit in an answer's headers: `remaining` of `limit` requests per `interval_s` seconds.

    Of a day the same, where the headers tell.
    """

    limit: int
    remaining: int
    interval_s: float
    day_limit: int | None = None
    day_remaining: int | None = None


class Transport(Protocol):
    """Whatever carries a request to one base URL; raises Transient, UnknownResult or Misconfigured."""

    async def send(self, request: Request) -> Response:
        """Send once, without retry, and return the answer whatever its status."""
        ...


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """Whether a webhook's signature holds; `reason` says why not: `missing`, `malformed`, `stale` or `mismatch`."""

    reason: str | None = None

    def __bool__(self) -> bool:
        return self.reason is None


def segment(text: str) -> str:
    """One path segment; refuses ids that a server would read as another path."""
    if text in ("", ".", ".."):
        raise Refused("invalid_id", object_id=text)
    return quote(text, safe="")


def json_body(content: object) -> bytes:
    """Compact JSON in UTF-8; NaN and infinity are no JSON."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def json_request(
    method: Literal["GET", "POST", "PATCH", "DELETE"],
    path: str,
    content: object,
    kind: Literal["read", "write"] = "read",
) -> Request:
    """A request with a JSON body."""
    return Request(method, path, headers=(("Content-Type", JSON_CONTENT),), body=json_body(content), kind=kind)


def form_request(path: str, form: Mapping[str, str], kind: Literal["read", "write"]) -> Request:
    """A POST with a form-encoded body that carries its own credentials."""
    body = urlencode(form).encode()
    return Request("POST", path, headers=(("Content-Type", FORM_CONTENT),), body=body, kind=kind, authorized=False)
