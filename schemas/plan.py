"""The tree of nodes by which `compiled` writes and reads a record, made once from its schema and its type hints."""

import collections.abc
import dataclasses
import types
import typing
from functools import cache
from typing import Any, Final

from schemas import compiled
from schemas.records import StampedValue, avro_name
from schemas.registry import record_schema
from schemas.values import FieldValue

VALUE_BRANCHES: Final = ["null", "string", "boolean", "long", "double", "int", "pairstream.Instant", "array"]
"""The branches of a FieldValue by their numbers on the wire: `compiled.Value` knows them by heart."""


class PlanDiffers(TypeError):
    """A schema and its dataclass are not the same shape: this build is broken."""


def plan_of(record: type[Any]) -> compiled.Node:
    """The tree of a record that this build writes. Raises PlanDiffers."""
    return _plan_of(typing.cast(Any, record))


def older_plan_of(record: type[Any], older: Any) -> compiled.Node | None:
    """The tree by which a record is written as an older schema has it, without the fields that came later.

    None where that schema has a field that is gone since: only fastavro writes its default.
    """
    try:
        return _node(record, older, _Known(older=True))
    except PlanDiffers:
        return None


@cache
def _plan_of(record: Any) -> compiled.Node:
    return _node(record, record_schema(avro_name(record)), _Known())


class _Known(dict[str, compiled.Node]):
    """The records planned so far: a schema holds each once, and names it later. `older`: fields may lack."""

    def __init__(self, *, older: bool = False) -> None:
        super().__init__()
        self.older = older


def _node(hint: Any, schema: Any, known: _Known) -> compiled.Node:
    if hint == FieldValue:
        return _value(schema)
    if dataclasses.is_dataclass(hint):
        return _record(typing.cast(type[Any], hint), schema, known)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and _kind(schema) == "array":
        return compiled.Array(_node(arguments[0], schema["items"], known))
    if origin is collections.abc.Mapping and _kind(schema) == "map":
        names = arguments[1] is StampedValue
        return compiled.Map(_node(arguments[1], schema["values"], known), names)
    if origin in (types.UnionType, typing.Union) and isinstance(schema, list) and schema[0] == "null":
        return compiled.Optional(_node(next(one for one in arguments if one is not type(None)), schema[1], known))
    return _plain(str if origin is typing.Literal else hint, schema)


_PLAIN: Final[dict[Any, tuple[str, type[compiled.Node]]]] = {
    str: ("string", compiled.Text),
    int: ("long", compiled.Long),
    bool: ("boolean", compiled.Boolean),
    bytes: ("bytes", compiled.Raw),
}


def _plain(hint: Any, schema: Any) -> compiled.Node:
    word, node = _PLAIN.get(hint, ("", compiled.Node))
    if _kind(schema) != word:
        raise PlanDiffers(f"{hint} is written as {_kind(schema)}")
    return node()


def _value(schema: Any) -> compiled.Node:
    if [_kind(branch) for branch in schema] != VALUE_BRANCHES:
        raise PlanDiffers("the branches of a FieldValue are others")
    return compiled.Value()


def _record(record: type[Any], schema: Any, known: _Known) -> compiled.Node:
    name = f"pairstream.{avro_name(record)}"
    if _kind(schema) != name:
        raise PlanDiffers(f"{name} is written as {_kind(schema)}")
    if isinstance(schema, str):
        return known[name]
    written = [field["name"] for field in schema["fields"]]
    there = [field.name for field in dataclasses.fields(record) if not known.older or field.name in written]
    if written != there:
        raise PlanDiffers(f"{name} has other fields, or in another order")
    hints = typing.get_type_hints(record)
    nodes = ((field["name"], _node(hints[field["name"]], field["type"], known)) for field in schema["fields"])
    known[name] = compiled.Record(record, tuple(nodes))
    return known[name]


def _kind(schema: Any) -> str:
    """The word that tells branches of a union apart: a record's or a type's name."""
    if isinstance(schema, list):
        return "union"
    return schema if isinstance(schema, str) else str(schema.get("name", schema["type"]))
