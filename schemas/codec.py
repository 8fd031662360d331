"""Records to bytes and back, in Confluent's wire format: magic byte 0, a 4-byte schema id, the Avro body."""

import collections.abc
import dataclasses
import datetime as dt
import io
import struct
import types
import typing
from collections.abc import Callable, Mapping
from sys import intern
from typing import Any, Final

import fastavro

from schemas.records import StampedValue, avro_name
from schemas.registry import SchemaRegistry, record_schema
from schemas.topics import MAX_RECORD_BYTES, TOPICS
from schemas.values import FieldValue

MAGIC = 0
HEADER = struct.Struct(">bI")

# Any: a loader takes plain Avro data, a dumper returns it, and both are dynamically typed. None: no conversion needed.
Step = Callable[[Any], Any] | None


class MalformedRecord(ValueError):
    """The bytes are not a record of this topic: not in the wire format, cut short, or another record."""


class Unencodable(ValueError):
    """The record does not fit its schema, so it cannot be published. The message holds no field values."""

    reason = "unencodable"


class RecordTooLarge(Unencodable):
    """The record is larger than a topic takes in one message."""

    reason = "too_large"


class Codec:
    """Encodes and decodes the records of every topic against one schema registry."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._headers: dict[str, bytes] = {}

    def encode(self, topic: str, record: Any) -> bytes:
        """The wire bytes of a record of that topic. Raises Unencodable, or ValueError for another topic's record."""
        expected = TOPICS[topic].record
        if type(record) is not expected:
            raise ValueError(f"{topic} carries {expected.__name__}, not {type(record).__name__}")
        header = self._headers.get(topic)
        if header is None:
            header = self._headers[topic] = HEADER.pack(MAGIC, self._registry.id_of(topic, avro_name(expected)))
        body = io.BytesIO()
        body.write(header)
        dump = _dumper(expected)
        plain = dump(record) if dump else record
        try:
            fastavro.schemaless_writer(body, record_schema(avro_name(expected)), plain, disable_tuple_notation=True)
        except Exception as error:  # fastavro raises many types: OverflowError, TypeError, struct.error
            raise Unencodable(
                f"{topic}: a {expected.__name__} that does not fit its schema ({type(error).__name__})"
            ) from error
        size = body.tell()
        if size > MAX_RECORD_BYTES:
            raise RecordTooLarge(f"{topic}: a {expected.__name__} of {size:,} bytes, of which {MAX_RECORD_BYTES:,} fit")
        return body.getvalue()

    def decode(self, topic: str, data: bytes) -> Any:
        """The record that wire bytes hold.

        Raises MalformedRecord (a dead letter) or UnknownSchema (this build is too old: stop, before acknowledging).
        """
        record = TOPICS[topic].record
        if len(data) < HEADER.size or data[0] != MAGIC:
            raise MalformedRecord(f"{topic}: not in the wire format (magic byte 0 and a 4-byte schema id)")
        _, schema_id = HEADER.unpack_from(data)
        written = self._registry.schema(topic, schema_id)
        if written is None:
            raise MalformedRecord(f"{topic}: schema {schema_id} was never given out")
        if written.record != avro_name(record):
            raise MalformedRecord(f"{topic}: schema {schema_id} is {written.record}, not {avro_name(record)}")
        body = io.BytesIO(data)
        body.seek(HEADER.size)
        reader = None if written.current else record_schema(avro_name(record))
        try:
            plain = fastavro.schemaless_reader(body, written.schema, reader)
        except Exception as error:  # fastavro raises many types: EOFError, IndexError, ValueError
            raise MalformedRecord(f"{topic}: the body does not fit schema {schema_id}") from error
        if body.read(1):
            raise MalformedRecord(f"{topic}: bytes are left after a record of schema {schema_id}")
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
    return {"at": value} if kind is dt.datetime else value


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
