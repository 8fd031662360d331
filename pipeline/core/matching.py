"""Decides for agent OBJECTS which pairs an object belongs to, and which of them hear of a change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.core.conversion import Converted, convert
from pipeline.core.freshness import Merged, Order, believed, later_than, merge, order
from pipeline.core.mapping import MappingView
from pipeline.core.outcome import Outcome
from schemas.making import made_quickly
from schemas.records import ChangeEvent, ConnectorRequest, FieldAnswer, MatchedChange, Presence, StampedValue
from schemas.replacing import replace
from schemas.state import ObjectState
from schemas.values import FieldDefinition, FieldValue, System

EXACT_DELAY_MS: Final = 300
PRESENCE_DELAY_MS: Final = 1_300  # a `Date` header names whole seconds
READS_MAY_LAG: Final[frozenset[System]] = frozenset({"hubspot"})
ALWAYS_RESENT: Final = frozenset({"crawl", "lookup", "receipt"})
OWN_ID: Final = frozenset({"id", "hs_object_id"})
_TEXT: Final = FieldDefinition("match value", "string")


@made_quickly
@dataclass(frozen=True, slots=True)
class ObjectStep:
    """The object's state after the change, what goes on to its pairs, and how the change ended."""

    state: ObjectState | None
    matches: tuple[MatchedChange, ...]
    rereads: tuple[ConnectorRequest, ...]
    outcome: Outcome


def match_value(view: MappingView, fields: Mapping[str, StampedValue], system: System, object_id: str) -> str | None:
    """The value both sides of a pair share; None where the object has none and belongs to no pair."""
    name = view.match_field(system)
    if name in OWN_ID:
        return object_id
    known = fields.get(name)
    return None if known is None else normalised(known.value, by_email=view.by_email)


def normalised(value: FieldValue, *, by_email: bool) -> str | None:
    """Emails trimmed and in lower case, not folded further; ids as exact text, so that the number 42 equals "42"."""
    text = convert(value, "string", _TEXT)
    if not isinstance(text, Converted) or not isinstance(text.value, str):
        return None
    return (text.value.strip().lower() if by_email else text.value) or None


def observe(state: ObjectState | None, change: ChangeEvent, views: Sequence[MappingView]) -> ObjectStep:
    """Merge a change into the object's state and tell every pair that it concerns.

    `views` are the mappings of the object's type in the change's integration and connection.
    """
    state = kept_up_to_date(state, change.system, views) if state is not None else None
    if change.given:
        return _observe_given(state, change, views)
    if state is not None and (presence := _presence(state, change)) is not Order.NEWER:
        doubts = (reread(change, PRESENCE_DELAY_MS),) if presence is Order.OVERLAPPING else ()
        return ObjectStep(None, (), doubts, "stale")
    merged = merge(
        state.fields if state and state.present else {}, _fields(change), change.origin, later_than(change.later_than)
    )
    present = change.operation == "upserted"
    matches = _matches(merged.fields, change, views) if present else {}
    new = _state(state, merged, change, {**_not_in_force(state, views), **matches})
    sent = (*_left(state, new, change, views), *_joined(state, new, merged, change, views))
    rereads = _rereads(merged, change) if present else ()
    if not sent and not merged.changed and merged.stale and not merged.unsettled:
        return ObjectStep(new, sent, rereads, "stale")
    return ObjectStep(new, sent, rereads, "derived" if sent else ("equal" if matches else "unmatched"))


def believed_object(state: ObjectState, latest_ms: int) -> ObjectState:
    """The row without stamps from the future."""
    fields = believed(state.fields, latest_ms)
    if state.at_ms + state.spread_ms > latest_ms:
        return replace(state, fields=fields, at_ms=0, spread_ms=0)
    return state if fields is state.fields else replace(state, fields=fields)


def kept_up_to_date(state: ObjectState, system: System, views: Sequence[MappingView]) -> ObjectState:
    """Drop fields that no mapping read for a while: their values may be out of date."""
    if all(view.newest_gap <= state.revision for view in views):
        return state

    def up_to_date(name: str) -> bool:
        readers = [view for view in views if name in view.read[system]]
        return not readers or any(view.read_without_gap(system, name, state.revision) for view in readers)

    return replace(state, fields={name: known for name, known in state.fields.items() if up_to_date(name)})


