"""The attributes and events that an environment defines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from connectors.http.answers import content
from connectors.http.lenient_json import JsonObject, text_at
from connectors.http.messages import Call, Request, Response
from connectors.userflow.protocol.answers import call
from connectors.userflow.protocol.objects import LIST_LIMIT, cursor_of, listed

T = TypeVar("T")

Scope = Literal["user", "group", "group_membership", "event"]


@dataclass(frozen=True, slots=True)
class AttributeDefinition:
    """One attribute; `data_type` is an open set: string, number, boolean, datetime, list and reference types."""

    name: str
    data_type: str
    display_name: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """One event type, with its display name."""

    name: str
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class AttributeDefinitionPage:
    """Some attribute definitions and the cursor of the next page."""

    definitions: tuple[AttributeDefinition, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class EventDefinitionPage:
    """Some event definitions and the cursor of the next page."""

    definitions: tuple[EventDefinition, ...]
    next_cursor: str | None = None


def list_attribute_definitions(scope: Scope, *, starting_after: str | None = None) -> Call[AttributeDefinitionPage]:
    """One page; filtered by `scope` here, in case the server ignores it."""

    def page(response: Response) -> AttributeDefinitionPage:
        raw, cursor = _listed(response, _attribute)
        return AttributeDefinitionPage(tuple(one for one in raw if one.scope in ("", scope)), cursor)

    request = Request("GET", "/attribute_definitions", (*_query(starting_after), ("scope", scope)))
    return call(request, page, "control")


def list_event_definitions(*, starting_after: str | None = None) -> Call[EventDefinitionPage]:
    """One page."""

    def page(response: Response) -> EventDefinitionPage:
        return EventDefinitionPage(*_listed(response, _event))

    return call(Request("GET", "/event_definitions", _query(starting_after)), page, "control")


def _query(starting_after: str | None) -> tuple[tuple[str, str], ...]:
    cursor = (("starting_after", starting_after),) if starting_after else ()
    return (("limit", str(LIST_LIMIT)), ("order_by", "created_at"), *cursor)


def _listed(response: Response, read: Callable[[JsonObject], T]) -> tuple[tuple[T, ...], str | None]:
    raw = listed(response)
    last_id = text_at(raw[-1], "id") if raw else None
    return tuple(map(read, raw)), cursor_of(content(response), last_id)


def _attribute(raw: JsonObject) -> AttributeDefinition:
    return AttributeDefinition(
        text_at(raw, "name") or "",
        text_at(raw, "data_type") or "",
        text_at(raw, "display_name") or "",
        text_at(raw, "scope") or "",
    )


def _event(raw: JsonObject) -> EventDefinition:
    return EventDefinition(text_at(raw, "name") or "", text_at(raw, "display_name") or "")
