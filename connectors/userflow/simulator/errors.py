"""Userflow's error answers, as exceptions for endpoints and as JSON bodies."""

from dataclasses import dataclass

from connectors.simulation.calls import Json

_CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited", 503: "unavailable"}


@dataclass(eq=False)
class ErrorAnswer(Exception):
    """An error answer; only the code `invalid_params` has been seen, the others are guesses."""

    status: int
    code: str
    message: str


def invalid(message: str) -> ErrorAnswer:
    """Parameters that Userflow refuses."""
    return ErrorAnswer(400, "invalid_params", message)


def unknown_id(status: int, what: str, object_id: str) -> ErrorAnswer:
    """No such object; a setting gives the status."""
    code = "not_found" if status == 404 else "invalid_params"
    return ErrorAnswer(status, code, f"{what.capitalize()} with id '{object_id}' not found")


def error_body(status: int, message: str = "", code: str | None = None) -> Json:
    """The body of any error."""
    known = _CODES.get(status, "internal_error" if status >= 500 else "invalid_params")
    return {"error": {"code": code or known, "message": message or known.replace("_", " ").capitalize()}}
