"""The custom event types of one account: read on demand, created where missing.

Follows HubSpot's guide "define custom events".
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from connectors.clock import Clock
from connectors.contract.errors import Misconfigured, Refused
from connectors.http.messages import Call
from connectors.http.paging import MOST_PAGES, PagingProgress
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.event_types import EventType
from connectors.hubspot.protocol import (
    EventDefinition,
    EventProperty,
    create_event_definition,
    create_event_property,
    list_event_definitions,
)

T = TypeVar("T")

CONFLICT: Final = 409
LIST_AGAIN_S: Final = 60.0


class EventDefinitions:
    """The existing types by name, as last read or created."""

    def __init__(self, client: HubSpotClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: Mapping[str, EventDefinition] = {}
        self._listed_at: float | None = None
        self._refused: set[tuple[str, str]] = set()

    async def named(self, wanted: Collection[str]) -> Mapping[str, EventDefinition]:
        """The wanted types that exist; unknown ones cause a new read, at most once a minute."""
        now = self._clock.monotonic()
        lately = self._listed_at is not None and now - self._listed_at < LIST_AGAIN_S
        if not lately and any(name not in self._known for name in wanted):
            await self._list()
        return self._known

    async def provide(self, types: Iterable[EventType]) -> None:
        """Create missing types and missing properties of existing ones; delete nothing.

        Raises Misconfigured `event_definition_<reason>` if HubSpot refuses one.
        """
        wanted = list(types)
        self._refused.clear()
        if not wanted:
            return
        await self._list()
        try:
            for type_ in {type_.name: type_ for type_ in wanted}.values():
                await self._make(type_)
        except Refused as refusal:
            raise Misconfigured(f"event_definition_{refusal.reason}", status=refusal.status) from refusal
        await self._list()

    async def extend(self, name: str, properties: Iterable[EventProperty]) -> EventDefinition | None:
        """The definition with the added properties that HubSpot accepts; a refused property is requested once."""
        known = self._known.get(name)
        if known is None:
            return None
        there = {one.name for one in known.properties}
        for one in properties:
            if one.name in there or (name, one.name) in self._refused:
                continue
            try:
                await self._unless_there(create_event_property(known.full_name or known.name, one))
            except (Refused, Misconfigured):
                self._refused.add((name, one.name))
            else:
                known = replace(known, properties=(*known.properties, one))
        self._known = {**self._known, name: known}
        return known

    async def _make(self, type_: EventType) -> None:
        properties = tuple(type_.properties.values())
        known = self._known.get(type_.name)
        if known is None:
            definition = EventDefinition(type_.name, type_.label, type_.primary_object, properties)
            await self._unless_there(create_event_definition(definition))
            return
        there = {one.name for one in known.properties}
        for property in properties:
            if property.name not in there:
                await self._unless_there(create_event_property(known.full_name or known.name, property))

    async def _unless_there(self, call: Call[T]) -> None:
        """Create missing types; tolerate existing ones, made by another apply or absent from a list that lags."""
        try:
            await self._client.send(call)
        except Refused as refusal:
            if refusal.status != CONFLICT:
                raise

    async def _list(self) -> None:
        listed: dict[str, EventDefinition] = {}
        after, progress = None, PagingProgress(MOST_PAGES)
        while True:
            page = await self._client.send(list_event_definitions(after=after))
            listed |= {definition.name: definition for definition in page.definitions}
            after = page.after
            # one that is left out where the list goes in a circle is made again, which does no harm
            if progress.turn(next(iter(one.name for one in page.definitions), None), after) or after is None:
                break
        self._known, self._listed_at = listed, self._clock.monotonic()
