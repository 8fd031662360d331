"""Records to Avro bytes and back by fastavro: the reference, the reader of old schemas, and what is used uncompiled."""

import collections.abc
import dataclasses
import datetime as dt
import io
import types
import typing
from collections.abc import Callable, Mapping
from sys import intern
from typing import Any, Final

import fastavro

from schemas.records import StampedValue, avro_name
from schemas.registry import AvroSchema, record_schema
from schemas.values import FieldValue

# Any: a loader takes plain Avro data, a dumper returns it, and both are dynamically typed. None: no conversion needed.
Step = Callable[[Any], Any] | None


class BytesLeft(ValueError):
    """The bytes go on behind the record."""


def encode(header: bytes, record: Any, older: AvroSchema | None = None) -> bytes:
    """Header and body, as an `older` schema has it: without the fields that are newer.

    Raises what fastavro does, of many types, for what does not fit.
    """
    body = io.BytesIO()
    body.write(header)
    dump = _dumper(type(record))
    plain = dump(record) if dump else record
    schema = record_schema(avro_name(type(record))) if older is None else older
    fastavro.schemaless_writer(body, schema, plain, disable_tuple_notation=True)
    return body.getvalue()


def decode(record: type[Any], data: bytes, start: int, written: AvroSchema, *, current: bool) -> Any:
    """The record behind the header. Raises what fastavro does, of many types, for anything but a whole record."""
    body = io.BytesIO(data)
    body.seek(start)
    plain = fastavro.schemaless_reader(body, written, None if current else record_schema(avro_name(record)))
    if body.read(1):
        raise BytesLeft("bytes are left")
    load = _loader(record)
    return load(plain) if load else plain


def _loader(hint: Any) -> Step:
    return _cached(_LOADERS, hint, _make_loader)


def _dumper(hint: Any) -> Step:
    return _cached(_DUMPERS, hint, _make_dumper)


_EMPTY: Final[dict[str, Any]] = {}
_LOADERS: dict[Any, Step] = {}
_DUMPERS: dict[Any, Step] = {}


def _cached(cache: dict[Any, Step], hint: Any, make: Callable[[Any], Step]) -> Step:
    if hint not in cache:
        cache[hint] = make(hint)
    return cache[hint]


def _make_loader(hint: Any) -> Step:
    if hint == FieldValue:
        return _load_value
    if hint == Mapping[str, StampedValue]:
        return _load_stamped
    if dataclasses.is_dataclass(hint):
        return _record_loader(typing.cast(type[Any], hint))
    return _container(hint, _loader, tuple)


def _load_value(value: Any) -> FieldValue:
    kind = type(value)
    if kind is list:
        return tuple(value)
    found: FieldValue = value["at"] if kind is dict else value
    return found


def _dump_value(value: FieldValue) -> Any:
    """Plain Avro data. An instant is its own record: timestamp-millis is a long, and a union holds long once."""
    kind = type(value)
    if kind is tuple:
        return list(typing.cast(tuple[str, ...], value))
    if kind is not dt.datetime:
        return value
    if value.tzinfo is None:  # type: ignore[union-attr] # fastavro would take it for this machine's time of day
        raise TypeError("an instant without a time zone")
    return {"at": value}


# Maps of stamped values are most of the traffic. Handling them directly halves the cost of the general steps.
def _load_stamped(plain: dict[str, Any]) -> dict[str, StampedValue]:
    return {
        # names of fields are few: each once for all rows, not once for each
        intern(name): StampedValue(
            _load_value(stamped["value"]), stamped["at_ms"], stamped["spread_ms"], stamped["ours"]
        )
        for name, stamped in plain.items()
    }


def _dump_stamped(fields: Mapping[str, StampedValue]) -> dict[str, Any]:
    return {
        name: {
            "value": _dump_value(stamped.value),
            "at_ms": stamped.at_ms,
            "spread_ms": stamped.spread_ms,
            "ours": stamped.ours,
        }
        for name, stamped in fields.items()
    }


def _make_dumper(hint: Any) -> Step:
    if hint == FieldValue:
        return _dump_value
    if hint == Mapping[str, StampedValue]:
        return _dump_stamped
    if dataclasses.is_dataclass(hint):
        return _record_dumper(typing.cast(type[Any], hint))
    return _container(hint, _dumper, list)


def _container(hint: Any, step_of: Callable[[Any], Step], sequence: type[Any]) -> Step:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        item = step_of(arguments[0])
        return sequence if item is None else lambda values: sequence(map(item, values))
    if origin is collections.abc.Mapping:
        value_step = step_of(arguments[1])
        return None if value_step is None else lambda values: {key: value_step(value) for key, value in values.items()}
    if origin in (types.UnionType, typing.Union):
        inner = step_of(next(argument for argument in arguments if argument is not type(None)))
        return None if inner is None else lambda value: None if value is None else inner(value)
    return None


def _steps(record: type[Any], step_of: Callable[[Any], Step]) -> list[tuple[str, Callable[[Any], Any]]]:
    hints: Mapping[str, Any] = typing.get_type_hints(record)
    steps = ((field.name, step_of(hints[field.name])) for field in dataclasses.fields(record))
    return [(name, step) for name, step in steps if step is not None]


def _record_loader(record: type[Any]) -> Callable[[Any], Any]:
    steps, maps = _steps(record, _loader), _maps(record)

    def load(plain: Any) -> Any:
        for name, step in steps:
            plain[name] = step(plain[name])
        for name in maps:
            # most maps of a state row are empty: one for all rows, which nobody changes, since they are Mappings
            plain[name] = plain[name] or _EMPTY
        return record(**plain)

    return load


def _maps(record: type[Any]) -> tuple[str, ...]:
    hints: Mapping[str, Any] = typing.get_type_hints(record)
    return tuple(name for name, hint in hints.items() if typing.get_origin(hint) is collections.abc.Mapping)


def _record_dumper(record: type[Any]) -> Callable[[Any], Any]:
    names = tuple(field.name for field in dataclasses.fields(record))
    steps = _steps(record, _dumper)

    def dump(value: Any) -> dict[str, Any]:
        plain = {name: getattr(value, name) for name in names}
        for name, step in steps:
            plain[name] = step(plain[name])
        return plain

    return dump
