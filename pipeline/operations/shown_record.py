"""A record as plain JSON for a person: people's values only where they are asked for, secrets never. Pure.

Whether something is a value follows from its type, so a field that a record gets later is hidden without being named.
Ids, match values and names of fields are shown.
"""

import collections.abc
import dataclasses
import datetime as dt
import json
import types
import typing
from typing import Any, Final

from schemas.codec import Codec, MalformedRecord
from schemas.records import DeadLetter, Notification, avro_name
from schemas.registry import UnknownSchema
from schemas.topics import TOPICS
from schemas.values import FieldValue

HIDDEN: Final = "hidden"

# Any: JSON, and hints of types
Json = Any
Hint = Any


def shown(record: Any, codec: Codec, *, values: bool) -> Json:
    """The record, its name first. `values` shows what fields hold, and the bodies of webhooks."""
    return {"record": avro_name(type(record)), **_fields(record, codec, values)}


def _fields(record: Any, codec: Codec, values: bool) -> dict[str, Json]:
    hints = typing.get_type_hints(type(record))
    return {
        field.name: _field(record, field.name, hints[field.name], codec, values) for field in dataclasses.fields(record)
    }


def _field(record: Any, name: str, hint: Hint, codec: Codec, values: bool) -> Json:
    value = getattr(record, name)
    match record, name:
        case Notification(), "body":
            return _body(value) if values else _size(value)
        case Notification(), "headers":  # signatures among them
            return dict.fromkeys(value, HIDDEN)
        case DeadLetter(), "value":
            return repeated(record, codec, values=values)
    return _plain(value, hint, codec, values)


def _plain(value: Any, hint: Hint, codec: Codec, values: bool) -> Json:
    if hint == FieldValue:
        return plain_value(value) if values or value is None else HIDDEN
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):  # seals, salts and hashes
        return _size(value)
    if dataclasses.is_dataclass(value):
        return _fields(value, codec, values)
    origin: Any = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = next(one for one in arguments if one is not type(None))
        return _plain(value, inner, codec, values)
    if origin is collections.abc.Mapping:
        return {key: _plain(each, arguments[1], codec, values) for key, each in value.items()}
    return [_plain(each, arguments[0], codec, values) for each in value]


def plain_value(value: FieldValue) -> Json:
    """What a field holds, as JSON."""
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _size(value: bytes) -> Json:
    return {"bytes": len(value)}


def _body(body: bytes) -> Json:
    """A webhook's body as the vendor's JSON, or as text where it is none."""
    text = body.decode(errors="replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def repeated(letter: DeadLetter, codec: Codec, *, values: bool) -> Json:
    """The record that a letter repeats; what is wrong with its bytes where they cannot be read."""
    if letter.topic not in TOPICS or not letter.value:
        return _size(letter.value)
    try:
        return shown(codec.decode(letter.topic, letter.value), codec, values=values)
    except (MalformedRecord, UnknownSchema) as error:
        return {**_size(letter.value), "unreadable": str(error)}
