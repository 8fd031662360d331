"""Converts a value written to a property into HubSpot's stored text, or into the fault that refuses the value."""

import datetime as dt
import re

from connectors.hubspot.simulator.definitions import Property
from connectors.hubspot.simulator.errors import Fault
from connectors.simulation.calls import Json
from connectors.simulation.clock import epoch_ms_of, iso_z

_DAY_MS = 86_400_000
_EMAIL = re.compile(r"\s*[^@\s]+@[^@\s]+\.[^@\s]+\s*")
MAX_LENGTH = 65_536


def stored(definition: Property, value: Json, rule: str = "", current: str | None = None) -> str | Fault:
    """The stored text (empty: cleared). `rule` is a normalising rule of the settings, `current` the value before."""
    text = _as_text(value)
    if text == "":
        return ""
    match definition.type:
        case "number":
            return _number(definition, text, rule)
        case "bool":
            return _one_of(definition, text.lower() if rule == "option_case" else text, ("true", "false"), rule)
        case "enumeration":
            return _options(definition, text, rule, current)
        case "date" | "datetime":
            return _moment(definition, text)
    return _string(definition, text, rule)


def _as_text(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _string(definition: Property, text: str, rule: str) -> str | Fault:
    if len(text) > MAX_LENGTH:
        return Fault(definition.name, "VALUE_TOO_LONG", f"{definition.name} is longer than {MAX_LENGTH} characters")
    if definition.name == "email" and not _EMAIL.fullmatch(text):
        return Fault(definition.name, "INVALID_EMAIL", f"Email address {text} is invalid")
    if rule == "trim":
        return text.strip()
    return text.lower() if rule == "lower" else text


def _number(definition: Property, text: str, rule: str) -> str | Fault:
    try:
        number = float(text)
    except ValueError:
        return Fault(definition.name, "INVALID_INTEGER", f"{text} was not a valid number.")
    return f"{number:.15g}" if rule == "number" else text


def _one_of(definition: Property, text: str, allowed: tuple[str, ...], rule: str) -> str | Fault:
    if rule == "option_case":
        text = next((value for value in allowed if value.lower() == text.lower()), text)
    if text not in allowed:
        return Fault(definition.name, "INVALID_OPTION", f"{text} was not one of the allowed options: {list(allowed)}")
    return text


def _options(definition: Property, text: str, rule: str, current: str | None) -> str | Fault:
    allowed = tuple(value for value, _ in definition.options)
    if definition.external and not allowed:
        return text
    if not definition.several:
        return _one_of(definition, text, allowed, rule)
    chosen = (current or "").split(";") if text.startswith(";") else []
    for part in text.strip(";").split(";"):
        option = _one_of(definition, part, allowed, rule)
        if isinstance(option, Fault):
            return option
        chosen.append(option)
    return ";".join(dict.fromkeys(option for option in chosen if option))


def _moment(definition: Property, text: str) -> str | Fault:
    try:
        epoch_ms = epoch_ms_of(text)
        written = iso_z(epoch_ms)
    except (ValueError, OverflowError):
        return Fault(definition.name, "INVALID_DATE", f"{text} was not a valid date.")
    if definition.type == "datetime":
        return written
    if epoch_ms % _DAY_MS:
        return Fault(definition.name, "INVALID_DATE", f"{text} is at {written}, which is not midnight UTC.")
    return written[:10]


def as_webhook_value(definition: Property | None, value: str, dates_as_epoch: bool) -> str:
    """The value as webhooks carry it: dates and instants as epoch milliseconds on request."""
    if not value or not dates_as_epoch or definition is None or definition.type not in ("date", "datetime"):
        return value
    return str(epoch_ms_of(dt.datetime.fromisoformat(value).isoformat()))
