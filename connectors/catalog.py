"""Which fields of a system the mappings in force use, and what is known of each."""

from collections import defaultdict
from collections.abc import Sequence

from schemas.records import ObjectMapping
from schemas.values import FieldDefinition, System


def fields_of(
    system: System, mappings: Sequence[ObjectMapping]
) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, FieldDefinition]]]:
    """What a Catalog is made of: the fields to read of each type, and their types as the mappings resolved them."""
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    definitions: dict[str, dict[str, FieldDefinition]] = defaultdict(dict)
    for mapping in mappings:
        object_type, match = _match_field(system, mapping)
        wanted[object_type][match.name] = None
        for rule in mapping.rules:
            if (rule.direction == "to_hubspot") == (system == "hubspot"):
                found = FieldDefinition(rule.target, rule.target_type, options=rule.target_options)
            else:
                found = FieldDefinition(rule.source, rule.source_type)
            wanted[object_type][found.name] = None
            definitions[object_type][found.name] = found
    for mapping in mappings:
        object_type, match = _match_field(system, mapping)
        definitions[object_type][match.name] = match
    return {name: tuple(fields) for name, fields in wanted.items()}, dict(definitions)


def _match_field(system: System, mapping: ObjectMapping) -> tuple[str, FieldDefinition]:
    """The mapping's object type in a system and the field that it matches by."""
    if system == "hubspot":
        found = FieldDefinition(mapping.match_hubspot, mapping.match_hubspot_type, unique=mapping.match_hubspot_unique)
        return mapping.hubspot_type, found
    return mapping.userflow_type, FieldDefinition(mapping.match_userflow, "string")
