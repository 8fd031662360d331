"""Names the field of a record that does not fit its schema, without its value."""

import collections.abc
import dataclasses
import datetime as dt
import types
import typing
from typing import Any, Final

from schemas.values import FieldValue

LONG: Final = range(-(2**63), 2**63)
DOUBLE: Final = range(-(2**1024 - 2**970) + 1, 2**1024 - 2**970)  # whole numbers that a double comes near


def misfit(record: Any) -> str | None:
    """The field, as `fields.value` where it is in a record inside; None where every one fits.

    Keys of maps are left out: some are ids or match values.
    """
    hints = typing.get_type_hints(type(record))
    for field in dataclasses.fields(record):
        below = _below(hints[field.name], getattr(record, field.name))
        if below is not None:
            return f"{field.name}.{below}" if below else field.name
    return None


def _below(hint: Any, value: Any) -> str | None:
    """The field inside a value that does not fit; empty where it is the value itself; None where all is well."""
    if hint == FieldValue:
        return None if _is_field_value(value) else ""
    if dataclasses.is_dataclass(hint):
        return misfit(value) if type(value) is hint else ""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _below(inner, value)
    if origin is tuple:
        return _first(arguments[0], value) if isinstance(value, tuple | list) else ""
    if origin is collections.abc.Mapping:
        fits = isinstance(value, collections.abc.Mapping) and all(map(_is_text, value))
        return _first(arguments[1], value.values()) if fits else ""
    return None if _PLAIN[str if origin is typing.Literal else hint](value) else ""


def _first(hint: Any, values: collections.abc.Iterable[Any]) -> str | None:
    return next((below for value in values if (below := _below(hint, value)) is not None), None)


def _is_text(value: Any) -> bool:
    """Half of a surrogate pair is a character that UTF-8 cannot say."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and value in LONG


def _is_field_value(value: Any) -> bool:
    if isinstance(value, dt.datetime):
        return value.tzinfo is not None
    if value is None or isinstance(value, bool | float | dt.date):
        return True
    if isinstance(value, tuple | list):
        return all(map(_is_text, value))
    return value in DOUBLE if isinstance(value, int) else _is_text(value)


_PLAIN: Final[dict[Any, collections.abc.Callable[[Any], bool]]] = {
    str: _is_text,
    int: _is_long,
    bool: lambda value: isinstance(value, bool),
    bytes: lambda value: isinstance(value, bytes),
}
