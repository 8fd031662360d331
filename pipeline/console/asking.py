"""Who asks for what is being done, and where: each answer is given in a context of its own, so that two never mix."""

from contextvars import ContextVar
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.operations.actor import machine

ASKED_BY: Final = ContextVar("asked_by", default="console")
"""The name of whoever is signed in, for the audit."""
_HERE: Final = ": console"


def asked_from() -> str:
    """Where it was asked for, for the audit."""
    return f"{machine()}{_HERE}"


def is_from_here(place: str) -> bool:
    """Whether what the audit names as the place is a console."""
    return place.endswith(_HERE)


UTC_ZONE: Final = "UTC"
ZONE: Final = ContextVar("zone", default=UTC_ZONE)
"""The name of the time zone in which whoever asks reads times."""

ZONE_COOKIE: Final = "zone"
LONGEST_NAME: Final = 64


def zone_named(name: str) -> str:
    """The zone that a browser names; UTC for what is none, or is not known on this machine."""
    if not name or len(name) > LONGEST_NAME:
        return UTC_ZONE
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC_ZONE
    return name
