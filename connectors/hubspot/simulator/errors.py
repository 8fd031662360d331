"""HubSpot's error answers, as exceptions for endpoints and as JSON bodies."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.simulation.calls import Json

BURST_MESSAGE = "You have reached your ten_secondly_rolling limit."
SECONDLY_MESSAGE = "You have reached your secondly limit."
DAILY_MESSAGE = "You have reached your daily limit."


@dataclass(eq=False)
class ErrorAnswer(Exception):
    """An error answer; `details` are the entries of its `errors` list, `context` and `sub_category` its own."""

    status: int
    category: str
    message: str
    details: Sequence[Json] = ()
    context: Mapping[str, Json] = field(default_factory=dict)
    sub_category: str = ""

    def body(self) -> Json:
        """The whole error body."""
        body: Json = {
            "status": "error",
            "message": self.message,
            "correlationId": str(uuid.uuid4()),
            "category": self.category,
        }
        if self.sub_category:
            body["subCategory"] = self.sub_category
        if self.details:
            body["errors"] = list(self.details)
        if self.context:
            body["context"] = dict(self.context)
        return body

    def row(self) -> Json:
        """The same error as one entry of a batch answer."""
        context, details = dict(self.context), list(self.details)
        return {
            "status": "error",
            "category": self.category,
            **({"subCategory": self.sub_category} if self.sub_category else {}),
            "message": self.message,
            "context": context,
            "errors": details,
            "links": {},
        }


@dataclass(frozen=True)
class Fault:
    """The fault of one property in a write; `code` like PROPERTY_DOESNT_EXIST, INVALID_INTEGER."""

    property: str
    code: str
    message: str


def not_found() -> ErrorAnswer:
    """No such record, or an archived one."""
    return ErrorAnswer(404, "OBJECT_NOT_FOUND", "resource not found")


def invalid(message: str) -> ErrorAnswer:
    """A request that HubSpot cannot read."""
    return ErrorAnswer(400, "VALIDATION_ERROR", message)


def invalid_properties(faults: Sequence[Fault], with_details: bool) -> ErrorAnswer:
    """Properties that cannot be written: JSON text inside the message, and a list on request."""
    rows = [{"isValid": False, "message": f.message, "error": f.code, "name": f.property} for f in faults]
    details = [{"message": f.message, "code": f.code, "context": {"propertyName": [f.property]}} for f in faults]
    details = details if with_details else []
    return ErrorAnswer(400, "VALIDATION_ERROR", f"Property values were not valid: {json.dumps(rows)}", details)


def missing_scopes(scopes: Sequence[str]) -> ErrorAnswer:
    """The token lacks a scope."""
    text = "This app hasn't been granted all required scopes to make this call."
    context = {"requiredGranularScopes": list(scopes)}
    detail = {"message": "One or more of the following scopes are required.", "context": context}
    return ErrorAnswer(403, "MISSING_SCOPES", text, [detail])


def unauthorised(expired: bool) -> ErrorAnswer:
    """An unknown or expired token."""
    if expired:
        return ErrorAnswer(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.")
    return ErrorAnswer(401, "INVALID_AUTHENTICATION", "Authentication credentials not found or not valid.")


def limit_body(form: str | None) -> Json:
    """The body of a 429: `burst` (default), `secondly` (search), `daily`, or `bare` without policy and type."""
    message, policy = {
        "secondly": (SECONDLY_MESSAGE, "SECONDLY"),
        "daily": (DAILY_MESSAGE, "DAILY"),
    }.get(form or "", (BURST_MESSAGE, "TEN_SECONDLY_ROLLING"))
    body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4())}
    if form == "bare":
        return body
    return {**body, "errorType": "RATE_LIMIT", "policyName": policy, "requestId": uuid.uuid4().hex}


_CATEGORIES = {401: "INVALID_AUTHENTICATION", 403: "MISSING_SCOPES", 404: "OBJECT_NOT_FOUND", 409: "CONFLICT"}
_MESSAGES = {423: "The resource is locked.", 477: "This account is being migrated."}


def default_body(status: int, form: str | None) -> Json:
    """HubSpot's own body for the status of a fault."""
    if status == 429:
        return limit_body(form)
    if status >= 500:
        return {"status": "error", "message": "internal error", "correlationId": str(uuid.uuid4())}
    category = _CATEGORIES.get(status, "VALIDATION_ERROR")
    return ErrorAnswer(status, category, _MESSAGES.get(status, "The request was refused.")).body()
