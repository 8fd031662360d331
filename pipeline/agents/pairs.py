"""Agent PAIRS: both sides of each pair, and the patches that bring them in step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.agents.configuration import IntegrationView
from pipeline.agents.erasing import erase_pair
from pipeline.agents.forgetting import forget, known_to_be_over
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming, Needed
from pipeline.core.conflicts import NOT_TAKEN
from pipeline.core.derive import RefusedField
from pipeline.core.freshness import TOO_FAR_AHEAD_MS
from pipeline.core.lookups import Asking, with_lookup
from pipeline.core.mapping import MappingView
from pipeline.core.pairing import EMPTY, PairStep, believed_pair, change_pair, receive, rederive, retry_refused
from pipeline.core.timeline import Hold, Streamed, park, stream, timeline_of
from schemas.letters import letter_about, letter_id
from schemas.records import (
    Cause,
    ConnectorRequest,
    DeadLetter,
    FieldPatch,
    MatchedChange,
    PairState,
    Receipt,
    StateCommand,
    TimelineEvent,
)
from schemas.topics import (
    DEAD_LETTERS,
    HUBSPOT_TIMELINE_EVENTS,
    MATCHES,
    PAIRS_STATE,
    RECEIPTS,
    STATE_COMMANDS,
    field_patches_topic,
    object_key,
    pair_key,
    requests_topic,
)
from schemas.values import FieldValue, System

NAME = "pairs"
TOPICS = (MATCHES, RECEIPTS, STATE_COMMANDS)
STATE_TOPIC = PAIRS_STATE
MOST_OUTPUTS: Final = 500
MOST_PAIRS: Final = 5_000  # a slice blocks the event loop: some 14 us a pair
DISCONNECTED = Effects((), "disconnected")
NOT_OURS = Effects((), "equal")


@dataclass(frozen=True, slots=True)
class Context:
    """The pair, mapping and record that a step's outputs belong to."""

    incoming: Incoming
    mapping: MappingView
    match_value: str
    run_id: str | None
    bulk: bool
    caused_by: Cause | None
    at_ms: int

    @property
    def key(self) -> str:
        record = self.mapping.record
        return pair_key(record.integration, record.connection, record.name, self.match_value)


