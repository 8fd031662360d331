"""Agent OBJECTS: keeps the known fields of each object, and sends its changes to the pairs concerned."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from pipeline.agents.configuration import IntegrationView
from pipeline.agents.erasing import ERASED, Erasing, erase_object, erase_shown, marked, new_salt, refuses
from pipeline.agents.forgetting import forget, known_to_be_over
from pipeline.agents.key_order import KeyOrder
from pipeline.agents.made_up import CHANGES, decided, view_of
from pipeline.agents.rereading import holding, sweep
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming, Needed
from pipeline.core.freshness import TOO_FAR_AHEAD_MS
from pipeline.core.matching import believed_object, observe, resend
from pipeline.core.timeline import Hold, ObjectActivity, once, release, tell_pairs
from schemas.records import ActivityEvent, ChangeEvent, ConnectorRequest, MatchedChange, StateCommand, TimelineEvent
from schemas.state import ObjectState
from schemas.topics import (
    HUBSPOT_CHANGES,
    HUBSPOT_TIMELINE_EVENTS,
    MATCHES,
    OBJECTS_STATE,
    STATE_COMMANDS,
    USERFLOW_ACTIVITY,
    USERFLOW_CHANGES,
    object_key,
    object_of,
    pair_key,
    requests_topic,
)
from schemas.values import System

NAME = "objects"
TOPICS = (HUBSPOT_CHANGES, USERFLOW_CHANGES, USERFLOW_ACTIVITY, STATE_COMMANDS)
STATE_TOPIC = OBJECTS_STATE
DISCONNECTED = Effects((), "disconnected")


class Objects:
    """The decision of OBJECTS for one record."""

    name = NAME
    topics = TOPICS

    def __init__(
        self,
        view: Callable[[str], IntegrationView | None],
        now_ms: Callable[[], int],
        event_hold_ms: int,
        salt: Callable[[], bytes] = new_salt,
    ) -> None:
        self._view = view
        self._erasing = Erasing(now_ms, salt)
        self._now_ms = now_ms
        self._event_hold_ms = event_hold_ms
        self._order = KeyOrder()

    def needs(self, record: Any) -> Needed | None:
        if isinstance(record, StateCommand) and record.kind == "forget":
            return known_to_be_over(record)
        if isinstance(record, ActivityEvent):
            return record.integration, record.connection, 0
        if not isinstance(record, ChangeEvent):
            return None
        return record.integration, record.connection, record.revision

    def decide(self, incoming: Incoming, overlay: Overlay[ObjectState]) -> Effects:
        record = incoming.record
        if isinstance(record, StateCommand) and record.kind == "forget":
            return forget(incoming, record, overlay) if record.stage == NAME else Effects((), "equal")
        view = self._view(record.integration)
        if view is None or not view.connected or view.connection != record.connection:
            return DISCONNECTED
        if isinstance(record, ChangeEvent):
            return self._change(record, view, overlay)
        if isinstance(record, ActivityEvent):
            return self._activity(record, view, overlay)
        if isinstance(record, StateCommand) and record.stage == NAME:
            if record.kind == "erase":
                return erase_shown(record, overlay, self._erasing)
            if record.kind == "sweep":
                return sweep(incoming, record, overlay, self._now_ms(), self._order)
            return _command(incoming, record, view, overlay)
        return Effects((), "equal")

    def try_out(self) -> tuple[Output, ...]:
        """What it makes of changes made up for this."""
        return decided(Objects(view_of, self._now_ms, self._event_hold_ms), CHANGES)

    def _change(self, change: ChangeEvent, view: IntegrationView, overlay: Overlay[ObjectState]) -> Effects:
        if change.operation == "erased":
            return erase_object(change, overlay, self._erasing)
        key = object_key(change.integration, change.connection, change.system, change.object_type, change.object_id)
        known, views = overlay.get(key), view.of_type(change.system, change.object_type)
        if refuses(known, change, change.system):
            return ERASED
        known = believed_object(known, self._now_ms() + TOO_FAR_AHEAD_MS) if known is not None else None
        step = observe(known, change, views)
        activity = ObjectActivity(step.state)
        if step.state is not None and known is not None and known.held:
            activity = release(known.held, step.state, views, self._hold())
        if activity.state is not None:
            overlay.put(key, marked(activity.state, known))
        outputs = (*_matches((*step.matches, *activity.matches)), *_requests(change.system, step.rereads))
        return Effects(outputs, step.outcome, expired=activity.expired)

    def _activity(self, activity: ActivityEvent, view: IntegrationView, overlay: Overlay[ObjectState]) -> Effects:
        key = object_key(
            activity.integration, activity.connection, "userflow", activity.object_type, activity.object_id
        )
        known = overlay.get(key)
        if refuses(known, activity, "userflow"):
            return ERASED
        step = tell_pairs(known, activity, view.of_type("userflow", activity.object_type), self._hold())
        if step.state is not None:
            overlay.put(key, step.state)
        outputs = (*_matches(step.matches), *_requests("userflow", step.rereads))
        return Effects(outputs, step.outcome, expired=step.expired)

    def _hold(self) -> Hold:
        return Hold(self._now_ms(), self._event_hold_ms)


def _command(
    incoming: Incoming, command: StateCommand, view: IntegrationView, overlay: Overlay[ObjectState]
) -> Effects:
    if command.kind == "reread":
        return holding(incoming, command, overlay)
    if command.kind == "stream" and command.event is not None and command.object_key is not None:
        return _stream(command.object_key, command.event, overlay)
    if command.kind != "resend" or command.object_key is None:
        return Effects((), "equal")
    state = overlay.get(command.object_key)
    if state is None or not state.present:
        return Effects((), "unmatched")
    change = _as_change(command, command.object_key, state)
    return Effects(_matches(resend(state, change, view.of_type(change.system, change.object_type))), "derived")


def _stream(key: str, event: TimelineEvent, overlay: Overlay[ObjectState]) -> Effects:
    if (known := overlay.get(key)) is not None and known.erased_ms:
        return replace(ERASED, mapping=event.mapping)
    state, sent = once(known, event)
    if state is not None:
        overlay.put(key, state)
    if sent is None:
        return Effects((), "equal", event.mapping)
    return Effects((Output(HUBSPOT_TIMELINE_EVENTS, sent.integration, sent),), "derived", event.mapping)


def _as_change(command: StateCommand, key: str, state: ObjectState) -> ChangeEvent:
    """The object's last known state as a change of origin lookup, so that every pair hears of it."""
    system, object_type, object_id = object_of(key)
    return ChangeEvent(
        integration=command.integration,
        connection=command.connection,
        revision=state.revision,
        system=system,
        object_type=object_type,
        object_id=object_id,
        operation="upserted",
        at_ms=state.at_ms,
        spread_ms=state.spread_ms,
        origin="lookup",
        run_id=command.run_id,
        bulk=command.bulk,
        caused_by=command.caused_by,
    )


def _requests(system: System, requests: Iterable[ConnectorRequest]) -> Iterable[Output]:
    return (Output(requests_topic(system), request.integration, request) for request in requests)


def _matches(matches: Iterable[MatchedChange]) -> tuple[Output, ...]:
    return tuple(
        Output(MATCHES, pair_key(match.integration, match.connection, match.mapping, match.match_value), match)
        for match in matches
    )
