"""Sends events to timelines: app events (declared in a project, OAuth only) and custom events (any token).

Follows HubSpot's guides "send event occurrences" and "send event data". Records are named by id only: an event that
names an email instead can make a contact.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from connectors.http.answers import content
from connectors.http.lenient_json import JsonObject, object_at, objects_at, text_at
from connectors.http.messages import Call, Request, Response, json_request, segment
from connectors.hubspot.protocol.answers import call, following, rows
from connectors.hubspot.protocol.limits import EVENT_BATCH_LIMIT
from connectors.hubspot.protocol.paths import APP_EVENTS, CUSTOM_EVENTS, EVENT_DEFINITIONS

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class AppEvent:
    """One occurrence; `id` is at most 500 bytes and unique for its type, so the same event is stored once."""

    type_name: str
    id: str
    object_id: str
    properties: Mapping[str, str] = field(repr=False)
    occurred_at_ms: int


@dataclass(frozen=True, slots=True)
class CustomEvent:
    """One occurrence of a custom event; `uuid` names it, but HubSpot promises no deduplication."""

    name: str
    object_id: str
    properties: Mapping[str, str] = field(repr=False)
    occurred_at_ms: int
    uuid: str | None = None


@dataclass(frozen=True, slots=True)
class EventProperty:
    """One property of a custom event; `type` is a word such as string, number, datetime."""

    name: str
    type: str = "string"
    label: str = ""


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """A custom event type; `full_name`, known once the type exists, names it in occurrences.

    `primary_object` is CONTACT, COMPANY, DEAL, or a custom type's id.
    """

    name: str
    label: str
    primary_object: str = "CONTACT"
    properties: tuple[EventProperty, ...] = ()
    full_name: str | None = None


@dataclass(frozen=True, slots=True)
class EventDefinitionPage:
    """Some definitions and the cursor of the next page."""

    definitions: tuple[EventDefinition, ...]
    after: str | None = None


def send_app_events(events: Sequence[AppEvent]) -> Call[None]:
    """Stores all of up to 500, or none: one invalid event or known id (Refused, status 409) refuses the whole batch."""
    body = {"inputs": [_app_event(event) for event in _batch(events)]}
    return call(json_request("POST", f"{APP_EVENTS}/batch", body, "write"), _nothing, "write")


def send_custom_events(events: Sequence[CustomEvent]) -> Call[None]:
    """Up to 500 occurrences; a repeat can be shown twice."""
    body = {"inputs": [_custom_event(event) for event in _batch(events)]}
    request = json_request("POST", f"{CUSTOM_EVENTS}/batch", body, "write")
    return call(request, _nothing, "write")


def list_event_definitions(*, after: str | None = None) -> Call[EventDefinitionPage]:
    """One page of the account's custom event types, with their properties."""
    query = (("limit", "100"), ("includeProperties", "true"), *([("after", after)] if after else []))
    return call(Request("GET", EVENT_DEFINITIONS, query), _definitions, "control")


def create_event_definition(definition: EventDefinition) -> Call[EventDefinition]:
    """The created definition, with its `full_name`; raises Refused if one of that name exists."""
    body = {
        "name": definition.name,
        "label": definition.label,
        "primaryObject": definition.primary_object,
        "propertyDefinitions": [_property(one) for one in definition.properties],
    }
    request = json_request("POST", EVENT_DEFINITIONS, body, "write")
    return call(request, lambda response: _definition(content(response)), "control")


def create_event_property(full_name: str, property: EventProperty) -> Call[None]:
    """Add a property to an existing event type; raises Refused if the type has one of that name."""
    path = f"{EVENT_DEFINITIONS}/{segment(full_name)}/property"
    return call(json_request("POST", path, _property(property), "write"), _nothing, "control")


def _batch(events: Sequence[E]) -> Sequence[E]:
    if not 0 < len(events) <= EVENT_BATCH_LIMIT:
        raise ValueError(f"a batch takes 1 to {EVENT_BATCH_LIMIT} events")
    return events


def _property(property: EventProperty) -> dict[str, object]:
    return {"name": property.name, "label": property.label or property.name, "type": property.type, "options": []}


def _app_event(event: AppEvent) -> dict[str, object]:
    return {
        "eventTypeName": event.type_name,
        "id": event.id,
        "objectId": event.object_id,
        "timestamp": _iso(event.occurred_at_ms),
        "properties": dict(event.properties),
    }


def _custom_event(event: CustomEvent) -> dict[str, object]:
    body: dict[str, object] = {
        "eventName": event.name,
        "objectId": event.object_id,
        "occurredAt": _iso(event.occurred_at_ms),
        "properties": dict(event.properties),
    }
    return body | ({"uuid": event.uuid} if event.uuid else {})


def _iso(epoch_ms: int) -> str:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=epoch_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _nothing(response: Response) -> None:
    """Read nothing: the answer to accepted events holds nothing we use."""


def _definitions(response: Response) -> EventDefinitionPage:
    definitions = tuple(map(_definition, rows(response)))
    return EventDefinitionPage(definitions, following(content(response)))


def _definition(raw: JsonObject) -> EventDefinition:
    properties = tuple(
        EventProperty(text_at(one, "name") or "", text_at(one, "type") or "string", text_at(one, "label") or "")
        for one in objects_at(raw, "properties")
    )
    return EventDefinition(
        text_at(raw, "name") or "",
        text_at(object_at(raw, "labels"), "singular") or text_at(raw, "label") or "",
        text_at(raw, "primaryObject") or text_at(raw, "primaryObjectId") or "",
        properties,
        text_at(raw, "fullyQualifiedName"),
    )