class Pairs:
    """The decision of PAIRS for one record."""

    name = NAME
    topics = TOPICS

    def __init__(
        self,
        view: Callable[[str], IntegrationView | None],
        now_ms: Callable[[], int],
        event_hold_ms: int,
        lookup_interval_ms: int,
    ) -> None:
        self._view = view
        self._now_ms = now_ms
        self._event_hold_ms = event_hold_ms
        self._lookup_interval_ms = lookup_interval_ms

    def needs(self, record: Any) -> Needed | None:
        if isinstance(record, StateCommand) and record.kind == "forget":
            return known_to_be_over(record)
        if not isinstance(record, MatchedChange):
            return None
        return record.integration, record.connection, record.revision

    def decide(self, incoming: Incoming, overlay: Overlay[PairState]) -> Effects:
        record = incoming.record
        if isinstance(record, StateCommand) and record.kind == "forget":
            return forget(incoming, record, overlay) if record.stage == NAME else NOT_OURS
        view = self._view(record.integration)
        if view is None or not view.connected or view.connection != record.connection:
            return DISCONNECTED
        if isinstance(record, StateCommand):
            ours = record.stage == NAME and record.kind == "rederive"
            return self._rederive(incoming, record, view, overlay) if ours else NOT_OURS
        mapping = view.mappings.get(record.mapping)
        if isinstance(record, MatchedChange) and record.presence == "erased":
            return erase_pair(record, mapping, overlay)
        if mapping is None:
            return DISCONNECTED
        bulk = isinstance(record, MatchedChange) and record.bulk
        context = Context(incoming, mapping, record.match_value, record.run_id, bulk, record.caused_by, self._now_ms())
        state = overlay.get(context.key)
        if isinstance(record, Receipt):
            return _receipt(state, record, context, overlay)
        state = believed_pair(state, context.at_ms + TOO_FAR_AHEAD_MS) if state is not None else None
        asking = Asking(context.at_ms, self._lookup_interval_ms, view.crawled)
        step = with_lookup(change_pair(state, record, mapping), record, mapping, asking)
        timeline = timeline_of(mapping, context.match_value, step.ids)
        hold = Hold(context.at_ms, self._event_hold_ms)
        streamed = stream(step.state or EMPTY, record.activity, timeline, hold)
        effects = _effects(step, context, overlay, streamed)
        return effects if record.activity is None else replace(effects, outcome=streamed.outcome)

    def _rederive(
        self, incoming: Incoming, command: StateCommand, view: IntegrationView, overlay: Overlay[PairState]
    ) -> Effects:
        """Derive pairs in slices: after about MOST_OUTPUTS outputs or MOST_PAIRS pairs a cursor continues the rest."""
        outputs: list[Output] = []
        prefix = f"{command.integration}:{command.connection}:" + (f"{command.mapping}:" if command.mapping else "")
        done = command.cursor
        for looked, key in enumerate(overlay.keys_after(command.cursor, prefix)):
            if len(outputs) >= MOST_OUTPUTS or looked >= MOST_PAIRS:
                go_on = replace(command, cursor=done)
                outputs.append(Output(STATE_COMMANDS, incoming.key, go_on, incoming.partition))
                break
            done = key
            _, _, name, match_value = key.split(":", 3)
            state, mapping = overlay.get(key), view.mappings.get(name)
            if state is None or mapping is None:
                continue
            step = rederive(retry_refused(state) if command.retry_refused else state, mapping)
            timeline = timeline_of(mapping, match_value, step.ids)
            streamed = stream(step.state or state, None, timeline, Hold(self._now_ms(), self._event_hold_ms))
            context = Context(incoming, mapping, match_value, command.run_id, True, command.caused_by, self._now_ms())
            outputs += _effects(step, context, overlay, streamed).outputs
        return Effects(tuple(outputs), "derived")


def _receipt(state: PairState | None, receipt: Receipt, context: Context, overlay: Overlay[PairState]) -> Effects:
    """Apply a sink's receipt for a patch or an event; a parked event is sent again when the pair is derived."""
    if receipt.event is None:
        step = receive(state, receipt, context.mapping)
        if step.state is not None:
            overlay.put(context.key, _worth_keeping(step.state))
        letters = (_letter(refusal, context, f"{receipt.system}.sink") for refusal in step.refused)
        outputs = tuple(Output(DEAD_LETTERS, context.key, letter) for letter in letters)
        return Effects(outputs, step.outcome, context.mapping.name)
    if receipt.kind != "parked":
        return Effects((), "unmatched" if receipt.kind == "missed" else receipt.kind, context.mapping.name)
    if state is None:  # the pair was erased, or dissolved, meanwhile: nothing of it may come back
        return Effects((), "unmatched", context.mapping.name)
    parked = park(state or EMPTY, receipt.event)
    if parked is None:
        letter = letter_about(
            context.incoming, NAME, "too_many_parked", "events of one pair wait already", context.at_ms, about=receipt
        )
        return Effects((Output(DEAD_LETTERS, context.key, letter),), "dead-lettered", context.mapping.name)
    overlay.put(context.key, parked)
    return Effects((), "parked", context.mapping.name)


def _worth_keeping(state: PairState) -> PairState | None:
    return state if state.hubspot or state.userflow or state.parked_events else None


def _effects(step: PairStep, context: Context, overlay: Overlay[PairState], streamed: Streamed) -> Effects:
    overlay.put(context.key, _worth_keeping(streamed.state))
    outputs = (
        *(_patch(system, step.ids[system], fields, context) for system, fields in step.derivation.patches.items()),
        *(_resend(system, object_id, context) for system, object_id in step.resend),
        *(_reread(system, object_id, context) for system, object_id in step.rivals),
        *((_lookup(step.lookup, context),) if step.lookup else ()),
        *(Output(DEAD_LETTERS, context.key, _letter(refusal, context, NAME)) for refusal in step.refused),
        *(_stream(event) for event in streamed.events),
        *(Output(HUBSPOT_TIMELINE_EVENTS, event.integration, event) for event in streamed.again),
    )
    return Effects(outputs, step.outcome, context.mapping.name, streamed.expired)


