"""What Userflow's status codes and error bodies mean; only the code `invalid_params` is known for sure."""

import re
from collections.abc import Callable
from typing import Literal, TypeVar

from connectors.contract.errors import (
    CredentialsRejected,
    Misconfigured,
    Missing,
    RateLimited,
    Refused,
    Retryable,
    Transient,
    UnknownResult,
)
from connectors.http.lenient_json import JsonObject, as_object, as_whole, object_at, parsed, text_at
from connectors.http.messages import Call, Purpose, Request, Response, no_redirect

T = TypeVar("T")

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_NAMED = re.compile(r"`?attributes\.([^`:\s]{1,100})`?")


def call(
    request: Request,
    read: Callable[[Response], T],
    purpose: Purpose,
    *,
    object_id: str | None = None,
) -> Call[T]:
    """A call whose answer is read only when its status says success."""

    def parse(response: Response) -> T:
        accept(response, request.kind, object_id)
        return read(response)

    return Call(request, parse, purpose)


def content(response: Response) -> JsonObject:
    """The JSON object of a successful answer; Transient when there is none, as a broken proxy sends."""
    found = parsed(response.body)
    if not isinstance(found, dict):
        raise Transient("unreadable_answer", status=response.status)
    return found


def accept(response: Response, kind: Literal["read", "write"], object_id: str | None = None) -> None:
    """Raise what a status other than success means; `kind` is that of the request."""
    if 200 <= response.status < 300:
        return
    no_redirect(response)
    error = object_at(as_object(parsed(response.body)), "error")
    match response.status:
        case 401 | 403 as status:
            raise CredentialsRejected("unauthorized" if status == 401 else "forbidden", status=status)
        case 404 if response.body and not error:
            raise Misconfigured("not_this_api", status=404)
        case 404:
            raise Missing(object_id, status=404)
        case 429 | 503 as status:
            raise RateLimited("unknown", wait_s=retry_after_s(response), status=status)
        case status if status >= 500 or status == 408:
            raise _repeatable(response, kind)
        case status:
            raise _refusal(error, status, object_id)


def missing_in_words(refusal: Refused, response: Response) -> bool:
    """Whether a 400 says that the object named in the path is not found: the status for that is not documented."""
    message = text_at(object_at(as_object(parsed(response.body)), "error"), "message") or ""
    return refusal.status == 400 and refusal.reason == "invalid_params" and "not found" in message.lower()


def retry_after_s(response: Response) -> float | None:
    """`Retry-After` in seconds, when it is a number."""
    waiting = as_whole(response.headers.get("retry-after"))
    return None if waiting is None else float(max(0, waiting))


def _repeatable(response: Response, kind: str) -> Retryable:
    done = UnknownResult if kind == "write" else Transient
    return done(f"http_{response.status}", wait_s=retry_after_s(response), status=response.status)


def _refusal(error: JsonObject, status: int, object_id: str | None) -> Refused:
    code, message = text_at(error, "code") or "", text_at(error, "message") or ""
    if message.lstrip("`").startswith("starting_after"):
        return Refused("cursor_gone", status=status)
    reason = code.lower() if _CODE.fullmatch(code) else f"http_{status}"
    return Refused(reason, fields=tuple(_NAMED.findall(message)[:1]), object_id=object_id, status=status)
