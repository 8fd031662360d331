"""The meaning of HubSpot's status codes and error bodies; every field of an error body is optional."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from connectors.contract.errors import Misconfigured, RateLimited, Refused, Transient
from connectors.http.answers import Dialect, RequestKind, checked_call, content, retry_after_s
from connectors.http.answers import accept as check
from connectors.http.lenient_json import (
    EMPTY,
    JsonObject,
    as_object,
    object_at,
    objects_at,
    parsed,
    text_at,
    texts_at,
)
from connectors.http.messages import Call, Purpose, Request, Response

T = TypeVar("T")

BURST_WAIT_S = 10.0
SEARCH_WAIT_S = 1.0
DAILY_WAIT_S = 900.0
LOCK_WAIT_S = 2.0
"""HubSpot promises no `Retry-After` on a 429; its own client waits this long for burst and search."""

_REASONS = {
    "PROPERTY_DOESNT_EXIST": "unknown_field",
    "INVALID_OPTION": "invalid_option",
    "READ_ONLY_VALUE": "read_only_field",
    "MISSING_REQUIRED_PROPERTY": "missing_required_field",
    "MISSING_CONDITIONAL_REQUIRED_PROPERTY": "missing_required_field",
    "CONFLICTING_UNIQUE_VALUE": "not_unique",
    "OBJECT_NOT_FOUND": "missing",
    "OBJECT_ALREADY_EXISTS": "already_exists",
}
_FIELD_NAMES = ("propertyName", "propertyNames", "properties")
"""Keys of an error's context that may name properties."""

_UNKNOWN_PROPERTY = re.compile(r'Property \\?"([^"\\]+)\\?" does not exist')
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}")
_TRACE = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One property that a refusal blames, and the reason."""

    field: str
    reason: str


def call(request: Request, read: Callable[[Response], T], purpose: Purpose, *, object_id: str | None = None) -> Call[T]:
    """A call whose answer is parsed only if its status means success."""
    return checked_call(HUBSPOT, request, read, purpose, object_id=object_id)


def accept(response: Response, kind: RequestKind, object_id: str | None = None) -> None:
    """Raise the error of a status other than success; `kind` is the request's."""
    check(HUBSPOT, response, kind, object_id)


def rows(response: Response) -> tuple[JsonObject, ...]:
    """The `results` of a list; an answer without them, such as an error that says 200, is no empty list."""
    found = content(response)
    if not isinstance(found.get("results"), list):
        raise Transient("unreadable_answer", status=response.status)
    return objects_at(found, "results")


def batch_rows(response: Response) -> tuple[JsonObject, ...]:
    """The `results` of a batch, of which each row may be among the errors instead."""
    found = content(response)
    if found.get("results") is None and objects_at(found, "errors"):
        return ()
    return rows(response)


def following(listed: JsonObject) -> str | None:
    """The cursor of the next page, None at the end; its link names it too.

    Raises Transient where others follow that nobody can name: what was read is not the whole.
    """
    page = object_at(object_at(listed, "paging"), "next")
    cursor = text_at(page, "after") or _cursor_in(text_at(page, "link") or "")
    if cursor is None and any(page.values()):
        raise Transient("unreadable_answer")
    return cursor


def _cursor_in(link: str) -> str | None:
    return next((value for name, value in parse_qsl(link.partition("?")[2]) if name == "after"), None)


def field_problems(error: JsonObject) -> tuple[FieldProblem, ...]:
    """Every property an error blames: in `errors`, in `context`, or in the JSON text that some messages carry."""
    found: dict[str, FieldProblem] = {}
    for problem in (*_in_errors(error), *_in_message(error), *_in_context(error)):
        found.setdefault(problem.field, problem)
    return tuple(found.values())


def reason_of(error: JsonObject) -> str:
    """A stable code for one error: of its blamed property, else of its first coded part, else of its category."""
    problems = field_problems(error)
    if problems:
        return problems[0].reason
    codes = [code for part in objects_at(error, "errors") for code in texts_at(part, "code")]
    return stable(*codes, *texts_at(error, "subCategory"), *texts_at(error, "category"))


