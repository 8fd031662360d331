"""Refusals of a file that need both systems' field definitions."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from pipeline.core.conversion import has_converter
from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.names import HUBSPOT_TYPES
from pipeline.integration_file.problems import MOST_PROBLEMS, Problem, in_order, near
from pipeline.integration_file.rules import FieldNode, Road, roads
from schemas.values import FieldDefinition, FieldType, System

Fields: TypeAlias = Mapping[str, Mapping[str, FieldDefinition]]
"""Definitions by object type, then by field name; an associated field stands under its own type."""

_MATCH_TYPES: Final[tuple[FieldType, ...]] = ("string", "number", "enumeration")
_OF_OPTIONS: Final = ("enumeration", "multi_select")
MOST_NAME_CHARACTERS: Final = 100
"""HubSpot's bound for the names of custom events and their properties; no page tells one for records' properties."""

_CREATED_IN_HUBSPOT: Final[Mapping[FieldType, FieldType]] = {
    "list": "string",
    "multi_select": "string",
    "enumeration": "string",
}
_CREATED_IN_USERFLOW: Final[Mapping[FieldType, FieldType]] = {
    "date": "datetime",
    "multi_select": "list",
    "enumeration": "string",
}
# Userflow's definitions leave out the id, which is no attribute, and may leave out built-in attributes
ALWAYS_IN_USERFLOW: Final[Mapping[str, FieldDefinition]] = {
    **{name: FieldDefinition(name, "string") for name in ("id", "email", "name", "locale_code")},
    **{name: FieldDefinition(name, "datetime") for name in ("signed_up_at", "first_seen_at", "last_seen_at")},
}


def created_type(system: System, source: FieldType) -> FieldType:
    """The type of a target field that a rule makes: by us in HubSpot, by its first write in Userflow."""
    table = _CREATED_IN_HUBSPOT if system == "hubspot" else _CREATED_IN_USERFLOW
    return table.get(source, source)


def check_fields(file: IntegrationFile, hubspot_fields: Fields, userflow_fields: Fields) -> tuple[Problem, ...]:
    """Unknown fields, read-only targets, and type pairs without a converter, in the order of the file.

    A `userflow_...` field that HubSpot lacks is no problem: it will be created as `created_type` says. Neither is a
    field that Userflow lacks: its first write makes it.
    """
    fields: Mapping[System, Fields] = {"hubspot": hubspot_fields, "userflow": userflow_fields}
    problems = [*_unknown_types(file, fields), *_match_fields(file, fields)]
    for road in roads(file):
        # past what is shown no name is guessed: a guess looks at every field there is
        problems += _road_problems(file, road, fields, guess=len(problems) < MOST_PROBLEMS)
    return in_order(problems)


def definition(node: FieldNode, fields: Mapping[System, Fields]) -> FieldDefinition | None:
    """What the system says of the field; None where it has no such field."""
    known = fields[node.system].get(node.object_type, {}).get(node.field)
    if known is not None and not known.archived:
        return known
    return ALWAYS_IN_USERFLOW.get(node.field) if node.system == "userflow" else None


def _unknown_types(file: IntegrationFile, fields: Mapping[System, Fields]) -> Iterator[Problem]:
    for index, mapping in enumerate(file.mappings):
        custom = mapping.hubspot_type not in HUBSPOT_TYPES
        if custom and mapping.hubspot_type not in fields["hubspot"]:
            message = f"account {file.hubspot.account} has no object type `{mapping.hubspot_type}`"
            fix = near(mapping.hubspot_type, fields["hubspot"], "look its id up in HubSpot, or let the app read it")
            yield file.positions.problem(f"mappings[{index}].hubspot", message, fix)


def _match_fields(file: IntegrationFile, fields: Mapping[System, Fields]) -> Iterator[Problem]:
    for index, mapping in enumerate(file.mappings):
        if mapping.hubspot_type not in fields["hubspot"]:
            continue
        node = FieldNode("hubspot", mapping.hubspot_type, mapping.match_hubspot)
        path, known = f"mappings[{index}].match.hubspot", definition(node, fields)
        if known is None:
            yield _unknown(file, path, node, fields)
        elif known.unreadable:
            yield _unreadable(file, path, node)
        elif known.type not in _MATCH_TYPES:
            message = f"{node} is of type {known.type}, which nothing can be matched by"
            yield file.positions.problem(path, message, "match by a text, a number or an enumeration")


def _road_problems(
    file: IntegrationFile, road: Road, fields: Mapping[System, Fields], *, guess: bool = True
) -> Iterator[Problem]:
    source_type, of_hubspot = road.source.object_type, road.source.system == "hubspot"
    if of_hubspot and source_type not in fields["hubspot"] and source_type not in HUBSPOT_TYPES:
        return  # the unknown type is already a problem
    source, target = definition(road.source, fields), definition(road.target, fields)
    if source is None:
        yield _unknown(file, road.place(file, "from"), road.source, fields, guess=guess)
    elif source.unreadable:
        yield _unreadable(file, road.place(file, "from"), road.source)
    if target is None:
        yield from _missing_target(file, road, source, fields)
    elif target.read_only:
        message = f"{road.target} is read-only or calculated"
        yield file.positions.problem(road.place(file, "to"), message, "write to another field")
    elif source is not None and not has_converter(source.type, target.type):
        yield _no_converter(file, road, source.type, target.type)
    elif target.type in _OF_OPTIONS and not target.options and not target.external:
        message = f"{road.target} has no options of its own, so no value can be one of them"
        yield file.positions.problem(road.place(file, "to"), message, "write to another field")


def _missing_target(
    file: IntegrationFile, road: Road, source: FieldDefinition | None, fields: Mapping[System, Fields]
) -> Iterator[Problem]:
    """A missing target is created, so it is a problem only where HubSpot would refuse it or restore another type."""
    if road.target.system == "userflow":
        return
    if road.rule.explicit_target:
        message = f"{road.target} does not exist in HubSpot"
        fix = "create it there, or leave `to:` out and a `userflow_...` field is created"
        yield file.positions.problem(road.place(file, "to"), message, fix)
        return
    if len(road.target.field) > MOST_NAME_CHARACTERS:
        message = f"the name {road.target.field} has {len(road.target.field)} characters, HubSpot takes "
        fix = "create a field with a shorter name in HubSpot, and name it by `to:`"
        yield file.positions.problem(road.path, f"{message}{MOST_NAME_CHARACTERS}", fix)
    archived = fields["hubspot"].get(road.target.object_type, {}).get(road.target.field)
    wanted = created_type("hubspot", source.type) if source is not None else None
    if archived is not None and wanted not in (None, archived.type):
        message = f"{road.target} was archived as {archived.type}, and would come back so, not as {wanted}"
        yield file.positions.problem(road.path, message, "create another field in HubSpot, and name it by `to:`")


def _no_converter(file: IntegrationFile, road: Road, source: FieldType, target: FieldType) -> Problem:
    message = f"{road.source} is of type {source} and {road.target} of type {target}: no converter"
    if road.rule.explicit_target or road.target.system == "userflow":
        return file.positions.problem(road.place(file, "to"), message, "write to a text field, or one of the same type")
    wanted = created_type("hubspot", source)
    message = f"{road.target} exists in HubSpot as {target}, not as the {wanted} that {road.source} needs"
    return file.positions.problem(road.path, message, "create another field in HubSpot, and name it by `to:`")


def _unreadable(file: IntegrationFile, path: str, node: FieldNode) -> Problem:
    message = f"{node} exists, but records are shown without it: what reads it stands still"
    return file.positions.problem(path, message, "grant the app the permission to read this property")


def _unknown(
    file: IntegrationFile, path: str, node: FieldNode, fields: Mapping[System, Fields], *, guess: bool = True
) -> Problem:
    names = fields[node.system].get(node.object_type, {})
    if node.field in names:
        message = f"{node} is archived: what reads it stands still, what it wrote stays"
        return file.positions.problem(path, message, "restore it in HubSpot, or drop the rule")
    system = "HubSpot" if node.system == "hubspot" else "Userflow"
    otherwise = f"use one of the fields that {system} lists for {node.object_type}"
    fix = near(node.field, names, otherwise) if guess else otherwise
    return file.positions.problem(path, f"{node} does not exist", fix)
