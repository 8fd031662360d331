"""Userflow's kinds of events as HubSpot's event types: one for each event and object type, with its properties.

Follows HubSpot's guides "define custom events" and "app events reference": names in lower case, starting with a letter.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from connectors.hubspot.associated import WORDS
from connectors.hubspot.protocol import EventProperty
from connectors.hubspot.translate import property_text
from schemas.configuration import DescribedEvent
from schemas.values import FieldValue

MOST_PROPERTIES: Final = 50
LONGEST_NAME: Final = 50
LIST_SEPARATOR: Final = "; "
RESERVED: Final = frozenset({"log", "lookup"})
"""Words that the templates of app events take for themselves."""

_PREFIX: Final = "userflow"
_OF_ACCOUNT: Final = re.compile(r"p[0-9]+_")


@dataclass(frozen=True, slots=True)
class EventType:
    """One Userflow event on one object type's timelines; `properties` by the attribute that each is made of."""

    event: str
    name: str
    label: str
    object_type: str
    properties: Mapping[str, EventProperty] = field(default_factory=dict)

    @property
    def primary_object(self) -> str:
        """The object type as event definitions name it; an account's own type by its id."""
        word = WORDS.get(self.object_type)
        return word.upper() if word else self.object_type


def event_types(events: Iterable[DescribedEvent]) -> Iterator[EventType]:
    """Every type that the streamed events need."""
    return (event_type(event, object_type) for event in events for object_type in event.timelines)


def event_type(event: DescribedEvent, object_type: str) -> EventType:
    """The type of an event on one object type's timelines, with its first 50 attributes; all of them are text.

    Text takes any value, so that no attribute can refuse its event; `Checklist Task Completed` is filtered by name.
    """
    made: dict[str, EventProperty] = {}
    for attribute in event.attributes[:MOST_PROPERTIES]:
        name = _property_name(attribute.name)
        if any(name == other.name for other in made.values()):
            name = _told_apart(name, attribute.name)
        made[attribute.name] = EventProperty(name, "string", attribute.label or attribute.name)
    label = f"Userflow: {event.label or event.name}"
    return EventType(event.name, type_name(event.name, object_type), label, object_type, made)


def type_name(event: str, object_type: str) -> str:
    """`flow_started` on contacts -> `userflow_flow_started_contact`."""
    word = WORDS.get(object_type) or _OF_ACCOUNT.sub("", object_type, count=1)
    return _fitting(f"{_PREFIX}_{_plain(event)}_{_plain(word)}")


def attribute_text(value: FieldValue) -> str:
    """An attribute as a property holds it; empty where there is none. The items of a list are joined with "; "."""
    return LIST_SEPARATOR.join(value) if isinstance(value, tuple) else property_text(value)


def _property_name(attribute: str) -> str:
    name = _plain(attribute)
    if not name[:1].isalpha() or name in RESERVED:
        name = f"{_PREFIX}_{name}"
    return _fitting(name)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", name.lower())


def _fitting(name: str) -> str:
    """The name, or its beginning and what tells it from others with that beginning."""
    return name if len(name) <= LONGEST_NAME else _told_apart(name, name)


def _told_apart(name: str, by: str) -> str:
    """A name that only `by` leads to."""
    return f"{name[: LONGEST_NAME - 9]}_{hashlib.sha256(by.encode()).hexdigest()[:8]}"
