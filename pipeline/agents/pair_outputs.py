"""What a pair's step leads to: patches, requests, events and dead letters, and the row that is kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming
from pipeline.core.candidates import side
from pipeline.core.conflicts import NOT_TAKEN
from pipeline.core.derive import RefusedField
from pipeline.core.mapping import MappingView
from pipeline.core.pairing import PairStep
from pipeline.core.timeline import Streamed
from schemas.letters import letter_id
from schemas.making import made_quickly
from schemas.records import Cause, ConnectorRequest, DeadLetter, FieldPatch, StateCommand, TimelineEvent
from schemas.state import PairState
from schemas.topics import (
    DEAD_LETTERS,
    HUBSPOT_TIMELINE_EVENTS,
    STATE_COMMANDS,
    field_patches_topic,
    object_key,
    pair_key,
    requests_topic,
)
from schemas.values import FieldValue, System

NAME: Final = "pairs"


@made_quickly
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


def worth_keeping(state: PairState) -> PairState | None:
    return state if state.hubspot or state.userflow or state.parked_events else None


def writes_only(step: PairStep) -> bool:
    """Whether nothing is to be asked or told after the step."""
    return not (step.refused or step.resend or step.rivals or step.lookups or step.unknown)


def leads_nowhere(step: PairStep) -> bool:
    """Whether nothing is to be written, asked or told after the step."""
    return not step.derivation.patches and writes_only(step)


def effects(step: PairStep, context: Context, overlay: Overlay[PairState], streamed: Streamed) -> Effects:
    overlay.put(context.key, worth_keeping(streamed.state))
    patches = tuple([_patch(system, step, fields, context) for system, fields in step.derivation.patches.items()])
    if writes_only(step) and not (streamed.events or streamed.again):  # almost every record
        return Effects(patches, step.outcome, context.mapping.name, streamed.expired)
    outputs = (
        *patches,
        *(_resend(system, object_id, context) for system, object_id in step.resend),
        *rereads(step, context),
        *(lookup(system, (context.match_value,), context) for system in step.lookups),
        *(lookup(system, (context.match_value,), context, tell_missing=True) for system in step.unknown),
        *(Output(DEAD_LETTERS, context.key, letter(refusal, context, NAME)) for refusal in step.refused),
        *(_stream(event) for event in streamed.events),
        *(Output(HUBSPOT_TIMELINE_EVENTS, event.integration, event) for event in streamed.again),
    )
    return Effects(outputs, step.outcome, context.mapping.name, streamed.expired)


def _patch(system: System, step: PairStep, fields: Mapping[str, FieldValue], context: Context) -> Output:
    mapping, object_id = context.mapping, step.ids[system]
    candidate = side(step.state, system).get(object_id) if step.state is not None else None
    known = candidate.fields if candidate is not None else {}
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
        known_until_ms={name: known[name].at_ms + known[name].spread_ms for name in fields if name in known},
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


def lookup(system: System, values: Sequence[str], context: Context, *, tell_missing: bool = False) -> Output:
    """Ask a system who holds the match values."""
    mapping = context.mapping
    record = mapping.record
    request = ConnectorRequest(
        record.integration,
        record.connection,
        kind="lookup",
        object_type=mapping.object_type(system),
        values=tuple(values),
        match_field=mapping.match_field(system),
        mapping=record.name,
        run_id=context.run_id,
        caused_by=context.caused_by,
        by_email=mapping.by_email,
        bulk=context.bulk,
        tell_missing=tell_missing,
    )
    return Output(requests_topic(system), record.integration, request)


def rereads(step: PairStep, context: Context) -> Iterator[Output]:
    """The reads of candidates by their ids that the step asks for."""
    return (_reread(system, object_id, context) for system, object_id in step.rivals)


def letter(refusal: RefusedField, context: Context, stage: str) -> DeadLetter:
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
        key=context.key,  # the pair's: a command for all pairs has none of its own
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
