"""The configuration in force, read from the compacted topics: complete before the agents start, then followed."""

import asyncio
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.core.mapping import OTHER, MappingView, mappings_of
from schemas.configuration import IntegrationPart
from schemas.records import ObjectMapping
from schemas.topics import INTEGRATIONS, MAPPINGS
from schemas.values import System

POLL_S = 0.02
OVER = sys.maxsize
"""In place of a revision: what waits for it waits until the connection is known to be over."""
FOLLOWED = ("/settings", "/hubspot", "/userflow")


@dataclass(frozen=True, slots=True)
class IntegrationView:
    """One integration as the agents need it: the mappings of its active revision."""

    connection: int
    revision: int
    connected: bool
    mappings: Mapping[str, MappingView]
    whole: frozenset[str] = frozenset()  # `<system>.<object type>/<mapping>`s of which every object was read

    def of_type(self, system: System, object_type: str) -> tuple[MappingView, ...]:
        return mappings_of(self.mappings.values(), system, object_type)


class RevisionLate(RuntimeError):
    """A record names a mapping revision that did not reach this process in time."""


class Configuration:
    """Integrations and mappings by name; `apply` is fed by a TableReader, the rest is read by the agents."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, IntegrationPart] = {}
        self._mappings: dict[str, dict[str, ObjectMapping]] = defaultdict(dict)
        self._views: dict[str, IntegrationView] = {}

    def apply(self, topic: str, key: str, record: IntegrationPart | ObjectMapping | None) -> None:
        """Take one change of a compacted topic; called on the reader's thread."""
        with self._lock:
            if topic == MAPPINGS:
                self._apply_mapping(key, record if isinstance(record, ObjectMapping) else None)
            elif topic == INTEGRATIONS and key.endswith(FOLLOWED):
                self._apply_part(key, record if isinstance(record, IntegrationPart) else None)

    def view(self, integration: str) -> IntegrationView | None:
        """The integration as it is in force; None where there is none."""
        return self._views.get(integration)

    def views(self) -> Mapping[str, IntegrationView]:
        return dict(self._views)

    async def wait_for(self, integration: str, connection: int, revision: int, within_s: float) -> None:
        """Wait until this process knows the revision. Raises RevisionLate, so that a late process drops no record.

        An unknown integration is waited for just as long, without an error: its records belong to nobody.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while self._behind(integration, connection, revision):
            if loop.time() > deadline:
                if integration not in self._views:
                    return
                raise RevisionLate(f"{integration}: revision {revision} is not known here after {within_s:.0f} s")
            await asyncio.sleep(POLL_S)

    def _behind(self, integration: str, connection: int, revision: int) -> bool:
        """Whether our view is older; revisions count within a connection, so records of an earlier one do not wait."""
        view = self._views.get(integration)
        if revision == OVER:
            return view is not None and view.connected and view.connection <= connection
        return view is None or (view.connection, view.revision) < (connection, revision)

    def _apply_mapping(self, key: str, mapping: ObjectMapping | None) -> None:
        integration, _, name = key.partition("/")
        if mapping is None:
            self._mappings[integration].pop(name, None)
        else:
            self._mappings[integration][name] = mapping
        self._rebuild(integration)

    def _apply_part(self, key: str, part: IntegrationPart | None) -> None:
        if part is None:
            self._parts.pop(key, None)
        else:
            self._parts[key] = part
        self._rebuild(key.partition("/")[0])

    def _rebuild(self, integration: str) -> None:
        """Mappings and settings arrive on two topics: a view shows the newest revision that both agree on."""
        part = self._parts.get(f"{integration}/settings")
        if part is None or part.settings is None:
            self._views.pop(integration, None)
            return
        settings = part.settings
        before = self._views.get(integration)
        mappings: dict[str, MappingView] = {}
        for name, mapping in self._mappings[integration].items():
            if mapping.connection != settings.connection:
                continue
            if mapping.revision <= settings.active_revision:
                mappings[name] = MappingView(mapping)
            elif before is not None and before.connection == settings.connection and name in before.mappings:
                mappings[name] = before.mappings[name]
        self._views[integration] = IntegrationView(
            settings.connection,
            settings.active_revision,
            settings.state != "disconnected",
            mappings,
            frozenset(self._whole(integration, settings.connection, mappings)),
        )

    def _whole(self, integration: str, connection: int, mappings: Mapping[str, MappingView]) -> Iterator[str]:
        """`<system>.<object type>/<mapping>` where every object was read under the mapping as it is now."""
        for system in OTHER:
            part = self._parts.get(f"{integration}/{system}")
            state = part.connector if part is not None else None
            if state is None or state.connection != connection:
                continue
            for name, view in mappings.items():
                word = f"{view.object_type(system)}/{name}"
                if state.whole.get(word, -1) >= view.record.revision:
                    yield f"{system}.{word}"
