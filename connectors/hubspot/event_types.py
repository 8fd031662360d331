"""Maps Userflow's events to HubSpot's event types: one per event and object type, with its properties.

Follows HubSpot's guides "define custom events" and "app events reference": names in lower case, starting with a letter.
"""

import hashlib
import re
from collections import Counter
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
"""Words that app event templates reserve."""

_PREFIX: Final = "userflow"
_OF_ACCOUNT: Final = re.compile(r"p[0-9]+_")


@dataclass(frozen=True, slots=True)
class EventType:
    """One Userflow event on one object type's timelines; `properties` maps each attribute to its property."""

    event: str
    name: str
    label: str
    object_type: str
    properties: Mapping[str, EventProperty] = field(default_factory=dict)

    @property
    def primary_object(self) -> str:
        """The object type's name in event definitions; a custom type's is its id."""
        word = WORDS.get(self.object_type)
        return word.upper() if word else self.object_type


def event_types(events: Iterable[DescribedEvent]) -> Iterator[EventType]:
    """Every type the streamed events need."""
    return (event_type(event, object_type) for event in events for object_type in event.timelines)


def event_type(event: DescribedEvent, object_type: str) -> EventType:
    """The type of an event on one object type's timelines, with its first 50 attributes, all as text.

    Text takes any value, so no attribute can refuse its event; `Checklist Task Completed` is filtered by name.
    """
    attributes = event.attributes[:MOST_PROPERTIES]
    taken = Counter(_property_name(attribute.name) for attribute in attributes)
    made: dict[str, EventProperty] = {}
    for attribute in attributes:
        name = _property_name(attribute.name)
        if taken[name] > 1 and name != attribute.name:
            name = _told_apart(name, attribute.name)
        made[attribute.name] = EventProperty(name, "string", attribute.label or attribute.name)
    label = f"Userflow: {event.label or event.name}"
    return EventType(event.name, type_name(event.name, object_type), label, object_type, made)


def carried(type_: EventType, attributes: Iterable[str]) -> Mapping[str, EventProperty]:
    """The properties for an event's attributes: those of its type, and a new text for each unknown attribute.

    Userflow documents no full list of its events' attributes, and any event may bring a new one.
    """
    made = {name: type_.properties[name] for name in attributes if name in type_.properties}
    taken = {one.name for one in type_.properties.values()}
    room = MOST_PROPERTIES - len(type_.properties)
    for attribute in sorted(set(attributes) - made.keys()):
        name = _property_name(attribute)
        name = _told_apart(name, attribute) if name in taken else name
        if room > 0 and name not in taken:
            made[attribute] = EventProperty(name, "string", attribute)
            taken.add(name)
            room -= 1
    return made


def type_name(event: str, object_type: str) -> str:
    """`flow_started` on contacts -> `userflow_flow_started_contact`.

    A name that loses characters (`Trial Started`, `登録完了`) gets a suffix that sets it apart from every other name,
    whether or not another is streamed: if the suffix came later, two types would share one history.
    """
    word = WORDS.get(object_type) or _OF_ACCOUNT.sub("", object_type, count=1)
    name = f"{_PREFIX}_{_plain(event)}_{_plain(word)}"
    two_readings = object_type not in WORDS and ("_" in word or word in WORDS.values())
    if event == _plain(event) and not two_readings:
        return _fitting(name)
    return _told_apart(name, repr((event, object_type)))


def attribute_text(value: FieldValue) -> str:
    """An attribute as a property's text; empty if absent. List items are joined with "; "."""
    return LIST_SEPARATOR.join(value) if isinstance(value, tuple) else property_text(value)


def _property_name(attribute: str) -> str:
    name = _plain(attribute)
    if not name[:1].isalpha() or name in RESERVED:
        name = f"{_PREFIX}_{name}"
    return _fitting(name)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", name.lower())


def _short(name: str) -> str:
    """The name with each run of underscores cut to one: underscores replace unusable characters."""
    return re.sub(r"_{2,}", "_", name)


def _fitting(name: str) -> str:
    """The name, cut if too long, with a suffix that sets it apart from names with the same beginning."""
    return name if len(name) <= LONGEST_NAME else _told_apart(name, name)


def _told_apart(name: str, by: str) -> str:
    """The name with a suffix unique to `by`."""
    return f"{_short(name)[: LONGEST_NAME - 9]}_{hashlib.sha256(by.encode()).hexdigest()[:8]}"
