"""Object types, properties and property groups of the simulated account."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from connectors.hubspot.simulator.errors import ErrorAnswer, invalid
from connectors.hubspot.simulator.standard import STANDARD_GROUPS, STANDARD_PROPERTIES
from connectors.simulation.calls import Json
from connectors.simulation.clock import iso_z

MOST_OWN_PROPERTIES = 1_000
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TYPES = ("bool", "date", "datetime", "enumeration", "number", "string", "phone_number")


@dataclass(frozen=True)
class ObjectType:
    """`type_id` like 0-1 or 2-77; `name` as in paths (contacts); `word` as in webhooks and messages (contact)."""

    type_id: str
    name: str
    word: str
    modified: str = "hs_lastmodifieddate"
    created: str = "createdate"
    shown: tuple[str, ...] = ()
    schema: Mapping[str, Json] = field(default_factory=dict)

    @property
    def system_properties(self) -> tuple[str, ...]:
        """The properties in every answer."""
        return (self.created, self.modified, "hs_object_id")


STANDARD_TYPES = (
    ObjectType("0-1", "contacts", "contact", "lastmodifieddate", shown=("email", "firstname", "lastname")),
    ObjectType("0-2", "companies", "company", shown=("name", "domain")),
    ObjectType("0-3", "deals", "deal", shown=("dealname", "amount", "dealstage", "pipeline", "closedate")),
    ObjectType("0-5", "tickets", "ticket", shown=("subject", "content", "hs_pipeline", "hs_pipeline_stage")),
)


@dataclass(frozen=True)
class Property:
    """One property definition; `options` are (value, label) pairs; `external` ones are kept elsewhere (owners, say)."""

    name: str
    label: str
    type: str
    field_type: str
    group: str
    description: str = ""
    options: tuple[tuple[str, str], ...] = ()
    unique: bool = False
    read_only: bool = False
    calculated: bool = False
    defined_by_hubspot: bool = False
    created_ms: int = 0
    archived_ms: int | None = None
    created_by: str = "hubspot"
    external: bool = False

    @property
    def several(self) -> bool:
        """Whether a value may hold several options, joined by `;`."""
        return self.type == "enumeration" and self.field_type == "checkbox"

    def wire(self) -> Json:
        """The definition as the API shows it."""
        options = [
            {"value": value, "label": label, "displayOrder": order, "hidden": False}
            for order, (value, label) in enumerate(() if self.external else self.options)
        ]
        archived = {} if self.archived_ms is None else {"archivedAt": iso_z(self.archived_ms)}
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": options,
            "displayOrder": -1,
            "calculated": self.calculated,
            "externalOptions": self.external,
            "hasUniqueValue": self.unique,
            "hidden": False,
            "hubspotDefined": self.defined_by_hubspot,
            "formField": False,
            "archived": self.archived_ms is not None,
            "createdAt": iso_z(self.created_ms),
            "updatedAt": iso_z(self.created_ms),
            "modificationMetadata": {
                "archivable": not self.defined_by_hubspot,
                "readOnlyDefinition": self.defined_by_hubspot,
                "readOnlyValue": self.read_only,
            },
            **archived,
        }


def property_of(wire: Mapping[str, Json], *, created_ms: int, created_by: str) -> Property:
    """The definition of its JSON; Refusal 400 if a needed part is missing or unknown."""
    missing = [name for name in ("name", "label", "type", "fieldType", "groupName") if not wire.get(name)]
    if missing:
        raise invalid(f"Some required fields were not set: {missing}")
    if wire["type"] not in _TYPES or not _NAME.fullmatch(wire["name"]):
        raise invalid(f"Invalid property definition: {wire['name']}")
    metadata = wire.get("modificationMetadata", {})
    return Property(
        name=wire["name"],
        label=wire["label"],
        type=wire["type"],
        field_type=wire["fieldType"],
        group=wire["groupName"],
        description=wire.get("description") or "",
        options=options_of(wire.get("options") or ()),
        unique=bool(wire.get("hasUniqueValue")),
        read_only=bool(metadata.get("readOnlyValue")),
        calculated=bool(wire.get("calculated")),
        created_ms=created_ms,
        created_by=created_by,
        external=bool(wire.get("externalOptions")),
    )


def options_of(wire: Iterable[Json]) -> tuple[tuple[str, str], ...]:
    """(value, label) pairs of an options list."""
    return tuple((str(option["value"]), str(option.get("label", option["value"]))) for option in wire)


class Definitions:
    """The account's object types with their properties and groups."""

    def __init__(self, portal_id: int) -> None:
        self._portal_id = portal_id
        self._types: dict[str, ObjectType] = {}
        self._names: dict[str, ObjectType] = {}
        self.properties: dict[str, dict[str, Property]] = {}
        self.groups: dict[str, dict[str, Json]] = {}
        for standard in STANDARD_TYPES:
            self._add(standard)

    def resolve(self, name: str) -> ObjectType:
        """The type of any of its names: contacts, contact, 0-1, 2-77, p<account>_<name>; Refusal 400 for others."""
        try:
            return self._names[name.lower()]
        except KeyError:
            raise invalid(f"Unable to infer object type from: {name}") from None

    def all_types(self) -> list[ObjectType]:
        """Every object type."""
        return list(self._types.values())

    def custom_types(self) -> list[ObjectType]:
        """The custom object types."""
        return [kind for kind in self._types.values() if kind.type_id.startswith("2-")]

    def add_schema(self, wire: Mapping[str, Json], now_ms: int) -> ObjectType:
        """Define a custom object type; `objectTypeId` may be given, else the next `2-N`."""
        name = wire["name"]
        type_id = wire.get("objectTypeId") or f"2-{1000 + len(self._types)}"
        labels = wire.get("labels") or {"singular": name, "plural": name}
        full = f"p{self._portal_id}_{name}"
        shown = tuple(wire.get("requiredProperties", ()))
        schema = {**wire, "labels": labels, "createdAt": iso_z(now_ms), "updatedAt": iso_z(now_ms)}
        kind = ObjectType(type_id, full, name, created="hs_createdate", shown=shown, schema=schema)
        self._add(kind)
        for definition in wire.get("properties", ()):
            given = {"groupName": f"{name}_information", "label": definition["name"], "fieldType": "text", **definition}
            self.put(kind, property_of(given, created_ms=now_ms, created_by="person"))
        return kind

    def get(self, kind: ObjectType, name: str, *, archived: bool = False) -> Property | None:
        """One definition, or None if there is none in that state."""
        found = self.properties[kind.type_id].get(name)
        return found if found is not None and (found.archived_ms is not None) == archived else None

    def listing(self, kind: ObjectType, *, archived: bool = False) -> list[Property]:
        """The definitions of a type."""
        return [each for each in self.properties[kind.type_id].values() if (each.archived_ms is not None) == archived]

    def put(self, kind: ObjectType, definition: Property) -> None:
        """Add or replace one definition, creating its group if it is missing."""
        self.properties[kind.type_id][definition.name] = definition
        self.groups[kind.type_id].setdefault(definition.group, _group(definition.group, definition.group))

    def create(self, kind: ObjectType, definition: Property) -> Property:
        """Create as the API does: 409 for a living name; an archived one is restored; needs a group, and room."""
        if self.get(kind, definition.name) is not None:
            raise ErrorAnswer(
                409,
                "OBJECT_ALREADY_EXISTS",
                f"A property named '{definition.name}' already exists.",
                sub_category="Properties.PROPERTY_WITH_NAME_EXISTS",
            )
        if definition.group not in self.groups[kind.type_id]:
            raise invalid(f"Property group {definition.group} does not exist")
        if sum(1 for each in self.listing(kind) if not each.defined_by_hubspot) >= MOST_OWN_PROPERTIES:
            raise invalid(f"Cannot create more than {MOST_OWN_PROPERTIES} properties")
        self.put(kind, definition)
        return definition

    def archive(self, kind: ObjectType, name: str, now_ms: int) -> None:
        """Archive a definition; Refusal 404 if there is none."""
        self.properties[kind.type_id][name] = replace(self.required(kind, name), archived_ms=now_ms)

    def required(self, kind: ObjectType, name: str, *, archived: bool = False) -> Property:
        """One definition; Refusal 404 if there is none in that state."""
        found = self.get(kind, name, archived=archived)
        if found is None:
            raise ErrorAnswer(404, "OBJECT_NOT_FOUND", f"No property named '{name}'.")
        return found

    def create_group(self, kind: ObjectType, wire: Mapping[str, Json]) -> Json:
        """Add a group; Refusal 409 if its name is taken."""
        if wire["name"] in self.groups[kind.type_id]:
            raise ErrorAnswer(409, "OBJECT_ALREADY_EXISTS", f"A property group named '{wire['name']}' already exists.")
        group = _group(wire["name"], wire.get("label") or wire["name"])
        self.groups[kind.type_id][group["name"]] = group
        return group

    def schema_wire(self, kind: ObjectType) -> Json:
        """A custom object type as the schemas API shows it."""
        return {
            "requiredProperties": [],
            "searchableProperties": [],
            "secondaryDisplayProperties": [],
            "associations": [],
            "allowsSensitiveProperties": False,
            **kind.schema,
            "id": kind.type_id.removeprefix("2-"),
            "objectTypeId": kind.type_id,
            "fullyQualifiedName": kind.name,
            "name": kind.word,
            "archived": False,
            "properties": [definition.wire() for definition in self.listing(kind)],
        }

    def _add(self, kind: ObjectType) -> None:
        self._types[kind.type_id] = kind
        for name in (kind.type_id, kind.name, *([] if kind.type_id.startswith("2-") else [kind.word])):
            self._names[name.lower()] = kind
        self.properties[kind.type_id] = {}
        own_group = f"{kind.word}_information" if kind.schema else STANDARD_GROUPS[kind.name]
        self.groups[kind.type_id] = {own_group: _group(own_group, own_group)}
        for row in (*STANDARD_PROPERTIES.get(kind.name, ()), *_system_rows(kind)):
            self.properties[kind.type_id][row[0]] = _standard_property(row, own_group)


def _group(name: str, label: str) -> Json:
    return {"name": name, "label": label, "displayOrder": -1, "archived": False}


def _system_rows(kind: ObjectType) -> list[tuple[str, str, str]]:
    return [
        (kind.created, "datetime/date", "ro"),
        (kind.modified, "datetime/date", "ro"),
        ("hs_object_id", "number/number", "ro"),
        ("hs_merged_object_ids", "enumeration/checkbox", "ro"),
    ]


def _standard_property(row: tuple[str, str, str], group: str) -> Property:
    name, types, extra = row
    kind, field_type = types.split("/")
    marked = extra in ("ro", "calculated")
    options = () if marked or extra == "external" else tuple((value, value) for value in extra.split("|") if value)
    label = name.removeprefix("hs_").replace("_", " ").capitalize()
    return Property(
        name, label, kind, field_type, group, options=options, read_only=marked, calculated=extra == "calculated",
        defined_by_hubspot=True, external=extra == "external",
    )  # fmt: skip
