"""Turns Userflow activity into events on HubSpot timelines, each sent at most once.

An event takes the way of a change: its object names the pairs, the pair names the target. An event that arrives before
its object or pair is known is held for a bounded time, checked when the row is next touched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.core.mapping import MappingView
from pipeline.core.matching import EXACT_DELAY_MS, matched
from pipeline.core.outcome import Outcome
from schemas.making import made_quickly
from schemas.records import (
    ActivityEvent,
    ChangeEvent,
    ConnectorRequest,
    HeldEvent,
    MatchedChange,
    TimelineEvent,
    timeline_event_id,
)
from schemas.replacing import replace
from schemas.state import ObjectState, PairState
from schemas.values import System

MOST_HELD: Final = 100
MOST_PARKED: Final = 200
REMEMBERED: Final = 500
MOST_REMEMBERED_BY_OBJECTS: Final = 200
UNKNOWN: Final = ObjectState(revision=0, present=False, at_ms=0, spread_ms=0, fields={}, matches={})


@made_quickly
@dataclass(frozen=True, slots=True)
class Hold:
    """How long an event may wait. Our own clock measures it, for the delay is our own."""

    now_ms: int
    longest_ms: int

    def open(self, held: HeldEvent) -> bool:
        return self.now_ms - held.since_ms < self.longest_ms


@made_quickly
@dataclass(frozen=True, slots=True)
class ObjectActivity:
    """The result of an object's activity: events for its pairs, a read of an unknown object, expired events."""

    state: ObjectState | None
    matches: tuple[MatchedChange, ...] = ()
    rereads: tuple[ConnectorRequest, ...] = ()
    outcome: Outcome = "equal"
    expired: int = 0


def tell_pairs(
    state: ObjectState | None, activity: ActivityEvent, views: Sequence[MappingView], hold: Hold
) -> ObjectActivity:
    """Hand an event to every pair whose mapping streams it; held while one of these pairs is not known."""
    streaming = [view for view in views if streams(view, activity)]
    if not streaming:
        return ObjectActivity(state)
    known = state or UNKNOWN
    waits = not known.present or any(view.name not in known.matches for view in streaming)
    sent = _for_pairs(known, (activity,), streaming) if known.present else ()
    rereads = () if known.present else (_read(activity),)
    if not waits:
        return ObjectActivity(state, sent, outcome="derived")
    held, outcome, expired = _held(known.held, activity, hold)
    return ObjectActivity(replace(known, held=held), sent, rereads, outcome, expired)


def release(
    held: tuple[HeldEvent, ...], state: ObjectState, views: Sequence[MappingView], hold: Hold
) -> ObjectActivity:
    """Release a changed object's held events once all their pairs are known."""
    opened, expired = _open(held, hold)
    if not state.present:
        return ObjectActivity(replace(state, held=opened), expired=expired)
    activities = [one.activity for one in opened]
    waiting = tuple(
        one for one in opened if any(streams(view, one.activity) and view.name not in state.matches for view in views)
    )
    return ObjectActivity(replace(state, held=waiting), _for_pairs(state, activities, views), expired=expired)


def streams(view: MappingView, activity: ActivityEvent) -> bool:
    """Whether the mapping sends this event to timelines."""
    record = view.record
    if not record.stream_events or record.userflow_type != activity.object_type:
        return False
    return not record.event_names or activity.name in record.event_names


def _for_pairs(
    state: ObjectState, activities: Iterable[ActivityEvent], views: Sequence[MappingView]
) -> tuple[MatchedChange, ...]:
    """A matched change for each pair that streams the event, with the event attached."""
    matches: list[MatchedChange] = []
    for activity in activities:
        change = _seen_again(activity, state)
        for view in views:
            value = state.matches.get(view.name)
            if value is not None and streams(view, activity):
                matches.append(replace(matched(change, state, view, value, "joined"), activity=activity))
    return tuple(matches)


def _seen_again(activity: ActivityEvent, state: ObjectState) -> ChangeEvent:
    return ChangeEvent(
        integration=activity.integration,
        connection=activity.connection,
        revision=state.revision,
        system="userflow",
        object_type=activity.object_type,
        object_id=activity.object_id,
        operation="upserted",
        at_ms=state.at_ms,
        spread_ms=state.spread_ms,
        origin="webhook",
        caused_by=activity.caused_by,
    )


def _read(activity: ActivityEvent) -> ConnectorRequest:
    """Request a read of an unknown object, so that its pairs become known."""
    return ConnectorRequest(
        integration=activity.integration,
        connection=activity.connection,
        kind="reread",
        object_type=activity.object_type,
        values=(activity.object_id,),
        delay_ms=EXACT_DELAY_MS,
        caused_by=activity.caused_by,
    )


def _held(held: Sequence[HeldEvent], activity: ActivityEvent, hold: Hold) -> tuple[tuple[HeldEvent, ...], Outcome, int]:
    """Add an event to those held; returns them, the event's outcome, and how many others expired."""
    opened, expired = _open(held, hold)
    if any(one.activity.event_id == activity.event_id for one in opened):
        return opened, "equal", expired
    if len(opened) >= MOST_HELD:
        return opened, "unmatched", expired
    return (*opened, HeldEvent(activity, hold.now_ms)), "held", expired


