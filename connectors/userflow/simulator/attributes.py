"""Applies attribute writes as Userflow does: literals and change objects, types guessed and kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.simulation.calls import Json
from connectors.simulation.clock import epoch_ms_of, iso_offset
from connectors.userflow.simulator.definitions import Definitions
from connectors.userflow.simulator.errors import invalid
from connectors.userflow.simulator.settings import UserflowSettings

OPERATIONS = ("set", "set_once", "add", "subtract", "append", "prepend", "remove")
DATA_TYPES = ("string", "boolean", "number", "datetime", "list")
_NAME = re.compile(r"[A-Za-z0-9_\- ]+")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")


@dataclass(frozen=True)
class AttributeWrite:
    """One attribute's change: an operation of OPERATIONS with its value, and the named type if any."""

    name: str
    operation: str
    value: Json
    data_type: str | None = None


def attribute_write(name: str, wire: Json, *, for_event: bool = False) -> AttributeWrite:
    """The change of its JSON: a literal, or `{"set": v, "data_type": t}` and the like; Refusal 400 otherwise."""
    if not _NAME.fullmatch(name):
        raise invalid(f"`attributes.{name}`: invalid name")
    if not isinstance(wire, dict):
        return AttributeWrite(name, "set", _literal(name, wire))
    operations = [key for key in wire if key in OPERATIONS]
    unknown = set(wire) - set(OPERATIONS) - {"data_type"}
    data_type = wire.get("data_type")
    if len(operations) != 1 or unknown or (data_type is not None and data_type not in DATA_TYPES):
        raise invalid(f"`attributes.{name}`: expected one operation and maybe a data_type")
    if for_event and operations != ["set"]:
        raise invalid(f"`attributes.{name}`: events take only `set`")
    return AttributeWrite(name, operations[0], _literal(name, wire[operations[0]]), data_type)


def _literal(name: str, value: Json) -> Json:
    plain = (str, int, float, bool, type(None))
    if isinstance(value, list) and all(isinstance(item, plain) and item is not None for item in value):
        return value
    if not isinstance(value, plain):
        raise invalid(f"`attributes.{name}`: not a literal")
    return value


class AttributeRules:
    """Applies writes by the definitions of one scope, defining what is new."""

    def __init__(self, definitions: Definitions, settings: UserflowSettings, scope: str, now_ms: int) -> None:
        self._definitions, self._settings, self._scope, self._now_ms = definitions, settings, scope, now_ms

    def applied(self, current: Mapping[str, Json], changes: Mapping[str, Json]) -> dict[str, Json]:
        """The attributes after the changes; Refusal 400 leaves nothing defined or written."""
        for_event = self._scope == "event"
        writes = [attribute_write(name, wire, for_event=for_event) for name, wire in changes.items()]
        values = [(write, self._result(write, current.get(write.name))) for write in writes]
        types = [(write, value, self._type(write, value)) for write, value in values]
        after = dict(current)
        for write, value, data_type in types:
            if value is None and self._settings.null_write == "remove":
                after.pop(write.name, None)
            else:
                after[write.name] = self._normal(value, data_type)
            if data_type is not None:
                self._definitions.define_attribute(self._scope, write.name, data_type, self._now_ms)
        return after

    def _result(self, write: AttributeWrite, current: Json) -> Json:
        match write.operation:
            case "set_once":
                return write.value if current is None else current
            case "add" | "subtract":
                sign = 1 if write.operation == "add" else -1
                return _number(write.name, current or 0) + sign * _number(write.name, write.value)
            case "append" | "prepend" | "remove":
                return _list_result(write, current if isinstance(current, list) else [])
        return write.value

    def _type(self, write: AttributeWrite, value: Json) -> str | None:
        """The attribute's type after the write, None if neither named nor known."""
        defined = self._definitions.attribute_type(self._scope, write.name)
        if value is None:
            return defined
        wanted = defined or write.data_type or self._guess(value)
        said_otherwise = write.data_type is not None and write.data_type != wanted
        if said_otherwise or not _fits(value, wanted):
            if self._settings.type_clash == "refuse":
                raise invalid(f"`attributes.{write.name}`: not a {wanted}")
            return defined or self._guess(value)
        return wanted

    def _guess(self, value: Json) -> str:
        if isinstance(value, bool):
            return "boolean"
        if isinstance(value, int | float):
            return "number"
        if isinstance(value, list):
            return "list"
        return (
            "datetime" if self._settings.guess_datetimes and _INSTANT.match(value) and _is_instant(value) else "string"
        )

    def _normal(self, value: Json, data_type: str | None) -> Json:
        if data_type == "datetime" and isinstance(value, str) and self._settings.normalise_datetimes:
            return iso_offset(epoch_ms_of(value)) if _fits(value, "datetime") else value
        return value


def _fits(value: Json, data_type: str) -> bool:
    match data_type:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list)
        case "datetime":
            return isinstance(value, str) and _is_instant(value)
    # reference types (content, flow_step, ...) hold ids
    return isinstance(value, str)


def _is_instant(text: str) -> bool:
    try:
        epoch_ms_of(text)
    except ValueError:
        return False
    return not text.isdigit()


def _number(name: str, value: Json) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise invalid(f"`attributes.{name}`: not a number") from None
    return int(number) if number.is_integer() else number


def _list_result(write: AttributeWrite, current: list[Json]) -> list[Json]:
    items = write.value if isinstance(write.value, list) else [write.value]
    if write.operation == "remove":
        return [item for item in current if item not in items]
    fresh = [item for item in items if item not in current]
    return [*current, *fresh] if write.operation == "append" else [*fresh, *current]
