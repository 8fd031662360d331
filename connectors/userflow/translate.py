"""Userflow's JSON <-> field values and definitions; no network, no clock."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Literal

from connectors.contract.catalog import Catalog
from connectors.contract.errors import Refused
from connectors.http.lenient_json import iso_instant
from connectors.userflow.protocol import Attribute, AttributeDefinition, Kind, Record, change, instant_text
from schemas.values import FieldDefinition, FieldType, FieldValue, millis

USERS, COMPANIES = "users", "companies"
ID_FIELD, EMAIL_FIELD = "id", "email"

_KINDS: Mapping[str, Kind] = {USERS: "users", COMPANIES: "groups"}
_OBJECT_TYPES: Mapping[Kind, str] = {kind: object_type for object_type, kind in _KINDS.items()}
_TYPES: Mapping[str, FieldType] = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "datetime": "datetime",
    "list": "list",
}
_EMPTY: tuple[FieldValue, ...] = (None, "", ())


def kind_of(object_type: str) -> Kind:
    """The API's word for one of our object types; raises Refused for a type that Userflow lacks."""
    if object_type not in _KINDS:
        raise Refused("unknown_object_type")
    return _KINDS[object_type]


def object_type_of(kind: Kind) -> str:
    """Our word for a kind of the API."""
    return _OBJECT_TYPES[kind]


def field_definition(raw: AttributeDefinition) -> FieldDefinition:
    """An attribute's neutral definition; the reference types (content, flow_step, ...) hold ids, which are text."""
    return FieldDefinition(raw.name, _TYPES.get(raw.data_type, "string"), raw.display_name)


def wanted_fields(record: Record, catalog: Catalog) -> dict[str, FieldValue]:
    """Every field of the record's type that the catalog wants; None for a field the record lacks."""
    object_type = object_type_of(record.kind)
    return {name: held_field(record, name, catalog) for name in catalog.wanted(object_type)}


def held_field(record: Record, name: str, catalog: Catalog) -> FieldValue:
    """One field of a whole record; `id` is the record's own."""
    if name == ID_FIELD:
        return record.id
    return field_value(record.attributes.get(name), catalog.definition(object_type_of(record.kind), name))


def field_value(raw: object, definition: FieldDefinition | None = None) -> FieldValue:
    """A JSON value read by its definition; by its JSON kind without a definition or a match. Never raises."""
    # of Userflow's types only datetime lacks a JSON kind of its own
    if isinstance(raw, str) and definition is not None and definition.type == "datetime":
        return _instant(raw) or raw
    return _by_kind(raw)


def attribute(value: FieldValue) -> Attribute:
    """The change that makes the attribute hold the value: always names the type; null clears."""
    match value:
        case None:
            return None
        case bool():
            return change(value, "boolean")
        case int() | float():
            return change(value, "number")
        case dt.date():
            return change(instant_text(millis(_moment(value))), "datetime")
        case tuple():
            return change(list(value), "list")
        case str():
            return change(value, "string")


def holds(raw: object, value: FieldValue) -> bool:
    """Whether the JSON value equals the result of writing `value`; null, "" and an empty list all mean "no value"."""
    read_as: Literal["datetime", "string"] = "datetime" if isinstance(value, dt.date) else "string"
    held = field_value(raw, FieldDefinition("", read_as))
    if held in _EMPTY or value in _EMPTY:
        return held in _EMPTY and value in _EMPTY
    return _comparable(held) == _comparable(value)


def _instant(text: str) -> dt.datetime | None:
    """Any offset; UTC without one; a date is its midnight; cut to the millisecond that records carry."""
    try:
        return iso_instant(text)
    except (ValueError, OverflowError):
        return None


def _by_kind(raw: object) -> FieldValue:
    match raw:
        case None | bool() | float():
            return raw
        case int():
            return _whole(raw)
        case str():
            return raw
        case list():
            return tuple(_item(item) for item in raw if item is not None)
    return _item(raw)


def _whole(number: int) -> FieldValue:
    """An int within the 64 bits that records carry; a larger number is a double in JSON anyway."""
    if -(2**63) <= number < 2**63:
        return number
    try:
        return float(number)
    except OverflowError:
        return str(number)


def _item(item: object) -> str:
    """A list's item as text, a number without trailing zeros; anything but a literal as JSON."""
    match item:
        case str():
            return item
        case float() if item.is_integer():
            return str(int(item))
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def _comparable(value: FieldValue) -> tuple[str, object]:
    """A value with its kind: True differs from 1, 42 equals 42.0, a date is its midnight."""
    match value:
        case bool():
            return "boolean", value
        case int() | float():
            return "number", value
        case dt.date():
            return "datetime", millis(_moment(value))
        case tuple():
            return "list", value
        case str():
            return "string", value
    return "none", None


def _moment(day: dt.date) -> dt.datetime:
    """The instant itself, or a date's midnight in UTC."""
    return day if isinstance(day, dt.datetime) else dt.datetime.combine(day, dt.time(0), dt.UTC)
