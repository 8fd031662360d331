"""Definitions: properties, their groups, and the schemas of custom objects."""

from dataclasses import dataclass

from connectors.contract.errors import Refused
from connectors.http.lenient_json import JsonObject, flag_at, object_at, objects_at, text_at, told_at
from connectors.http.messages import Call, Request, Response, json_request, segment
from connectors.hubspot.protocol.answers import accept, call, rows
from connectors.hubspot.protocol.paths import PROPERTIES, SCHEMAS


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of an enumeration; records store `value`."""

    value: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Property:
    """One property definition; `type` and `field_type` are HubSpot's words, such as `enumeration` and `checkbox`.

    `external`: HubSpot keeps the options elsewhere, as for owners, or tells none: what it does not tell, it judges.
    """

    name: str
    type: str
    field_type: str = ""
    label: str = ""
    group: str = ""
    description: str = ""
    options: tuple[Option, ...] = ()
    unique: bool = False
    read_only: bool = False
    calculated: bool = False
    of_hubspot: bool = False
    external: bool = False


@dataclass(frozen=True, slots=True)
class PropertyGroup:
    """A heading over properties in HubSpot's pages."""

    name: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """A custom object type; `object_type_id` is `2-N`, `name` the account's own word."""

    object_type_id: str
    name: str
    fully_qualified_name: str = ""


def list_properties(object_type: str, *, archived: bool = False) -> Call[tuple[Property, ...]]:
    """Every live property of a type, or every archived one, in one answer."""
    request = Request("GET", _of(object_type), (("archived", "true"),) if archived else ())

    def read(response: Response) -> tuple[Property, ...]:
        wanted = (row for row in rows(response) if archived or not flag_at(row, "archived"))
        return tuple(map(_property, wanted))

    return call(request, read, "control")


def create_property(object_type: str, definition: Property) -> Call[bool]:
    """True if created, False if one of that name exists; creates a definition, never a record."""
    body = {
        "name": definition.name,
        "label": definition.label or definition.name,
        "type": definition.type,
        "fieldType": definition.field_type,
        "groupName": definition.group,
        "description": definition.description,
        "options": [
            {"value": option.value, "label": option.label or option.value, "displayOrder": order, "hidden": False}
            for order, option in enumerate(definition.options)
        ],
    }
    return _created(json_request("POST", _of(object_type), body, "write"))


def create_property_group(object_type: str, group: PropertyGroup) -> Call[bool]:
    """True if created, False if one of that name exists."""
    body = {"name": group.name, "label": group.label or group.name}
    return _created(json_request("POST", f"{_of(object_type)}/groups", body, "write"))


def list_schemas() -> Call[tuple[ObjectSchema, ...]]:
    """The account's custom object types."""
    return call(Request("GET", SCHEMAS), lambda response: tuple(map(_schema, rows(response))), "control")


def _of(object_type: str) -> str:
    return f"{PROPERTIES}/{segment(object_type)}"


def _created(request: Request) -> Call[bool]:
    def parse(response: Response) -> bool:
        try:
            accept(response, request.kind)
        except Refused as refusal:
            if refusal.status == 409:
                return False
            raise
        return True

    return Call(request, parse, "control")


def _property(raw: JsonObject) -> Property:
    return Property(
        name=text_at(raw, "name") or "",
        type=text_at(raw, "type") or "",
        field_type=text_at(raw, "fieldType") or "",
        label=text_at(raw, "label") or "",
        group=text_at(raw, "groupName") or "",
        description=text_at(raw, "description") or "",
        options=tuple(map(_option, objects_at(raw, "options"))),
        unique=flag_at(raw, "hasUniqueValue"),
        read_only=flag_at(object_at(raw, "modificationMetadata"), "readOnlyValue"),
        calculated=flag_at(raw, "calculated"),
        of_hubspot=flag_at(raw, "hubspotDefined"),
        external=flag_at(raw, "externalOptions") or not isinstance(raw.get("options"), list),
    )


def _option(raw: JsonObject) -> Option:
    return Option(told_at(raw, "value") or "", text_at(raw, "label") or "")


def _group(raw: JsonObject) -> PropertyGroup:
    return PropertyGroup(text_at(raw, "name") or "", text_at(raw, "label") or "")


def _schema(raw: JsonObject) -> ObjectSchema:
    return ObjectSchema(
        text_at(raw, "objectTypeId") or text_at(raw, "id") or "",
        text_at(raw, "name") or "",
        text_at(raw, "fullyQualifiedName") or "",
    )