def _observe_given(state: ObjectState | None, change: ChangeEvent, views: Sequence[MappingView]) -> ObjectStep:
    """Merge a conditional change: it proves neither that the object exists nor which pair it belongs to."""
    if state is None or not state.present or not holds(state.fields, change.given):
        return ObjectStep(None, (), (), "stale")
    merged = merge(state.fields, change.fields, change.origin)
    new = replace(state, fields=merged.fields, revision=max(state.revision, change.revision))
    new = replace(new, unknown=_unknown(state, merged, change))
    sent = _joined(state, new, merged, change, views)
    if merged.stale and not merged.changed and not merged.unsettled:
        return ObjectStep(new, sent, (), "stale")
    return ObjectStep(new, sent, _rereads(merged, change), "derived" if sent else "equal")


def holds(fields: Mapping[str, StampedValue], condition: Mapping[str, FieldValue]) -> bool:
    """Whether each field is known to hold the id, or one of the ids where several are named."""
    return all(
        name in fields and normalised(fields[name].value, by_email=False) in (ids if isinstance(ids, tuple) else (ids,))
        for name, ids in condition.items()
    )


def _presence(state: ObjectState, change: ChangeEvent) -> Order:
    """Whether the change's report of the object's presence is newer; its fields are judged one by one."""
    if state.present and change.operation == "upserted":
        return Order.NEWER
    standing = order(state.at_ms, state.spread_ms, change.at_ms, change.spread_ms)
    agrees = state.present == (change.operation == "upserted")
    return Order.NEWER if agrees and standing is Order.OVERLAPPING else standing


def _unknown(state: ObjectState | None, merged: Merged, change: ChangeEvent) -> tuple[str, ...]:
    """Fields that are no longer known: a full answer lacked them, and no later one has shown them.

    Their last values stay, for matching and with their stamps: what was held before must not come back as news.
    """
    if not change.unknown and (state is None or not state.unknown):
        return ()
    before = frozenset(state.unknown if state is not None and state.present else ())
    shown = change.fields.keys() - merged.stale - merged.unsettled
    latest = change.at_ms + change.spread_ms
    lacking = {name for name in change.unknown if name in merged.fields and merged.fields[name].at_ms <= latest}
    return tuple(sorted((before - shown | lacking) & merged.fields.keys()))


def fields_for(state: ObjectState, view: MappingView, system: System) -> Mapping[str, StampedValue]:
    """The known fields that the mapping uses, except sources that are no longer known: their rules stop.

    A target field stays known: its own side does not own it, and if it were forgotten it would be written again.
    """
    wanted, stopped = view.fields[system], view.sources[system].intersection(state.unknown)
    if not stopped and state.fields.keys() <= wanted:  # almost every object: no mapping of its type reads other fields
        return state.fields
    return {name: known for name, known in state.fields.items() if name in wanted and name not in stopped}


def _fields(change: ChangeEvent) -> Mapping[str, StampedValue]:
    return change.fields if change.operation == "upserted" else {}


def _matches(fields: Mapping[str, StampedValue], change: ChangeEvent, views: Sequence[MappingView]) -> dict[str, str]:
    values = ((view.name, match_value(view, fields, change.system, change.object_id)) for view in views)
    return {name: value for name, value in values if value is not None}


def _not_in_force(state: ObjectState | None, views: Sequence[MappingView]) -> dict[str, str]:
    """Keep matches of mappings no longer in force: if a mapping returns, the object can still leave its old pair."""
    names = {view.name for view in views}
    return {name: value for name, value in state.matches.items() if name not in names} if state else {}


def _state(state: ObjectState | None, merged: Merged, change: ChangeEvent, matches: Mapping[str, str]) -> ObjectState:
    known_until = state.at_ms + state.spread_ms if state else 0
    at_ms = max(state.at_ms if state else 0, change.at_ms)
    present = change.operation == "upserted"
    return ObjectState(
        revision=change.revision,
        present=present,
        at_ms=at_ms,
        spread_ms=max(known_until, change.at_ms + change.spread_ms) - at_ms,
        fields=merged.fields if present else {},
        matches=matches,
        merged_into=change.merged_into,
        run_id=change.run_id or (state.run_id if state else None),
        unknown=_unknown(state, merged, change) if present else (),
        streamed=state.streamed if state else {},
    )


def _left(
    state: ObjectState | None, new: ObjectState, change: ChangeEvent, views: Sequence[MappingView]
) -> tuple[MatchedChange, ...]:
    """Leave the pairs that the object no longer belongs to, before it joins others."""
    if state is None:
        return ()
    by_name = {view.name: view for view in views}
    return tuple(
        matched(change, new, by_name[name], value, "left")
        for name, value in state.matches.items()
        if name in by_name and new.matches.get(name) != value
    )


