"""Custom object types: an integration file spells one `2-N` or `p<account>_<name>`, HubSpot describes both.

Webhooks and records say `2-N`, and field names carry the schema's name; only HubSpot knows which belong together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.integration_file.model import IntegrationFile, MappingSpec, Rule
from pipeline.integration_file.names import default_target, schema_name
from schemas.configuration import DescribedType


def resolved(file: IntegrationFile, types: Sequence[DescribedType]) -> IntegrationFile:
    """The same file with every custom type as `2-N` and default targets named after its schema: `hubspot_pet_...`.

    A type that the account did not tell of stays as it is spelled. Names may meet now that did not before:
    `checks.check` again afterwards.
    """
    words = {known.type_id: known.name for known in types}
    return replace(file, mappings=tuple(_resolved(mapping, types, words) for mapping in file.mappings))


def _resolved(mapping: MappingSpec, types: Sequence[DescribedType], words: Mapping[str, str]) -> MappingSpec:
    object_type = _type_id(mapping.hubspot_type, types)

    def named(rule: Rule) -> Rule:
        target = default_target("userflow", object_type, rule.source, words)
        return rule if rule.explicit_target else replace(rule, target=target)

    return replace(mapping, hubspot_type=object_type, to_userflow=tuple(map(named, mapping.to_userflow)))


def _type_id(spelled: str, types: Sequence[DescribedType]) -> str:
    """The type's `2-N`. A type asked for as `2-N` is no longer known by the file's spelling, so names match too."""
    name = (schema_name(spelled) or "").casefold()
    ids = (known.type_id for known in types if known.object_type == spelled or (name and known.name.casefold() == name))
    return next(ids, spelled)
