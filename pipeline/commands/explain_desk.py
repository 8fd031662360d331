"""Objects of a running installation: their rows, read from the state topics; who is meant by an id or match value."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any, Final

from connectors.kafka.latest import rows_of
from connectors.kafka.partitioner import partition_of
from connectors.kafka.reading import Tail
from connectors.kafka.table import TableReader
from pipeline.agents.configuration import Configuration, IntegrationView
from pipeline.core.candidates import side
from pipeline.core.mapping import OTHER
from pipeline.core.matching import normalised
from pipeline.operations.object_report import Explained, Named
from pipeline.process import Process
from schemas.integrations import every
from schemas.state import ObjectState, PairState
from schemas.topics import INTEGRATIONS, MAPPINGS, OBJECTS_STATE, PAIRS_STATE, object_key, pair_key

MOST_FOLLOWED: Final = 50


class _Rows:
    """The newest committed rows of some keys: their partitions are read whole once, then only what came since."""

    def __init__(self, process: Process, topic: str, keys: frozenset[str]) -> None:
        partitions = process.settings.partitions
        self._tail = Tail(process.cluster, {(topic, partition_of(key, partitions)): 0 for key in keys})
        self._keys = keys
        self._newest: dict[str, bytes] = {}
        self._looking = threading.Lock()

    def newest(self) -> Mapping[str, bytes]:
        """Blocks."""
        with self._looking:
            for found in self._tail.news():
                key = found.key.decode(errors="replace")
                if key not in self._keys:
                    continue
                if found.value is None:
                    self._newest.pop(key, None)
                else:
                    self._newest[key] = found.value
            return dict(self._newest)


class ExplainDesk:
    """Objects, as one process sees them."""

    def __init__(self, process: Process, tables: TableReader) -> None:
        self._process = process
        self._tables = tables
        self._followed: OrderedDict[tuple[str, frozenset[str]], _Rows] = OrderedDict()

    def views(self) -> Mapping[str, IntegrationView]:
        """The connected integrations, by name, as they are in force."""
        configuration = Configuration()
        for topic in (MAPPINGS, INTEGRATIONS):
            for key, record in self._tables.table(topic).items():
                configuration.apply(topic, key, record)
        found = ((name, configuration.view(name)) for name in every(self._tables.table(INTEGRATIONS)))
        return {name: view for name, view in found if view is not None and view.connected}

    def explained(self, name: str, named: Named) -> Explained | None:
        """The rows of one object and its pairs, None where no mapping has its type; blocks.

        Whoever asks again for one of the last few reads only what came since.
        """
        view = self.views().get(name)
        mappings = view.of_type(named.system, named.object_type) if view is not None else ()
        if view is None or not mappings:
            return None
        key = object_key(name, view.connection, named.system, named.object_type, named.object_id)
        row = self._follow(OBJECTS_STATE, [key]).get(key)
        known = row if isinstance(row, ObjectState) else None
        matches = known.matches if known is not None else {}
        keys = {mapping: pair_key(name, view.connection, mapping, value) for mapping, value in matches.items()}
        rows = self._follow(PAIRS_STATE, keys.values()) if keys else {}
        pairs = {mapping: row for mapping, key in keys.items() if isinstance(row := rows.get(key), PairState)}
        views = {one.name: one for one in mappings}
        return Explained(named.system, named.object_id, known, pairs, views, view.whole)

    def found(self, name: str, text: str) -> list[Named]:
        """The objects that have it as id or match value, of any type that a mapping names; blocks."""
        view = self.views().get(name)
        if view is None:
            return []
        types = dict.fromkeys(
            (system, one.object_type(system)) for one in view.mappings.values() for system in sorted(OTHER)
        )
        named = {object_key(name, view.connection, system, kind, text): (system, kind) for system, kind in types}
        by_id = [Named(*named[key], text) for key in self._rows(OBJECTS_STATE, list(named))]
        return list(dict.fromkeys([*by_id, *self._holders(name, view, text)]))

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

    def _rows(self, topic: str, keys: Collection[str]) -> dict[str, Any]:
        """The newest committed rows of these keys."""
        process = self._process
        return self._decoded(topic, rows_of(process.cluster, topic, process.settings.partitions, keys))

    def _follow(self, topic: str, keys: Collection[str]) -> dict[str, Any]:
        """The same, and they are followed from then on."""
        wanted = (topic, frozenset(keys))
        rows = self._followed.pop(wanted, None) or _Rows(self._process, *wanted)
        self._followed[wanted] = rows
        while len(self._followed) > MOST_FOLLOWED:
            self._followed.popitem(last=False)
        return self._decoded(topic, rows.newest())

    def _decoded(self, topic: str, rows: Mapping[str, bytes]) -> dict[str, Any]:
        return {key: self._process.codec.decode(topic, value) for key, value in rows.items()}
