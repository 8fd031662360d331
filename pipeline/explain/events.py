"""What became of the events of a Userflow object: on which timeline each is, or why it is on none. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core.candidates import paired, side
from pipeline.core.derive import Paired
from pipeline.core.mapping import MappingView
from pipeline.core.timeline import streams, timeline_of
from pipeline.explain.answer import EventTold, EventWord, OnTimeline
from pipeline.explain.history import Seen
from pipeline.explain.retained import Retained
from schemas.letters import letter_id
from schemas.records import ActivityEvent, ChangeEvent, Receipt, timeline_event_id
from schemas.state import ObjectState, PairState
from schemas.topics import pair_key
from schemas.values import System

Pairs = Mapping[str, tuple[str, PairState | None]]
"""Mapping -> match value and row."""
Row = tuple[System, str, str]
"""System, object type and id."""
SeenEvent = Retained[ActivityEvent]


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What was read of an object's events."""

    seen: Sequence[SeenEvent] = ()
    searched_since_ms: int | None = None
    complete: bool = True
    rows: Mapping[Row, ObjectState] = field(default_factory=dict)  # of the objects of its pairs
    waiting: frozenset[str] = frozenset()  # ids of timeline events that HubSpot's connector has not ended yet


@dataclass(frozen=True, slots=True)
class Standing:
    """What else judges events."""

    now_ms: int  # our clock
    hold_ms: int  # how long an event waits for its pair
    pairs: Pairs
    seen: Sequence[Seen] = ()  # receipts of their pairs, and changes of their targets


def events_told(facts: EventFacts, views: Sequence[MappingView], standing: Standing) -> Iterator[EventTold]:
    """Newest first."""
    for one in sorted(facts.seen, key=lambda each: (each.record.occurred_at_ms, each.place), reverse=True):
        event = one.record
        yield EventTold(
            event.name,
            event.occurred_at_ms,
            one.at_ms,
            one.place,
            event.object_type,
            event.object_id,
            tuple(_on(one, view, facts, standing) for view in views if _concerns(event, view, standing.pairs)),
        )


def _concerns(event: ActivityEvent, view: MappingView, pairs: Pairs) -> bool:
    """Whether the mapping has the object that did it, and on this pair where it has one."""
    if view.object_type("userflow") != event.object_type:
        return False
    state = pairs.get(view.name, ("", None))[1]
    return state is None or not side(state, "userflow") or event.object_id in side(state, "userflow")


def _on(one: SeenEvent, view: MappingView, facts: EventFacts, standing: Standing) -> OnTimeline:
    event, hubspot_type = one.record, view.object_type("hubspot")
    if not streams(view, event):
        return OnTimeline(view.name, "off", hubspot_type)
    value, state = standing.pairs.get(view.name, (None, None))
    target = _target(state, view)
    if value is not None and state is not None and _was_sent(event, view, value, state, target, facts):
        word, reason, letter = _sent(one, view, value, state, target, facts, standing)
        return OnTimeline(view.name, word, hubspot_type, target, reason, letter)
    held = _holds(event, facts.rows.get(("userflow", event.object_type, event.object_id))) or _holds(event, state)
    young = standing.now_ms - one.at_ms < standing.hold_ms
    return OnTimeline(view.name, ("held" if held else "on_its_way") if young else "unsent", hubspot_type, target)


def _target(state: PairState | None, view: MappingView) -> str | None:
    pair = paired(state, view) if state is not None else None
    return pair.ids["hubspot"] if isinstance(pair, Paired) else None


def _was_sent(
    event: ActivityEvent, view: MappingView, value: str, state: PairState, target: str | None, facts: EventFacts
) -> bool:
    """Whether the pair remembers it, or the record whose timeline it is: another of its mappings may have put it."""
    memory = timeline_of(view, value, {}).memory_of(event)
    if memory in state.streamed or event.occurred_at_ms < state.streamed_until_ms:
        return True
    row = facts.rows.get(("hubspot", view.object_type("hubspot"), target)) if target is not None else None
    return row is not None and event.event_id in row.streamed


def _sent(
    one: SeenEvent,
    view: MappingView,
    value: str,
    state: PairState,
    target: str | None,
    facts: EventFacts,
    standing: Standing,
) -> tuple[EventWord, str | None, str | None]:
    """What became of an event that was given to HubSpot's connector: the word, the reason, its dead letter."""
    event = one.record
    if any(parked.activity_id == event.event_id for parked in state.parked_events):
        return "parked", None, None
    if target is not None and timeline_event_id(event.event_id, view.object_type("hubspot"), target) in facts.waiting:
        return "on_its_way", None, None
    for told in (one.record for one in standing.seen):
        if isinstance(told, ChangeEvent):
            if _shows_gone(told) and told.caused_by is not None and told.caused_by == event.caused_by:
                return "gone", None, None
        elif _refuses(told, view, event):
            key = pair_key(told.integration, told.connection, told.mapping, told.match_value)
            return "refused", told.reason, letter_id(key, told.event.event_id if told.event else "", told.reason)
    return "sent", None, None


def _refuses(told: Receipt, view: MappingView, event: ActivityEvent) -> bool:
    sent = told.event.activity_id if told.event is not None else None
    return told.kind == "refused" and (told.mapping, sent) == (view.name, event.event_id)


def _shows_gone(told: ChangeEvent) -> bool:
    """Whether HubSpot answered a write that the record is not there."""
    return (told.system, told.origin, told.operation) == ("hubspot", "receipt", "deleted")


def _holds(event: ActivityEvent, row: ObjectState | PairState | None) -> bool:
    return row is not None and any(held.activity.event_id == event.event_id for held in row.held)
