"""One table that turns a value of one field type into a value of another, or says with a stable code why it cannot."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias, get_args

from schemas.making import made_quickly
from schemas.values import FieldDefinition, FieldType, FieldValue

ConversionReason = Literal[
    "no_converter",
    "not_text",
    "not_a_number",
    "not_finite",
    "too_large",
    "not_a_boolean",
    "not_a_date",
    "not_an_instant",
    "no_time_zone",
    "out_of_range",
    "not_a_list",
    "several_items",
    "not_an_option",
    "too_long",
]

MEANING: Final[Mapping[ConversionReason, str]] = {
    "no_converter": "this type is never turned into that one",
    "not_text": "the source says text but the value is none",
    "not_a_number": "the source says number but the value is none",
    "not_finite": "infinity or not-a-number, which neither system stores",
    "too_large": "an integer that does not fit into 64 bits",
    "not_a_boolean": "the source says boolean but the value is none",
    "not_a_date": "the source says date but the value is none",
    "not_an_instant": "the source says datetime but the value is none",
    "no_time_zone": "a datetime without a time zone is no instant",
    "out_of_range": "the instant lies outside the years 1 to 9999 in UTC",
    "not_a_list": "the source says several values but the value is no list",
    "several_items": "the target takes one of its options and there are several items",
    "not_an_option": "an item is not the stored value of an option of the target",
    "too_long": "the text is longer than the target stores",
}

TEXT_LIMIT_CHARACTERS: Final = 65_536
LIST_SEPARATOR: Final = "; "


@made_quickly
@dataclass(frozen=True, slots=True)
class Converted:
    """A value that fits the target's type; None clears the target."""

    value: FieldValue


@dataclass(frozen=True, slots=True)
class DoesNotFit:
    """The value does not fit; nothing was guessed."""

    reason: ConversionReason


Result: TypeAlias = Converted | DoesNotFit
_Converter: TypeAlias = Callable[[FieldValue, FieldDefinition], Result]


def convert(value: FieldValue, source: FieldType, target: FieldDefinition) -> Result:
    """The value as the target stores it. Never raises; None, "" and () always clear.

    Text takes the value's own kind; every other converter refuses a value that is not what `source` says.
    """
    converter = _TABLE.get((source, target.type))
    if converter is None:
        return DoesNotFit("no_converter")
    if is_empty(value):
        return Converted(None)
    return converter(value, target)


def has_converter(source: FieldType, target: FieldType) -> bool:
    """Whether a rule from one type to the other can ever write a value."""
    return (source, target) in _TABLE


def is_empty(value: FieldValue) -> bool:
    """None, "" and () all say "no value"; False and 0 are values."""
    return value is None or value == "" or value == ()


