"""The meaning of Userflow's status codes and error bodies; only the code `invalid_params` is certain."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from connectors.contract.errors import CURSOR_GONE, CredentialsRejected, Missing, RateLimited, Refused
from connectors.http.answers import Dialect, RequestKind, checked_call, retry_after_s
from connectors.http.answers import accept as check
from connectors.http.lenient_json import JsonObject, as_object, object_at, parsed, text_at
from connectors.http.messages import Call, Purpose, Request, Response, segment

T = TypeVar("T")

TOO_MANY: Final = 429
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_NAMED = re.compile(r"`?attributes\.([^`:\s]{1,100})`?")


def call(request: Request, read: Callable[[Response], T], purpose: Purpose, *, object_id: str | None = None) -> Call[T]:
    """A call whose answer is parsed only if its status means success."""
    return checked_call(USERFLOW, request, read, purpose, object_id=object_id)


def accept(response: Response, kind: RequestKind, object_id: str | None = None) -> None:
    """Raise the error of a status other than success; `kind` is the request's."""
    check(USERFLOW, response, kind, object_id)


def deletion(path: str, id: str, purpose: Purpose) -> Call[bool]:
    """Delete what has the id under a path: True if deleted, False if there was none."""

    def parse(response: Response) -> bool:
        try:
            accept(response, "write", id)
        except Missing:
            return False
        return True

    return Call(Request("DELETE", f"{path}/{segment(id)}", kind="write"), parse, purpose)


def missing_in_words(refusal: Refused, response: Response) -> bool:
    """Whether a 400 means that the path's object is not found: Userflow documents no status for that."""
    message = text_at(object_at(as_object(parsed(response.body)), "error"), "message") or ""
    return refusal.status == 400 and refusal.reason == "invalid_params" and "not found" in message.lower()


def _refusal(error: JsonObject, status: int, object_id: str | None) -> Refused:
    code, message = text_at(error, "code") or "", text_at(error, "message") or ""
    if message.lstrip("`").startswith("starting_after"):
        return Refused(CURSOR_GONE, status=status)
    reason = code.lower() if _CODE.fullmatch(code) else f"http_{status}"
    return Refused(reason, fields=tuple(_NAMED.findall(message)[:1]), object_id=object_id, status=status)


def _error(response: Response) -> JsonObject | None:
    error = object_at(as_object(parsed(response.body)), "error")
    return error if error or not response.body else None


def _forbidden(_: JsonObject) -> CredentialsRejected:
    return CredentialsRejected("forbidden", status=403)


def _rate_limit(response: Response, _: JsonObject) -> RateLimited:
    """Userflow names 503 beside 429 for too many requests; who waits for it is told which of them it was."""
    reason = "rate_limited" if response.status == TOO_MANY else f"http_{response.status}"
    return RateLimited("unknown", reason=reason, wait_s=retry_after_s(response), status=response.status)


USERFLOW: Final = Dialect(
    error=_error, forbidden=_forbidden, limited=_rate_limit, refused=_refusal, throttled=frozenset({TOO_MANY, 503})
)
