"""Reads JSON that may lack anything: a member that is absent or of another type reads as a neutral value."""

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

JsonObject: TypeAlias = Mapping[str, object]

EMPTY: JsonObject = {}
MOST_DEEP = 100
LONGEST_NUMBER = 18
"""Digits of a whole number that we read: more fit into no record, and thousands of them Python itself refuses."""

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999."""
_LONGEST_TIME = 64
_ZONES = {"UTC": "Z", "GMT": "Z", **{f"{sign}{hour:02}": f"{sign}{hour:02}:00" for sign in "+-" for hour in range(24)}}


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parsed(body: bytes) -> object:
    """The decoded JSON, every text in it Unicode, or None when it is none or nested deeper than any API's."""
    try:
        value = json.loads(body.decode("utf-8-sig", "replace"))
        value = _well_formed(value) if _SURROGATE.search(body) else value
    except (ValueError, RecursionError):
        return None
    return value if _is_shallow(body, value) else None


def _is_shallow(body: bytes, value: object) -> bool:
    """What is deeper ends whoever walks through it by recursion, as encoders do."""
    if body.count(b"[") + body.count(b"{") <= MOST_DEEP:
        return True
    level = [value]
    for _ in range(MOST_DEEP + 1):
        level = [part for whole in level for part in _parts(whole)]
        if not level:
            return True
    return False


def _parts(whole: object) -> Iterable[object]:
    if isinstance(whole, dict):
        return whole.values()
    return whole if isinstance(whole, list) else ()


def _well_formed(value: object) -> object:
    """Half of a surrogate pair, as a text cut inside an emoji leaves, is no Unicode and fits into no record."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def as_object(value: object) -> JsonObject:
    """The object itself, or an empty one."""
    return value if isinstance(value, dict) else EMPTY


def object_at(source: JsonObject, name: str) -> JsonObject:
    """The object of that name, or an empty one."""
    return as_object(source.get(name))


def objects_at(source: JsonObject, name: str) -> tuple[JsonObject, ...]:
    """The objects in the list of that name."""
    value = source.get(name)
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def text_at(source: JsonObject, name: str) -> str | None:
    """A string, or the digits of a whole number: ids come as either."""
    return as_text(source.get(name))


def texts_at(source: JsonObject, name: str) -> tuple[str, ...]:
    """The strings in the list of that name; one string alone counts as a list."""
    value = source.get(name)
    items = value if isinstance(value, list) else [value]
    return tuple(text for text in map(as_text, items) if text is not None)


def as_text(value: object) -> str | None:
    """The same for a value already in hand."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def is_compound(value: object) -> bool:
    """Whether a value is none that a text, a number or a flag could stand for."""
    return isinstance(value, dict | list)


def told_at(source: JsonObject, name: str) -> str | None:
    """A value as text, whatever its kind: one that is no text as its JSON; None for null, and for a name that lacks."""
    value = source.get(name)
    return value if value is None or isinstance(value, str) else json.dumps(value)


def whole_at(source: JsonObject, name: str) -> int | None:
    """A whole number, also from its digits in a string."""
    return as_whole(source.get(name))


def as_whole(value: object) -> int | None:
    """The same for a value already in hand."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value.strip()) > LONGEST_NUMBER + len("-"):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 10**LONGEST_NUMBER else None


def flag_at(source: JsonObject, name: str) -> bool:
    """True only where the member is true."""
    return source.get(name) in (True, "true")


def time_at(source: JsonObject, name: str) -> int | None:
    """Epoch milliseconds out of an ISO 8601 text (no offset means UTC) or a number; None for one that is no time."""
    value = source.get(name)
    at_ms = _iso_ms(value) if isinstance(value, str) and not value.isdigit() else as_whole(value)
    return at_ms if at_ms is not None and 0 <= at_ms <= LATEST_MS else None


_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
"""What both vendors document: the standard library reads far more as instants, `1575052200000` as a day of 1575."""


def iso_instant(text: str) -> dt.datetime:
    """The instant in UTC of a text like `2026-03-01T12:00:00.000Z`, cut to the millisecond; no offset means UTC.

    A day is its midnight. Raises ValueError for any other text, OverflowError outside of the years 1 to 9999.
    """
    if _INSTANT.fullmatch(text) is None:
        raise ValueError("no instant")
    moment = dt.datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


_ZONED = re.compile(r"(.+:\S*?) ?(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)")
"""A time and its zone as others write them, such as `2026-03-01 12:00:00 UTC` and `2026-03-01t12:00:00+00`."""


def _iso_ms(text: str) -> int | None:
    if len(text) > _LONGEST_TIME:  # cut, `+01:30` at its end would be `+01`
        return None
    zoned = _ZONED.fullmatch(text.strip().upper())
    try:
        moment = iso_instant(text if zoned is None else f"{zoned[1]}{_ZONES.get(zoned[2], zoned[2])}")
    except (ValueError, OverflowError):
        return None
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
