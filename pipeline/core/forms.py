"""Decides whether a stored value is another form of the value sent, or a different value."""

import datetime as dt
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Final

from pipeline.core.conversion import equal, is_empty
from schemas.values import FieldValue

_ADDRESS = re.compile(r"^https?://(?:www\.)?|^www\.|<[^<>]*>")
"""Parts that systems add to, or remove from, addresses and texts with tags."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_MIDNIGHT = dt.time(0)
_MOST_MARKS: Final = 30
"""Of marks in a row, as Unicode's own bound has it: to order more of them takes time by the square of their number."""
_MOST_DIGITS: Final = 400
"""Of a double before or behind its point, and some more."""


def alike(sent: FieldValue, stored: FieldValue) -> bool:
    """Whether a system may have made `stored` from `sent`: by trimming, punctuation, another spelling or rounding.

    A part of a text, or another option, is a different value.
    """
    if equal(sent, stored):
        return True
    if is_empty(sent) or is_empty(stored):
        return _bare(sent) == _bare(stored)
    if isinstance(sent, tuple) or isinstance(stored, tuple):
        return _items(sent) == _items(stored)
    one, other = _number(sent), _number(stored)
    if one is not None and other is not None:
        return one == other or _rounded(one, other)
    first, second = _moment(sent), _moment(stored)
    if first is not None and second is not None:
        return _cut(first, second)
    return _bare(sent) == _bare(stored)


def _bare(value: FieldValue) -> str:
    """A text's letters and digits without case and composition, for systems rewrite phone numbers and addresses so."""
    text = value if isinstance(value, str) else "" if value is None or value == () else _text(value)
    folded = _ADDRESS.sub("", unicodedata.normalize("NFKC", _with_few_marks(text)).strip().casefold())
    return "".join(filter(str.isalnum, folded)) or folded


def _with_few_marks(text: str) -> str:
    if text.isascii():
        return text
    kept, marks = list[str](), 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks <= _MOST_MARKS:
            kept.append(letter)
    return "".join(kept)


def _text(value: FieldValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _items(value: FieldValue) -> frozenset[str]:
    items = value if isinstance(value, tuple) else _text(value).split(";")
    return frozenset(bare for item in items if (bare := _bare(item)))


def _number(value: FieldValue) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    # a text may spell an exponent of nine digits, with which arithmetic overflows: no system stores such a number
    return number if number.is_finite() and (not number or abs(number.adjusted()) <= _MOST_DIGITS) else None


def _rounded(sent: Decimal, stored: Decimal) -> bool:
    """Whether the stored number has fewer decimals: it differs by less than one unit of its last decimal."""
    exponent = stored.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return abs(sent - stored) < Decimal(1).scaleb(-decimals) and sent != 0 and stored != 0


def _moment(value: FieldValue) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, _MIDNIGHT)
    if not isinstance(value, str) or not _ISO.match(value):
        return None
    try:
        return _moment(dt.datetime.fromisoformat(value))
    except (ValueError, OverflowError):  # the last hours of the year 9999, by an offset, are in no year that we know
        return None


def _cut(sent: dt.datetime, stored: dt.datetime) -> bool:
    """Whether the stored moment is the sent one without milliseconds, seconds, minutes or time of day."""
    cuts = (
        sent.replace(microsecond=0),
        sent.replace(second=0, microsecond=0),
        sent.replace(minute=0, second=0, microsecond=0),
        dt.datetime.combine(sent.date(), _MIDNIGHT),
    )
    return stored == sent or stored in cuts