def _joined(
    state: ObjectState | None, new: ObjectState, merged: Merged, change: ChangeEvent, views: Sequence[MappingView]
) -> tuple[MatchedChange, ...]:
    return tuple(
        matched(change, new, view, new.matches[view.name], "joined", merged.settled)
        for view in views
        if view.name in new.matches and _concerns(state, new, merged, change, view)
    )


def _concerns(
    state: ObjectState | None, new: ObjectState, merged: Merged, change: ChangeEvent, view: MappingView
) -> bool:
    """Whether a pair hears of the change: always of what a full sync, lookup or write observed, never of an echo."""
    if state is None or not state.present or change.origin in ALWAYS_RESENT:
        return True
    if state.matches.get(view.name) != new.matches[view.name] or state.revision != new.revision:
        return True
    turned = frozenset(state.unknown).symmetric_difference(new.unknown)
    return not (merged.changed | turned).isdisjoint(view.fields[change.system])


def matched(
    change: ChangeEvent,
    state: ObjectState,
    view: MappingView,
    value: str,
    presence: Presence,
    settled: frozenset[str] = frozenset(),
) -> MatchedChange:
    """The object as one pair sees it: every known field that the mapping uses."""
    wanted = view.fields[change.system]
    joined = presence == "joined"
    at_ms, spread_ms = _modified(state)
    return MatchedChange(
        integration=change.integration,
        connection=change.connection,
        revision=view.record.revision,
        mapping=view.name,
        match_value=value,
        system=change.system,
        object_type=change.object_type,
        object_id=change.object_id,
        presence=presence,
        at_ms=at_ms,
        spread_ms=spread_ms,
        origin=change.origin,
        fields=fields_for(state, view, change.system) if joined else {},
        answered=_answered(change, wanted) if joined else {},
        run_id=change.run_id,
        bulk=change.bulk,
        caused_by=change.caused_by,
        found=_lookup_count(change, view, value) if joined else 0,
        settled=tuple(sorted(settled & wanted)) if joined else (),
    )


def _lookup_count(change: ChangeEvent, view: MappingView, value: str) -> int:
    """The count of the lookup that showed the object, where it was made for this very pair."""
    lookup = change.found
    return lookup.count if lookup is not None and (lookup.mapping, lookup.match_value) == (view.name, value) else 0


def _modified(state: ObjectState) -> tuple[int, int]:
    """When the object's own fields last changed; restoring the object or changing its company does not count."""
    newest: StampedValue | None = None
    for name, known in state.fields.items():
        if (newest is None or known.at_ms > newest.at_ms) and "." not in name:
            newest = known
    return (state.at_ms, state.spread_ms) if newest is None else (newest.at_ms, newest.spread_ms)


def _answered(change: ChangeEvent, wanted: frozenset[str]) -> dict[str, FieldAnswer]:
    answers = {}
    for name, sent in change.sent.items():
        seen = change.fields.get(name)
        if seen is not None and name in wanted:
            cause = change.causes.get(name)
            answers[name] = FieldAnswer(sent, seen.value, seen.at_ms, seen.spread_ms, change.equal, cause)
    return answers


def _rereads(merged: Merged, change: ChangeEvent) -> tuple[ConnectorRequest, ...]:
    """Request a read that is newer than both of two values that cannot be ordered.

    Any read that begins after both were known is, where reads do not lag; where what is known has moved on until then,
    and where they do, one so late that its stamp says so.
    """
    if not merged.unsettled:
        return ()
    spread_ms = max(max(merged.fields[name].spread_ms, change.fields[name].spread_ms) for name in merged.unsettled)
    if spread_ms == 0:
        return (reread(change, EXACT_DELAY_MS),)
    if change.system not in READS_MAY_LAG and merged.unsettled.isdisjoint(change.later_than):
        return (replace(reread(change, 0), later_than={name: merged.fields[name] for name in merged.unsettled}),)
    return (reread(change, spread_ms + PRESENCE_DELAY_MS),)


def reread(change: ChangeEvent, delay_ms: int) -> ConnectorRequest:
    """A read of the changed object, late enough to be ordered after all that is known."""
    return ConnectorRequest(
        integration=change.integration,
        connection=change.connection,
        kind="reread",
        object_type=change.object_type,
        values=(change.object_id,),
        delay_ms=delay_ms,
        run_id=change.run_id,
        caused_by=change.caused_by,
        bulk=change.bulk,
    )


def resend(state: ObjectState, change: ChangeEvent, views: Sequence[MappingView]) -> tuple[MatchedChange, ...]:
    """Send every match of a known object again, for a pair that keeps the object without its fields."""
    known = kept_up_to_date(state, change.system, views)
    return tuple(
        matched(change, known, view, known.matches[view.name], "joined") for view in views if view.name in known.matches
    )
