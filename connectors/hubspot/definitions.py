"""Property definitions <-> field definitions: HubSpot's `type` and `fieldType` against the neutral field types."""

from typing import Final

from connectors.hubspot.protocol import Option, Property
from schemas.configuration import DescribedField
from schemas.values import FieldType

GROUP: Final = "userflow"
GROUP_LABEL: Final = "Userflow"
DESCRIPTION: Final = "Written by Pairstream from Userflow."

_TYPES: Final[dict[str, FieldType]] = {
    "bool": "boolean",
    "number": "number",
    "date": "date",
    "datetime": "datetime",
    "enumeration": "enumeration",
}
_UNWRITABLE: Final = ("json", "object_coordinates")
_UNIQUE_ANYWAY: Final = ("contacts", "email")
"""An email identifies one contact, though the property definition does not say so."""
_MADE: Final[dict[FieldType, tuple[str, str]]] = {
    "string": ("string", "text"),
    "list": ("string", "textarea"),
    "number": ("number", "number"),
    "boolean": ("bool", "booleancheckbox"),
    "date": ("date", "date"),
    "datetime": ("datetime", "date"),
    "enumeration": ("enumeration", "select"),
    "multi_select": ("enumeration", "checkbox"),
}
_TRUE_OR_FALSE: Final = frozenset({"true", "false"})
_YES_OR_NO: Final = (Option("true", "Yes"), Option("false", "No"))
"""HubSpot refuses a bool property without these two options."""


def field_type(definition: Property) -> FieldType:
    """The neutral type; a HubSpot type that is not number, bool, date or enumeration is text.

    Some accounts type a single checkbox as an enumeration: with the options true and false, or none, this is a bool.
    """
    single = definition.type == "enumeration" and definition.field_type == "booleancheckbox"
    if single and {option.value for option in definition.options} in (_TRUE_OR_FALSE, frozenset()):
        return "boolean"
    if definition.type == "enumeration" and definition.field_type == "checkbox":
        return "multi_select"
    return _TYPES.get(definition.type, "string")


def described(object_type: str, definition: Property) -> DescribedField:
    """A property definition in neutral words; hidden options count, because records hold them."""
    kind = field_type(definition)
    choices = tuple(option.value for option in definition.options)
    return DescribedField(
        object_type,
        definition.name,
        definition.label or definition.name,
        kind,
        choices if kind in ("enumeration", "multi_select") else (),
        definition.read_only or definition.calculated or definition.type in _UNWRITABLE,
        definition.unique or (object_type, definition.name) == _UNIQUE_ANYWAY,
        external=definition.external and kind in ("enumeration", "multi_select"),
    )


def definition_of(field: DescribedField) -> Property:
    """The property to create for a field, in our own group; a choice without options becomes a text."""
    choices = tuple(Option(option) for option in dict.fromkeys(field.options) if option)
    kind = field.type
    if kind in ("enumeration", "multi_select") and not choices:
        kind = "list" if kind == "multi_select" else "string"
    of_choice = choices if kind in ("enumeration", "multi_select") else ()
    type_, field_type_ = _MADE[kind]
    return Property(
        field.name,
        type_,
        field_type_,
        field.label or field.name,
        GROUP,
        DESCRIPTION,
        _YES_OR_NO if kind == "boolean" else of_choice,
    )