def _open(held: Sequence[HeldEvent], hold: Hold) -> tuple[tuple[HeldEvent, ...], int]:
    """The events that may wait longer, and how many expired."""
    opened = tuple(one for one in held if hold.open(one))
    return opened, len(held) - len(opened)


@made_quickly
@dataclass(frozen=True, slots=True)
class Streamed:
    """The pair after its events: the events sent, the outcome of the new one, how many expired."""

    state: PairState
    events: tuple[TimelineEvent, ...] = ()  # for the first time: another mapping may have put them there
    again: tuple[TimelineEvent, ...] = ()  # parked before: nobody else puts them there
    outcome: Outcome = "equal"
    expired: int = 0


@made_quickly
@dataclass(frozen=True, slots=True)
class TimelineTarget:
    """The timeline that a pair's events go to; `target_id` None where the pair is not complete."""

    view: MappingView
    match_value: str
    target_id: str | None

    def event(self, activity: ActivityEvent) -> TimelineEvent | None:
        """The event as HubSpot shows it, None where it is not to be sent; a replay gives it the same id."""
        record = self.view.record
        if self.target_id is None or not streams(self.view, activity):
            return None
        return TimelineEvent(
            integration=record.integration,
            connection=record.connection,
            revision=record.revision,
            mapping=record.name,
            match_value=self.match_value,
            object_type=record.hubspot_type,
            object_id=self.target_id,
            event_id=timeline_event_id(activity.event_id, record.hubspot_type, self.target_id),
            name=activity.name,
            occurred_at_ms=activity.occurred_at_ms,
            attributes=activity.attributes,
            caused_by=activity.caused_by,
            activity_id=activity.event_id,
        )

    def memory_of(self, activity: ActivityEvent) -> str:
        """The id by which a pair remembers a sent event; it does not depend on the pair's present target."""
        return timeline_event_id(activity.event_id, self.view.record.hubspot_type, self.match_value)


def timeline_of(view: MappingView, match_value: str, ids: Mapping[System, str]) -> TimelineTarget:
    """The timeline of a pair; `ids` names its two objects, none where the pair is not complete."""
    return TimelineTarget(view, match_value, ids.get("hubspot"))


def stream(state: PairState, activity: ActivityEvent | None, timeline: TimelineTarget, hold: Hold) -> Streamed:
    """Send the new, held and formerly parked events if the pair is complete; otherwise hold them."""
    if activity is None and not state.held and not _unparked(state):
        return Streamed(state)
    if timeline.target_id is None and activity is not None:
        held, outcome, expired = _held(state.held, activity, hold)
        return Streamed(replace(state, held=held), outcome=outcome, expired=expired)
    opened, expired = _open(state.held, hold)
    if timeline.target_id is None:
        return Streamed(replace(state, held=opened), expired=expired)
    wanted = [one.activity for one in opened] + ([activity] if activity else [])
    # parked events go out again though `streamed` lists them, and to the pair's present object
    again = tuple(event.on(timeline.target_id) for event in _unparked(state))
    if again:
        state = replace(state, parked_events=())
    state, events = _sent(replace(state, held=()), wanted, timeline)
    return Streamed(state, events, again, "derived" if events else "equal", expired)


def _unparked(state: PairState) -> tuple[TimelineEvent, ...]:
    """The parked events, once the pair was derived again after the outage."""
    return () if state.parked else state.parked_events


def _sent(
    state: PairState, activities: Sequence[ActivityEvent], timeline: TimelineTarget
) -> tuple[PairState, tuple[TimelineEvent, ...]]:
    """Send the events that were not sent before, and remember them."""
    ids, until_ms = dict(state.streamed), state.streamed_until_ms
    events: list[TimelineEvent] = []
    for activity in sorted(activities, key=lambda one: one.occurred_at_ms):
        event, memory = timeline.event(activity), timeline.memory_of(activity)
        if event is None or memory in ids or activity.occurred_at_ms < until_ms:
            continue
        ids[memory] = activity.occurred_at_ms
        events.append(event)
    for forgotten in sorted(ids, key=lambda id: ids[id])[:-REMEMBERED]:
        until_ms = max(until_ms, ids.pop(forgotten))
    return replace(state, streamed=ids, streamed_until_ms=until_ms), tuple(events)


def once(state: ObjectState | None, event: TimelineEvent) -> tuple[ObjectState | None, TimelineEvent | None]:
    """The HubSpot record's row after an event for its timeline; no event where one of its pairs has put it there.

    Several mappings may pair one record. Of a record that is not known nothing is remembered: the sink finds out.
    """
    if state is None or not event.activity_id:
        return None, event
    if event.activity_id in state.streamed:
        return None, None
    streamed = {**state.streamed, event.activity_id: event.occurred_at_ms}
    newest = sorted(streamed, key=lambda one: streamed[one])[-MOST_REMEMBERED_BY_OBJECTS:]
    # the one that came is kept whatever its age: the other mappings' copies follow it
    kept = dict.fromkeys((*newest, event.activity_id))
    return replace(state, streamed={one: streamed[one] for one in kept}), event


def park(state: PairState, event: TimelineEvent) -> PairState | None:
    """Keep an event that the sink could not send until the pair is derived again; None where too many are kept."""
    if any(one.event_id == event.event_id for one in state.parked_events):
        return state
    if len(state.parked_events) >= MOST_PARKED:
        return None
    return replace(state, parked=True, parked_events=(*state.parked_events, event))
