"""What an answer's status means, in the one switch that every vendor's error bodies are read by."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeVar

from connectors.contract.errors import (
    ConnectorError,
    CredentialsRejected,
    Misconfigured,
    Missing,
    RateLimited,
    Refused,
    Retryable,
    Transient,
    UnknownResult,
)
from connectors.http.lenient_json import JsonObject, as_whole, parsed
from connectors.http.messages import Call, Purpose, Request, Response, http_date_ms

T = TypeVar("T")

RequestKind = Literal["read", "write"]

_DECIMAL = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one vendor words its errors; `error` gives an error's JSON, None for a page that is not of this API."""

    error: Callable[[Response], JsonObject | None]
    forbidden: Callable[[JsonObject], ConnectorError]
    limited: Callable[[Response, JsonObject], RateLimited]
    refused: Callable[[JsonObject, int, str | None], Refused]
    trace: Callable[[JsonObject], str | None] = lambda _: None  # the vendor's id of the request
    throttled: frozenset[int] = frozenset({429})
    not_done: frozenset[int] = frozenset()  # passing failures before which a write was surely not done
    waits_s: Mapping[int, float] = field(default_factory=dict)  # where the answer asks for no wait


def accept(dialect: Dialect, response: Response, kind: RequestKind, object_id: str | None = None) -> None:
    """Raise what a status other than success means; `kind` is that of the request.

    Redirects are not followed, because the next host would be given the token.
    """
    if 200 <= response.status < 300:
        return
    told = dialect.error(response)
    error: JsonObject = told or {}
    trace = dialect.trace(error)
    match response.status:
        case status if 300 <= status < 400:
            raise Misconfigured("redirected", status=status)
        case 401:
            raise CredentialsRejected("unauthorized", status=401, trace=trace)
        case 403:
            raise dialect.forbidden(error)
        case 404 if told is None:
            raise Misconfigured("not_this_api", status=404)
        case 404:
            raise Missing(object_id, status=404, trace=trace)
        case status if status in dialect.throttled:
            raise dialect.limited(response, error)
        case status if status >= 500 or status == 408 or status in dialect.not_done:
            raise _passing(dialect, response, kind, trace)
        case status:
            raise dialect.refused(error, status, object_id)


def checked_call(
    dialect: Dialect,
    request: Request,
    read: Callable[[Response], T],
    purpose: Purpose,
    *,
    object_id: str | None = None,
) -> Call[T]:
    """A call whose answer is read only when its status says success."""

    def parse(response: Response) -> T:
        accept(dialect, response, request.kind, object_id)
        return read(response)

    return Call(request, parse, purpose)


def content(response: Response) -> JsonObject:
    """The JSON object of a successful answer; Transient when there is none, as a broken proxy sends."""
    found = _read(response.body)
    if not isinstance(found, dict):
        raise Transient("unreadable_answer", status=response.status)
    return found


@lru_cache(maxsize=1)
def _read(body: bytes) -> object:
    """The same answer is asked for its rows, for its errors and for what follows, each by its own reader."""
    return parsed(body)


def retry_after_s(response: Response) -> float | None:
    """`Retry-After` in seconds: a number, perhaps with decimals, or an HTTP date, counted from the answer's own."""
    told = response.headers.get("retry-after", "").strip()
    if _DECIMAL.fullmatch(told):
        return float(told)
    waiting = as_whole(told)
    if waiting is not None:
        return float(max(0, waiting))
    until_ms, now_ms = http_date_ms(told), http_date_ms(response.headers.get("date", ""))
    return None if until_ms is None or now_ms is None else max(0.0, (until_ms - now_ms) / 1000)


def _passing(dialect: Dialect, response: Response, kind: RequestKind, trace: str | None) -> Retryable:
    status, wait_s = response.status, retry_after_s(response)
    may_be_done = kind == "write" and status not in dialect.not_done
    error = UnknownResult if may_be_done else Transient
    wait_s = dialect.waits_s.get(status) if wait_s is None else wait_s
    return error(f"http_{status}", wait_s=wait_s, status=status, trace=trace)