def _patch(system: System, object_id: str, fields: Mapping[str, FieldValue], context: Context) -> Output:
    mapping = context.mapping
    patch = FieldPatch(
        integration=mapping.record.integration,
        connection=mapping.record.connection,
        revision=mapping.record.revision,
        mapping=mapping.name,
        match_value=context.match_value,
        system=system,
        object_type=mapping.object_type(system),
        object_id=object_id,
        fields=fields,
        run_id=context.run_id,
        bulk=context.bulk,
        caused_by=context.caused_by,
    )
    return Output(field_patches_topic(system), patch.integration, patch)


def _resend(system: System, object_id: str, context: Context) -> Output:
    """Ask OBJECTS for the fields of a candidate that is stored without them."""
    record = context.mapping.record
    object_type = context.mapping.object_type(system)
    key = object_key(record.integration, record.connection, system, object_type, object_id)
    command = StateCommand(
        record.integration,
        record.connection,
        stage="objects",
        kind="resend",
        object_key=key,
        run_id=context.run_id,
        caused_by=context.caused_by,
        bulk=context.bulk,
    )
    return Output(STATE_COMMANDS, key, command)


def _stream(event: TimelineEvent) -> Output:
    """Give an event to the row of its HubSpot record, which knows the events that other pairs put there."""
    key = object_key(event.integration, event.connection, "hubspot", event.object_type, event.object_id)
    command = StateCommand(
        event.integration,
        event.connection,
        stage="objects",
        kind="stream",
        mapping=event.mapping,
        object_key=key,
        caused_by=event.caused_by,
        event=event,
    )
    return Output(STATE_COMMANDS, key, command)


def _reread(system: System, object_id: str, context: Context) -> Output:
    record = context.mapping.record
    request = ConnectorRequest(
        record.integration,
        record.connection,
        kind="reread",
        object_type=context.mapping.object_type(system),
        values=(object_id,),
        run_id=context.run_id,
        caused_by=context.caused_by,
        bulk=context.bulk,
    )
    return Output(requests_topic(system), record.integration, request)


def _lookup(system: System, context: Context) -> Output:
    mapping = context.mapping
    record = mapping.record
    request = ConnectorRequest(
        record.integration,
        record.connection,
        kind="lookup",
        object_type=mapping.object_type(system),
        values=(context.match_value,),
        match_field=mapping.match_field(system),
        mapping=record.name,
        caused_by=context.caused_by,
        by_email=mapping.by_email,
    )
    return Output(requests_topic(system), record.integration, request)


def _letter(refusal: RefusedField, context: Context, stage: str) -> DeadLetter:
    """The refusal's dead letter; the same value refused again for the same reason is the same letter."""
    incoming, record = context.incoming, context.mapping.record
    return DeadLetter(
        id=letter_id(context.key, f"{refusal.system}.{refusal.name}", refusal.value, refusal.reason),
        integration=record.integration,
        stage=stage,
        reason=refusal.reason,
        detail=_detail(refusal, stage),
        topic=incoming.topic,
        partition=incoming.partition,
        offset=incoming.offset,
        key=incoming.key,
        value=incoming.value,
        at_ms=context.at_ms,
        mapping=record.name,
        field=f"{refusal.system}.{refusal.name}",
        caused_by=context.caused_by,
    )


def _detail(refusal: RefusedField, stage: str) -> str:
    if stage != NAME:
        return f"{refusal.system} refused the value of field {refusal.name}"
    if refusal.reason == "contested":
        return f"somebody else keeps rewriting {refusal.system} field {refusal.name}; the next full sync tries again"
    if refusal.reason == NOT_TAKEN:
        return f"{refusal.system} answered a write of field {refusal.name} with the value that was there before"
    return f"the value does not fit {refusal.system} field {refusal.name}"
