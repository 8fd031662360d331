"""The fields of a system that the mappings in force use, and their definitions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from schemas.configuration import DescribedEvent
from schemas.records import ObjectMapping
from schemas.values import FieldDefinition, System


class Catalog:
    """The fields and events that the mappings use; replaced as a whole when a mapping is applied."""

    def __init__(self) -> None:
        self._wanted: Mapping[str, tuple[str, ...]] = {}
        self._definitions: Mapping[str, Mapping[str, FieldDefinition]] = {}
        self._events: tuple[DescribedEvent, ...] = ()

    def replace(
        self, wanted: Mapping[str, tuple[str, ...]], definitions: Mapping[str, Mapping[str, FieldDefinition]]
    ) -> None:
        self._wanted, self._definitions = wanted, definitions

    def stream(self, events: tuple[DescribedEvent, ...]) -> None:
        """Mappings put these events on timelines from now on; equal ones stay the same object."""
        if events != self._events:
            self._events = events

    @property
    def events(self) -> tuple[DescribedEvent, ...]:
        """The events that mappings put on timelines."""
        return self._events

    @property
    def object_types(self) -> tuple[str, ...]:
        return tuple(self._wanted)

    def wanted(self, object_type: str) -> tuple[str, ...]:
        """The fields to read of a type: sources, targets and match fields of its mappings."""
        return self._wanted.get(object_type, ())

    def definition(self, object_type: str, name: str) -> FieldDefinition:
        """The definition of a field; a text field where none is known."""
        known = self._definitions.get(object_type, {}).get(name)
        return known or FieldDefinition(name, "string")

    def known(self, object_type: str, name: str) -> bool:
        return name in self._definitions.get(object_type, {})


def fields_of(
    system: System, mappings: Sequence[ObjectMapping]
) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, FieldDefinition]]]:
    """The content of a Catalog: the fields to read of each object type, and their definitions as mappings have them."""
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    definitions: dict[str, dict[str, FieldDefinition]] = defaultdict(dict)
    for mapping in mappings:
        object_type = mapping.object_type(system)
        wanted[object_type][mapping.match_field(system).name] = None
        for rule in mapping.rules:
            if rule.written == system:
                known = FieldDefinition(rule.target, rule.target_type, options=rule.target_options)
            else:
                known = FieldDefinition(rule.source, rule.source_type)
            wanted[object_type][known.name] = None
            definitions[object_type][known.name] = known
    for mapping in mappings:
        match = mapping.match_field(system)
        definitions[mapping.object_type(system)][match.name] = match
    return {name: tuple(fields) for name, fields in wanted.items()}, dict(definitions)
