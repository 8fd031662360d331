"""Sends events to HubSpot's timelines: as app events, or as custom events.

Follows HubSpot's guides "send event occurrences" (app events) and "send event data" (custom events).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from connectors.contract.catalog import Catalog
from connectors.contract.sink import MayWrite
from connectors.contract.timeline import EventResult, RefusedEvent
from connectors.http.messages import Call
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.event_batch import EventBatch, Group, Occurrence, Undeclared
from connectors.hubspot.event_definitions import EventDefinitions
from connectors.hubspot.event_types import EventType, attribute_text, carried, event_types
from connectors.hubspot.protocol import AppEvent, CustomEvent, send_app_events, send_custom_events
from schemas.configuration import DescribedEvent
from schemas.records import TimelineEvent

BATCH_SIZE: Final = 100
"""Below HubSpot's 500: a refused batch is halved, and so is one repeated after a crash."""
CUSTOM_BATCH_SIZE: Final = 20
"""As many custom events are shown twice where the connector is killed behind a batch: the fewer the better, and its
limit of 110 requests in 10 s still carries 220 events a second."""

APP_PROPERTY_BYTES: Final = 510_000
CUSTOM_PROPERTY_CHARACTERS: Final = 256
UNKNOWN_TYPE: Final = "unknown_event_type"

ClientFor = Callable[[MayWrite, bool], HubSpotClient]
"""Makes the client that asks before each write; its second argument says bulk, which events never are."""


class AppEvents:
    """The app's project files declare the event types; HubSpot stores each id once, so repeats are harmless."""

    deduplicated = True

    def __init__(self, client_for: ClientFor, catalog: Catalog) -> None:
        self._client_for = client_for
        self._types = _Types(catalog)
        self._undeclared = Undeclared(catalog)

    @property
    def batch_size(self) -> int:
        return BATCH_SIZE

    async def send(self, events: Sequence[TimelineEvent], may_write: MayWrite) -> Sequence[EventResult]:
        """As `contract.timeline.Timeline` says; refuses an event that no mapping in force streams, having no type."""
        types = self._types.in_force()
        batch = EventBatch(self._client_for(may_write, False), self, self._undeclared)
        for event in events:
            type_ = types.get((event.name, event.object_type))
            if type_ is None:
                batch.results.append(RefusedEvent(event, UNKNOWN_TYPE))
            else:
                names = {attribute: made.name for attribute, made in carried(type_, _told(event)).items()}
                batch.add(_occurrence(event, type_.name, names, _cut_to_bytes))
        return await batch.run()

    def call(self, group: Group) -> Call[None]:
        """HubSpot stores all of them or none."""
        return send_app_events([_app_event(one.told, one) for one in group])


class CustomEvents:
    """Event types are created by API; HubSpot stores every repeat, so nothing is knowingly repeated."""

    deduplicated = False

    def __init__(self, client_for: ClientFor, catalog: Catalog, definitions: EventDefinitions) -> None:
        self._client_for = client_for
        self._definitions = definitions
        self._types = _Types(catalog)
        self._undeclared = Undeclared(catalog)

    @property
    def batch_size(self) -> int:
        return CUSTOM_BATCH_SIZE

    async def send(self, events: Sequence[TimelineEvent], may_write: MayWrite) -> Sequence[EventResult]:
        """As `contract.timeline.Timeline` says; an event that HubSpot may have stored is `Unsure`."""
        types, client = self._types.in_force(), self._client_for(may_write, False)
        wanted = {key: types[key] for event in events if (key := (event.name, event.object_type)) in types}
        defined = await self._definitions.named({type_.name for type_ in wanted.values()})
        batch = EventBatch(client, self, self._undeclared)
        for event in events:
            type_ = wanted.get((event.name, event.object_type))
            definition = defined.get(type_.name) if type_ is not None else None
            if type_ is None or definition is None:
                batch.results.append(RefusedEvent(event, UNKNOWN_TYPE))
            else:
                wanted_here = carried(type_, _told(event))
                extended = await self._definitions.extend(type_.name, wanted_here.values()) or definition
                there = {one.name for one in extended.properties}
                names = {attribute: one.name for attribute, one in wanted_here.items() if one.name in there}
                batch.add(_occurrence(event, definition.full_name or definition.name, names, _cut_to_characters))
        return await batch.run()

    def call(self, group: Group) -> Call[None]:
        """HubSpot takes all of them or none."""
        return send_custom_events([_custom_event(one.told, one) for one in group])


class _Types:
    """The types of the streamed events, by event and object type; rebuilt when the streamed events change."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._of: tuple[DescribedEvent, ...] = ()
        self._types: Mapping[tuple[str, str], EventType] = {}

    def in_force(self) -> Mapping[tuple[str, str], EventType]:
        if self._of is not self._catalog.events:
            self._of = self._catalog.events
            self._types = {(type_.event, type_.object_type): type_ for type_ in event_types(self._of)}
        return self._types


def _told(event: TimelineEvent) -> list[str]:
    """The attributes with a value."""
    return [attribute for attribute, value in event.attributes.items() if attribute_text(value)]


def _occurrence(
    event: TimelineEvent, type_name: str, names: Mapping[str, str], cut: Callable[[str], str]
) -> Occurrence:
    """The event with the attributes that have a property and a value; `names` maps attribute to property."""
    texts = {attribute: attribute_text(value) for attribute, value in event.attributes.items()}
    present = {attribute: text for attribute, text in texts.items() if text}
    properties = {names[attribute]: cut(text) for attribute, text in present.items() if attribute in names}
    return Occurrence(event, type_name, properties, len(present) - len(properties))


def _app_event(event: TimelineEvent, one: Occurrence) -> AppEvent:
    return AppEvent(one.type_name, event.event_id, event.object_id, one.properties, event.occurred_at_ms)


def _custom_event(event: TimelineEvent, one: Occurrence) -> CustomEvent:
    return CustomEvent(one.type_name, event.object_id, one.properties, event.occurred_at_ms, event.event_id)


def _cut_to_bytes(text: str) -> str:
    encoded = text.encode()
    return text if len(encoded) <= APP_PROPERTY_BYTES else encoded[:APP_PROPERTY_BYTES].decode(errors="ignore")


def _cut_to_characters(text: str) -> str:
    return text[:CUSTOM_PROPERTY_CHARACTERS]
