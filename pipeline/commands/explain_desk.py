"""Objects of a running installation: their rows, read from the state topics; who is meant by an id or match value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.kafka.latest import rows_of
from connectors.kafka.table import TableReader
from pipeline.agents.configuration import Configuration, IntegrationView
from pipeline.core.candidates import side
from pipeline.core.mapping import OTHER
from pipeline.core.matching import normalised
from pipeline.operations.object_report import Explained
from pipeline.process import Process
from schemas.integrations import every
from schemas.state import ObjectState, PairState
from schemas.topics import INTEGRATIONS, MAPPINGS, OBJECTS_STATE, PAIRS_STATE, object_key, pair_key
from schemas.values import System


@dataclass(frozen=True, slots=True)
class Named:
    """The object that is asked about."""

    system: System
    object_type: str
    object_id: str


class ExplainDesk:
    """Objects, as one process sees them."""

    def __init__(self, process: Process, tables: TableReader) -> None:
        self._process = process
        self._tables = tables

    def views(self) -> Mapping[str, IntegrationView]:
        """The connected integrations, by name, as they are in force."""
        configuration = Configuration()
        for topic in (MAPPINGS, INTEGRATIONS):
            for key, record in self._tables.table(topic).items():
                configuration.apply(topic, key, record)
        found = ((name, configuration.view(name)) for name in every(self._tables.table(INTEGRATIONS)))
        return {name: view for name, view in found if view is not None and view.connected}

    def explained(self, name: str, view: IntegrationView, named: Named) -> Explained:
        """The rows of one object and its pairs; blocks."""
        system = named.system
        key = object_key(name, view.connection, system, named.object_type, named.object_id)
        row = self._rows(OBJECTS_STATE, [key]).get(key)
        known = row if isinstance(row, ObjectState) else None
        matches = known.matches if known is not None else {}
        keys = {mapping: pair_key(name, view.connection, mapping, value) for mapping, value in matches.items()}
        rows = self._rows(PAIRS_STATE, list(keys.values())) if keys else {}
        pairs = {mapping: rows.get(key) for mapping, key in keys.items()}
        of_pairs = {mapping: row if isinstance(row, PairState) else None for mapping, row in pairs.items()}
        views = {one.name: one for one in view.of_type(system, named.object_type)}
        return Explained(system, named.object_id, known, of_pairs, views, view.whole)

    def found(self, name: str, view: IntegrationView, text: str) -> list[Named]:
        """The objects that have it as id or match value, of any type that a mapping names; blocks."""
        types = {(system, one.object_type(system)): None for one in view.mappings.values() for system in sorted(OTHER)}
        named = {
            object_key(name, view.connection, system, kind, text): Named(system, kind, text) for system, kind in types
        }
        found = {named[key]: None for key, row in self._rows(OBJECTS_STATE, list(named)).items() if row is not None}
        return list(found | dict.fromkeys(self._holders(name, view, text)))

    def _holders(self, name: str, view: IntegrationView, text: str) -> list[Named]:
        keys = {}
        for mapping in view.mappings.values():
            value = normalised(text, by_email=mapping.by_email)
            if value is not None:
                keys[pair_key(name, view.connection, mapping.name, value)] = mapping
        rows = self._rows(PAIRS_STATE, list(keys)) if keys else {}
        return [
            Named(system, keys[key].object_type(system), object_id)
            for key, row in rows.items()
            if isinstance(row, PairState)
            for system in sorted(OTHER)
            for object_id in side(row, system)
        ]

    def _rows(self, topic: str, keys: list[str]) -> dict[str, Any]:
        """The newest committed rows of these keys."""
        process = self._process
        values = rows_of(process.cluster, topic, process.settings.partitions, keys)
        return {key: process.codec.decode(topic, value) for key, value in values.items()}
