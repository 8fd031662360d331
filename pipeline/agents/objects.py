"""Agent OBJECTS: what each object is known to hold, and which pairs hear of its changes."""

from collections.abc import Callable, Iterable
from typing import Any

from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming, Needed
from pipeline.core.matching import observe, resend
from pipeline.mappings.reader import IntegrationView
from schemas.records import ChangeEvent, MatchedChange, ObjectState, StateCommand
from schemas.topics import (
    HUBSPOT_CHANGES,
    MATCHES,
    OBJECTS_STATE,
    STATE_COMMANDS,
    USERFLOW_CHANGES,
    object_key,
    pair_key,
    requests_topic,
)

NAME = "objects"
TOPICS = (HUBSPOT_CHANGES, USERFLOW_CHANGES, STATE_COMMANDS)
STATE_TOPIC = OBJECTS_STATE
DISCONNECTED = Effects((), "disconnected")


class Objects:
    """The decision of OBJECTS for one record."""

    name = NAME

    def __init__(self, view: Callable[[str], IntegrationView | None]) -> None:
        self._view = view

    def needs(self, record: Any) -> Needed | None:
        if not isinstance(record, ChangeEvent):
            return None
        return record.integration, record.connection, record.revision

    def decide(self, incoming: Incoming, overlay: Overlay[ObjectState]) -> Effects:
        record = incoming.record
        view = self._view(record.integration)
        if view is None or not view.connected or view.connection != record.connection:
            return DISCONNECTED
        if isinstance(record, ChangeEvent):
            return _change(record, view, overlay)
        if isinstance(record, StateCommand) and record.stage == NAME:
            return _command(record, view, overlay)
        return Effects((), "equal")


def _change(change: ChangeEvent, view: IntegrationView, overlay: Overlay[ObjectState]) -> Effects:
    key = object_key(change.integration, change.connection, change.system, change.object_type, change.object_id)
    step = observe(overlay.get(key), change, view.of_type(change.system, change.object_type))
    if step.state is not None:
        overlay.put(key, step.state)
    requests = (Output(requests_topic(change.system), change.integration, request) for request in step.rereads)
    return Effects((*_matches(step.matches), *requests), step.outcome)


def _command(command: StateCommand, view: IntegrationView, overlay: Overlay[ObjectState]) -> Effects:
    if command.kind != "resend" or command.object_key is None:
        return Effects((), "equal")
    state = overlay.get(command.object_key)
    if state is None or not state.present:
        return Effects((), "unmatched")
    change = _as_change(command, command.object_key, state)
    return Effects(_matches(resend(state, change, view.of_type(change.system, change.object_type))), "derived")


def _as_change(command: StateCommand, key: str, state: ObjectState) -> ChangeEvent:
    """The object as last known, as if seen again: pairs hear of it as of a lookup."""
    _, _, system, object_type, object_id = key.split(":", 4)
    return ChangeEvent(
        integration=command.integration,
        connection=command.connection,
        revision=state.revision,
        system="hubspot" if system == "hubspot" else "userflow",
        object_type=object_type,
        object_id=object_id,
        operation="upserted",
        at_ms=state.at_ms,
        spread_ms=state.spread_ms,
        origin="lookup",
        run_id=command.run_id,
        caused_by=command.caused_by,
    )


def _matches(matches: Iterable[MatchedChange]) -> tuple[Output, ...]:
    return tuple(
        Output(MATCHES, pair_key(match.integration, match.connection, match.mapping, match.match_value), match)
        for match in matches
    )