def stable(*codes: str) -> str:
    """Our word for the first known code, else the first that looks like a code."""
    usable = [code for code in codes if _CODE.fullmatch(code)]
    known = next((code for code in usable if code in _REASONS or code.startswith("INVALID_")), None)
    if known is not None:
        return _REASONS.get(known, "invalid_value")
    told = usable[0] if usable else "REFUSED"
    return "invalid_request" if told == "VALIDATION_ERROR" else told.rpartition(".")[2].lower()


def trace_of(error: JsonObject) -> str | None:
    """HubSpot's id of the request, if it looks like one."""
    trace = text_at(error, "correlationId")
    return trace if trace and _TRACE.fullmatch(trace) else None


def _in_errors(error: JsonObject) -> Iterator[FieldProblem]:
    for part in objects_at(error, "errors"):
        context = object_at(part, "context")
        names = [name for key in _FIELD_NAMES for name in texts_at(context, key)]
        reason = stable(*texts_at(part, "code"), *texts_at(part, "subCategory"), "VALIDATION_ERROR")
        yield from (FieldProblem(name, reason) for name in names)


def _in_message(error: JsonObject) -> Iterator[FieldProblem]:
    message = text_at(error, "message") or ""
    start, end = message.find("["), message.rfind("]")
    embedded = parsed(message[start : end + 1].encode()) if 0 <= start < end else None
    for part in objects_at({"parts": embedded}, "parts"):
        name = text_at(part, "name")
        if name:
            yield FieldProblem(name, stable(*texts_at(part, "error"), "VALIDATION_ERROR"))
    yield from (FieldProblem(name, "unknown_field") for name in _UNKNOWN_PROPERTY.findall(message))


def _in_context(error: JsonObject) -> Iterator[FieldProblem]:
    context = object_at(error, "context")
    reason = stable(*texts_at(error, "subCategory"), *texts_at(error, "category"))
    for name in (name for key in _FIELD_NAMES for name in texts_at(context, key)):
        yield FieldProblem(name, reason)


def _rate_limit(response: Response, error: JsonObject) -> RateLimited:
    policy, usual_wait_s = _policy(error)
    wait_s = retry_after_s(response)
    return RateLimited(policy, wait_s=usual_wait_s if wait_s is None else wait_s, status=429, trace=trace_of(error))


def _policy(error: JsonObject) -> tuple[str, float | None]:
    name = f"{text_at(error, 'policyName') or ''} {text_at(error, 'message') or ''}".lower()
    if "daily" in name:
        return "daily", DAILY_WAIT_S
    if "ten_secondly" in name:
        return "burst", BURST_WAIT_S
    return ("search", SEARCH_WAIT_S) if "secondly" in name else ("unknown", None)


def _refusal(error: JsonObject, status: int, object_id: str | None) -> Refused:
    fields = tuple(problem.field for problem in field_problems(error))
    reason = reason_of(error) if error else f"http_{status}"
    return Refused(reason, fields=fields, object_id=object_id, status=status, trace=trace_of(error))


def _forbidden(error: JsonObject) -> Misconfigured:
    reason = "missing_scopes" if text_at(error, "category") == "MISSING_SCOPES" else "forbidden"
    return Misconfigured(reason, needed=_scopes(error), status=403, trace=trace_of(error))


def _scopes(error: JsonObject) -> tuple[str, ...]:
    contexts = [object_at(part, "context") for part in objects_at(error, "errors")] or [EMPTY]
    return tuple(scope for context in contexts for scope in texts_at(context, "requiredGranularScopes"))


def _error(response: Response) -> JsonObject | None:
    error = parsed(response.body)
    return as_object(error) if isinstance(error, dict) or response.status != 404 else None


HUBSPOT: Final = Dialect(
    error=_error,
    forbidden=_forbidden,
    limited=_rate_limit,
    refused=_refusal,
    trace=trace_of,
    not_done=frozenset({423, 477, 503}),
    waits_s={423: LOCK_WAIT_S},
)
