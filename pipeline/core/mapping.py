"""An object mapping with its lookups: which field matters on which side, computed once."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from pipeline.core.freshness import ASSOCIATED_ID
from schemas.records import Direction, FieldRule, ObjectMapping
from schemas.values import FieldDefinition, System

OTHER: Mapping[System, System] = {"hubspot": "userflow", "userflow": "hubspot"}
TARGET: Mapping[Direction, System] = {"to_hubspot": "hubspot", "to_userflow": "userflow"}


class MappingView:
    """One ObjectMapping with its lookups; compare and keep it by identity of the record."""

    def __init__(self, record: ObjectMapping) -> None:
        self.record = record
        self.name = record.name

    def object_type(self, system: System) -> str:
        return self.record.hubspot_type if system == "hubspot" else self.record.userflow_type

    def match_field(self, system: System) -> str:
        return self.record.match_hubspot if system == "hubspot" else self.record.match_userflow

    @cached_property
    def by_email(self) -> bool:
        """Emails are compared trimmed and in lower case; every other match value as exact text."""
        return self.record.match_userflow == "email"

    @cached_property
    def fields(self) -> Mapping[System, frozenset[str]]:
        """The fields of each side that the mapping reads or writes; of an associated object its id too."""
        sides: dict[System, set[str]] = {"hubspot": set(), "userflow": set()}
        for rule in self.record.rules:
            target = TARGET[rule.direction]
            sides[target].add(rule.target)
            sides[OTHER[target]].add(rule.source)
            if rule.direction == "to_userflow" and "." in rule.source:
                sides["hubspot"].add(rule.source.partition(".")[0] + ASSOCIATED_ID)
        return {system: frozenset(names) for system, names in sides.items()}

    @cached_property
    def sources(self) -> Mapping[System, frozenset[str]]:
        """The fields of each side that are sources of rules."""
        sides: dict[System, set[str]] = {"hubspot": set(), "userflow": set()}
        for rule in self.record.rules:
            sides[OTHER[TARGET[rule.direction]]].add(rule.source)
        return {system: frozenset(names) for system, names in sides.items()}

    @cached_property
    def read(self) -> Mapping[System, frozenset[str]]:
        """The fields that the mapping needs on each side: `fields` and the match field."""
        return {system: names | {self.match_field(system)} for system, names in self.fields.items()}

    @cached_property
    def newest_gap(self) -> int:
        """The newest revision that began to read a field, for the first time or after a gap."""
        return max(self.record.read_since.values(), default=0)

    def read_without_gap(self, system: System, name: str, revision: int) -> bool:
        """Whether the mapping has read the field ever since that revision, so that its value was kept up to date."""
        return name in self.read[system] and self.record.read_since.get(f"{system}.{name}", 0) <= revision

    @cached_property
    def rules_for(self) -> Mapping[System, tuple[tuple[FieldRule, FieldDefinition], ...]]:
        """The rules that write to each side, each with the definition of its target field."""
        sides: dict[System, list[tuple[FieldRule, FieldDefinition]]] = {"hubspot": [], "userflow": []}
        for rule in self.record.rules:
            target = FieldDefinition(
                rule.target, rule.target_type, options=rule.target_options, external=rule.target_external
            )
            sides[TARGET[rule.direction]].append((rule, target))
        return {system: tuple(rules) for system, rules in sides.items()}


def mappings_of(views: Iterable[MappingView], system: System, object_type: str) -> tuple[MappingView, ...]:
    """The mappings that an object of this type takes part in."""
    return tuple(view for view in views if view.object_type(system) == object_type)
