"""Every rule of a file as a road from one field to another: the form that checks work on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.integration_file.model import IntegrationFile, MappingSpec, Rule
from pipeline.integration_file.names import associated
from schemas.values import System


@dataclass(frozen=True, slots=True)
class FieldNode:
    """One field of one object type of one system: what a rule reads, writes or matches by."""

    system: System
    object_type: str
    field: str

    def __str__(self) -> str:
        system = "HubSpot" if self.system == "hubspot" else "Userflow"
        return f"{system} {self.object_type} `{self.field}`"


@dataclass(frozen=True, slots=True)
class Road:
    """One rule with its place (`mappings[0].to_userflow[1]`); an associated source is a field of its own type."""

    path: str
    mapping: MappingSpec
    rule: Rule
    source: FieldNode
    target: FieldNode

    def place(self, file: IntegrationFile, key: Literal["from", "to"]) -> str:
        """The path of the rule's key, or of the rule where it is a name alone."""
        path = f"{self.path}.{key}"
        return path if path in file.positions.places else self.path


def roads(file: IntegrationFile) -> Iterator[Road]:
    """In the order of the file, towards Userflow first; rules that could not be read are left out."""
    for index, mapping in enumerate(file.mappings):
        for number, rule in enumerate(mapping.to_userflow):
            if rule.source:
                yield _to_userflow(f"mappings[{index}].to_userflow[{number}]", mapping, rule)
        for number, rule in enumerate(mapping.to_hubspot):
            if rule.source:
                yield _to_hubspot(f"mappings[{index}].to_hubspot[{number}]", mapping, rule)


def _to_userflow(path: str, mapping: MappingSpec, rule: Rule) -> Road:
    object_type, field = associated(rule.source) or (mapping.hubspot_type, rule.source)
    target = FieldNode("userflow", mapping.userflow_type, rule.target)
    return Road(path, mapping, rule, FieldNode("hubspot", object_type, field), target)


def _to_hubspot(path: str, mapping: MappingSpec, rule: Rule) -> Road:
    source = FieldNode("userflow", mapping.userflow_type, rule.source)
    return Road(path, mapping, rule, source, FieldNode("hubspot", mapping.hubspot_type, rule.target))
