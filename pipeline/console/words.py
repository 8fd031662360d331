"""Numbers and times as the console writes them, times in the zone of whoever asks."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pipeline.console.asking import UTC_ZONE, ZONE

NOT_KNOWN: Final = "not known"
_NO_TIME: Final = (ValueError, OverflowError, OSError)


def number(count: int | float | None) -> str:
    """`48,301`; a figure that nobody reports is not 0."""
    return NOT_KNOWN if count is None else f"{count:,.0f}"


def rate(per_minute: float) -> str:
    """`2,284`; with a digit under ten."""
    return f"{per_minute:.1f}" if 0 < per_minute < 9.95 else f"{per_minute:,.0f}"


def seconds(length: float | None) -> str:
    """`0.42 s`, `12 s`, `4 min 12 s`, `2 h 23 min`, `1 d 19 h`."""
    if length is None:
        return NOT_KNOWN
    if length < 9.995:
        return f"{length:.2f} s"
    whole = round(length)
    for unit, size, small, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {small}"
    return f"{whole} s"


class Moment(str):
    """A time as people read it. Printed by itself it is an element that names the instant; within a text, text."""

    at_ms: int

    def __new__(cls, text: str, at_ms: int) -> "Moment":
        made = super().__new__(cls, text)
        made.at_ms = at_ms
        return made

    @property
    def element(self) -> Markup:
        """What no text around it is joined to: `__html__` would make markup of a name beside it."""
        return Markup('<time datetime="{}">{}</time>').format(instant(self.at_ms), str(self))


def clock(at_ms: int, now_ms: int) -> str:
    """`12:04:18` for today, else `23 Nov, 14:06`; a time that no calendar has as the number that it is."""
    zone = UTC if ZONE.get() == UTC_ZONE else ZoneInfo(ZONE.get())
    try:
        at, now = (datetime.fromtimestamp(one / 1000, zone) for one in (at_ms, now_ms))
    except _NO_TIME:
        return f"{at_ms} ms"
    text = at.strftime("%H:%M:%S") if at.date() == now.date() else f"{at.day} {at:%b}, {at:%H:%M}"
    return Moment(text, at_ms)


def instant(at_ms: int) -> str:
    """ISO 8601 in UTC, for machines; a time that no calendar has as the number that it is."""
    try:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
    except _NO_TIME:
        return f"{at_ms} ms"
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
