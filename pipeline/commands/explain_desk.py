"""Explanations for a process that lasts: each kept for a moment, for all who look; and who is meant by a text."""

import threading
import time
from functools import partial
from typing import Final

from connectors.kafka.table import TableReader
from pipeline.agents.configuration import IntegrationView
from pipeline.commands.explain_actions import send, sources_of
from pipeline.core.candidates import side
from pipeline.core.mapping import OTHER
from pipeline.core.matching import normalised
from pipeline.explain.answer import Explanation, Named
from pipeline.explain.by_key import newest_rows
from pipeline.explain.look_now import Looked, about_object, about_text, look_now
from pipeline.explain.reading import connected, explain_object
from pipeline.operations import OperationRefused
from pipeline.process import Process
from schemas.state import PairState
from schemas.topics import OBJECTS_STATE, PAIRS_STATE, object_key, pair_key
from schemas.values import System

KEPT_S: Final = 2.0
MOST_KEPT: Final = 50


class ExplainDesk:
    """Objects, as one process sees them."""

    def __init__(self, process: Process, tables: TableReader) -> None:
        self._process = process
        self._sources = sources_of(process)
        self._tables = tables
        self._searching = threading.Lock()  # what nobody has is looked for in whole partitions: one search at a time
        self._kept: dict[tuple[str, Named], tuple[float, Explanation | None]] = {}

    def explained(self, name: str, named: Named) -> Explanation | None:
        """Why the object is as it is, None where no mapping in force has its type; blocks."""
        at_s, told = self._kept.get((name, named), (float("-inf"), None))
        if time.monotonic() - at_s > KEPT_S:
            told = next(iter(explain_object(self._sources, self._tables, named, name)), None)
            while len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[name, named] = time.monotonic(), told
        return told

    def found(self, name: str, text: str) -> list[Named]:
        """The objects that have it as id or match value, of any type that a mapping names; blocks."""
        view = connected(self._tables).get(name)
        if view is None:
            return []
        with self._searching:
            return self._found(name, view, text)

    def look(self, name: str, asked: Named | str, where: tuple[System, str] | None = None) -> list[Looked]:
        """Have its systems asked; what they tell of an object is not kept from before. Blocks.

        Raises OperationRefused where it is not connected, or too much would be asked.
        """
        view = connected(self._tables).get(name)
        if view is None:
            raise OperationRefused(f"{name} is not connected, so that nobody can be asked.")
        if isinstance(asked, Named):
            questions = [about_object(name, view, asked)]
        else:
            questions = about_text(name, view, asked, where)
        looked = look_now(self._sources, self._tables, questions, partial(send, self._process))
        for one in (found for each in looked for found in each.found):
            self._kept.pop((name, one), None)
        return looked

    def _found(self, name: str, view: IntegrationView, text: str) -> list[Named]:
        types = dict.fromkeys(
            (system, one.object_type(system)) for one in view.mappings.values() for system in sorted(OTHER)
        )
        named = {object_key(name, view.connection, *one, text): one for one in types}
        by_id = [Named(*named[key], text) for key in newest_rows(self._sources, OBJECTS_STATE, named)]
        return list(dict.fromkeys([*by_id, *self._holders(name, view, text)]))

    def _holders(self, name: str, view: IntegrationView, text: str) -> list[Named]:
        keys = {}
        for mapping in view.mappings.values():
            value = normalised(text, by_email=mapping.by_email)
            if value is not None:
                keys[pair_key(name, view.connection, mapping.name, value)] = mapping
        return [
            Named(system, keys[key].object_type(system), object_id)
            for key, row in newest_rows(self._sources, PAIRS_STATE, keys).items()
            if isinstance(row, PairState)
            for system in sorted(OTHER)
            for object_id in side(row, system)
        ]