def equal(a: FieldValue, b: FieldValue, stored_as: FieldType | None = None) -> bool:
    """Whether a target that holds `a` needs no write of `b`.

    Empty values are equal to each other, 42 equals 42.0, True is not 1, instants compare to the millisecond.
    The order of a list matters; that of a multi-select does not, so name the target's type where it is known.
    """
    if a is b:  # none and none, mostly
        return True
    if type(a) is str and type(b) is str:  # most values are texts
        return a == b
    if is_empty(a) or is_empty(b):
        return is_empty(a) and is_empty(b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return set(a) == set(b) if stored_as == "multi_select" else a == b
    if isinstance(a, dt.datetime) and isinstance(b, dt.datetime):
        return _instant(a) == _instant(b)
    if isinstance(a, int | float) and isinstance(b, int | float):
        # one not-a-number equals another: a refusal of it is remembered like any other
        return (a == b or (a != a and b != b)) and isinstance(a, bool) == isinstance(b, bool)
    return type(a) is type(b) and a == b


def _to_string(value: FieldValue, _: FieldDefinition) -> Result:
    text = _text(value)
    if isinstance(text, DoesNotFit):
        return text
    if len(text) > TEXT_LIMIT_CHARACTERS:
        return DoesNotFit("too_long")
    return Converted(text or None)


def _text(value: FieldValue) -> str | DoesNotFit:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _digits(value)
        case dt.datetime():
            moment = _instant(value)
            return moment if isinstance(moment, DoesNotFit) else _iso(moment)
        case dt.date():
            return value.isoformat()
        case tuple():
            return LIST_SEPARATOR.join(value)
        case _:
            return value or ""


def _digits(number: int | float) -> str | DoesNotFit:
    """Every digit and no exponent: repr() is the shortest text that reads back as the same double."""
    if isinstance(number, int):
        # str(int) raises past 4,300 digits, Decimal does not
        return format(Decimal(number), "f")
    if not math.isfinite(number):
        return DoesNotFit("not_finite")
    text = format(Decimal(repr(number)), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _iso(moment: dt.datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _instant(moment: dt.datetime) -> dt.datetime | DoesNotFit:
    """The instant in UTC, cut (not rounded) to the millisecond that records carry."""
    if moment.utcoffset() is None:
        return DoesNotFit("no_time_zone")
    try:
        moment = moment.astimezone(dt.UTC)
    except OverflowError:
        return DoesNotFit("out_of_range")
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _to_number(value: FieldValue, _: FieldDefinition) -> Result:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return DoesNotFit("not_a_number")
    if isinstance(value, int):
        return Converted(value) if -(2**63) <= value < 2**63 else DoesNotFit("too_large")
    if not math.isfinite(value):
        return DoesNotFit("not_finite")
    # one spelling per number, so that equal values are equal bytes and equal dead-letter ids
    return Converted(int(value) if value.is_integer() and abs(value) <= 2**53 else value)


def _to_boolean(value: FieldValue, _: FieldDefinition) -> Result:
    return Converted(value) if isinstance(value, bool) else DoesNotFit("not_a_boolean")


def _date_to_date(value: FieldValue, _: FieldDefinition) -> Result:
    return Converted(value) if _is_date(value) else DoesNotFit("not_a_date")


def _date_to_datetime(value: FieldValue, _: FieldDefinition) -> Result:
    if not isinstance(value, dt.date) or not _is_date(value):
        return DoesNotFit("not_a_date")
    return Converted(dt.datetime.combine(value, dt.time(0), dt.UTC))


def _is_date(value: FieldValue) -> bool:
    # a datetime is a date to isinstance
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


def _datetime_to_datetime(value: FieldValue, _: FieldDefinition) -> Result:
    if not isinstance(value, dt.datetime):
        return DoesNotFit("not_an_instant")
    moment = _instant(value)
    return moment if isinstance(moment, DoesNotFit) else Converted(moment)


def _datetime_to_date(value: FieldValue, target: FieldDefinition) -> Result:
    moment = _datetime_to_datetime(value, target)
    if isinstance(moment, Converted) and isinstance(moment.value, dt.datetime):
        return Converted(moment.value.date())
    return moment


def _text_to_option(value: FieldValue, target: FieldDefinition) -> Result:
    return _one_option((value,), target) if isinstance(value, str) else DoesNotFit("not_text")


def _text_to_options(value: FieldValue, target: FieldDefinition) -> Result:
    """The text is one option, or options between semicolons (as our own list -> text writes them)."""
    if not isinstance(value, str):
        return DoesNotFit("not_text")
    if value in target.options:
        return Converted((value,))
    return _some_options(tuple(item.strip() for item in value.split(";")), target)


def _option_to_options(value: FieldValue, target: FieldDefinition) -> Result:
    return _some_options((value,), target) if isinstance(value, str) else DoesNotFit("not_text")


def _items_to_option(value: FieldValue, target: FieldDefinition) -> Result:
    return _one_option(value, target) if isinstance(value, tuple) else DoesNotFit("not_a_list")


def _items_to_options(value: FieldValue, target: FieldDefinition) -> Result:
    return _some_options(value, target) if isinstance(value, tuple) else DoesNotFit("not_a_list")


def _items_to_list(value: FieldValue, _: FieldDefinition) -> Result:
    return Converted(value) if isinstance(value, tuple) else DoesNotFit("not_a_list")


def _one_option(items: tuple[str, ...], target: FieldDefinition) -> Result:
    if len(set(items)) > 1:
        return DoesNotFit("several_items")
    if _judges_itself(target):
        return Converted(items[0])
    return Converted(items[0]) if items[0] in target.options else DoesNotFit("not_an_option")


def _judges_itself(target: FieldDefinition) -> bool:
    """Its options are kept where nobody could read them: the system refuses what is none of them."""
    return target.external and not target.options


def _some_options(items: tuple[str, ...], target: FieldDefinition) -> Result:
    """In the order of the target's options: one set has one spelling, whatever order it came in."""
    if _judges_itself(target):
        return Converted(tuple(dict.fromkeys(items)))
    chosen = set(items)
    if not chosen <= set(target.options):
        return DoesNotFit("not_an_option")
    return Converted(tuple(option for option in dict.fromkeys(target.options) if option in chosen))


_ANY_TO_STRING: Final[Mapping[tuple[FieldType, FieldType], _Converter]] = {
    (source, "string"): _to_string for source in get_args(FieldType)
}

_TABLE: Final[Mapping[tuple[FieldType, FieldType], _Converter]] = {
    **_ANY_TO_STRING,
    ("number", "number"): _to_number,
    ("boolean", "boolean"): _to_boolean,
    ("date", "date"): _date_to_date,
    ("date", "datetime"): _date_to_datetime,
    ("datetime", "datetime"): _datetime_to_datetime,
    ("datetime", "date"): _datetime_to_date,
    ("string", "enumeration"): _text_to_option,
    ("string", "multi_select"): _text_to_options,
    ("enumeration", "enumeration"): _text_to_option,
    ("enumeration", "multi_select"): _option_to_options,
    ("multi_select", "enumeration"): _items_to_option,
    ("multi_select", "multi_select"): _items_to_options,
    ("multi_select", "list"): _items_to_list,
    ("list", "enumeration"): _items_to_option,
    ("list", "multi_select"): _items_to_options,
    ("list", "list"): _items_to_list,
}
