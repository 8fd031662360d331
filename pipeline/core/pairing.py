"""Decides for agent PAIRS which two objects are a pair, and how a change, receipt or command alters its state.

State holds observations only: a patch is derived again until its effect is observed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.core.candidates import MOST_CANDIDATES, counting_anew, crowded, paired, recounted, side, with_side
from pipeline.core.causes import with_writes
from pipeline.core.conflicts import but_doubtful, newly_contested, newly_not_taken, noting_rewrites, with_answers
from pipeline.core.conversion import equal
from pipeline.core.derive import Derivation, Paired, RefusedField, derive, desired_values
from pipeline.core.freshness import Order, believed, merge, order, some_ahead
from pipeline.core.holders import NONE_READ, knowing_nothing, unknown_sides, with_answer, with_miss
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.outcome import Outcome
from schemas.making import made_quickly
from schemas.records import MatchedChange, Receipt, StampedValue
from schemas.replacing import replace
from schemas.state import Candidate, PairState, RefusedValue
from schemas.values import FieldValue, System


@made_quickly
@dataclass(frozen=True, slots=True)
class PairStep:
    """The pair after a record, what to write, what to ask for, and how the record ended."""

    state: PairState | None
    derivation: Derivation
    outcome: Outcome
    ids: Mapping[System, str] = field(default_factory=dict)  # the pair's two objects
    rivals: tuple[tuple[System, str], ...] = ()  # candidates to read once more
    resend: tuple[tuple[System, str], ...] = ()  # candidates whose fields are not kept
    refused: tuple[RefusedField, ...] = field(default=())  # reported for the first time
    lookups: tuple[System, ...] = ()  # the systems in which to look for the match value
    unknown: tuple[System, ...] = ()  # systems that may have other holders of the match value: asked before a write


EMPTY: Final = PairState(revision=0, hubspot={}, userflow={})
NOTHING: Final = Derivation({}, ())


def believed_pair(state: PairState, latest_ms: int) -> PairState:
    """The row without stamps from the future: of its candidates, of rewrites, of events."""
    ahead = state.streamed_until_ms > latest_ms
    if not (ahead or _some_ahead(state, latest_ms)):
        return state
    for system in OTHER:
        state = with_side(state, system, _believed_side(side(state, system), latest_ms))
    past = (time for time in state.streamed.values() if time <= latest_ms)
    kept = {name: tuple(time for time in times if abs(time) <= latest_ms) for name, times in state.rewrites.items()}
    rewrites = {name: times for name, times in kept.items() if times}
    until_ms = min(past, default=0) if ahead else state.streamed_until_ms
    return replace(state, rewrites=rewrites, streamed_until_ms=until_ms)


def _some_ahead(state: PairState, latest_ms: int) -> bool:
    """Whether a candidate or a rewrite is from the future. Plain loops: every pair that is touched is asked."""
    for candidates in (state.hubspot, state.userflow):
        for candidate in candidates.values():
            if _is_ahead(candidate, latest_ms):
                return True
    return (
        any(abs(time) > latest_ms for times in state.rewrites.values() for time in times) if state.rewrites else False
    )


def _is_ahead(candidate: Candidate, latest_ms: int) -> bool:
    return candidate.at_ms + candidate.spread_ms > latest_ms or some_ahead(candidate.fields, latest_ms)


def _believed_side(candidates: Mapping[str, Candidate], latest_ms: int) -> Mapping[str, Candidate]:
    return {object_id: _believed_candidate(one, latest_ms) for object_id, one in candidates.items()}


def _believed_candidate(candidate: Candidate, latest_ms: int) -> Candidate:
    fields = believed(candidate.fields, latest_ms)
    if candidate.at_ms + candidate.spread_ms > latest_ms:
        return replace(candidate, at_ms=0, spread_ms=0, fields=fields)
    return candidate if fields is candidate.fields else replace(candidate, fields=fields)


def read_by_run(change: MatchedChange) -> bool:
    """Whether a full sync read it: what it reads fills state, and its pairs are derived once, when all was read.

    The answer to its write is no read.
    """
    return change.run_id is not None and change.origin != "receipt"


def change_pair(
    state: PairState | None, change: MatchedChange, view: MappingView, whole: frozenset[str] = NONE_READ
) -> PairStep:
    """Apply a matched change to the pair and derive the patches that follow; `whole` are the types read whole."""
    if read_by_run(change):
        return _filled(state, change, view)
    before = _for_revision(state or EMPTY, view)
    after = with_answer(_with_candidate(before, change, view), change)
    if change.presence == "joined":
        after = noting_rewrites(before, after, change, view)
        after = with_writes(before, with_answers(before, after, change, view), change)
    step = _decide(after, view, whole, observed_id=change.object_id if change.presence == "joined" else None)
    derivation = but_doubtful(step.derivation, after, change)
    reported = (*newly_contested(before, after), *newly_not_taken(before, after))
    if derivation is step.derivation and not reported:
        return step
    return replace(step, derivation=derivation, refused=(*step.refused, *reported))


def _filled(state: PairState | None, change: MatchedChange, view: MappingView) -> PairStep:
    """Take over what a full sync read. Whoever else is kept though a lookup did not find him is read again."""
    before = _for_revision(state or EMPTY, view)
    after = with_answer(_with_candidate(_counted_anew(before, change), change, view), change)
    if state is not None and _only_seen_again(before, after):
        after = before
    held = side(after, change.system)
    too_many = change.found and len(held) > change.found and not crowded(after, change.system)
    others = tuple((change.system, id) for id in sorted(held) if id != change.object_id) if too_many else ()
    pair = paired(after, view)
    if not isinstance(pair, Paired):
        return PairStep(_slim(after), NOTHING, pair, rivals=others)
    slim = _slimmed(pair, view) and pair.ids["hubspot"] != change.object_id
    resend: tuple[tuple[System, str], ...] = (("hubspot", pair.ids["hubspot"]),) if slim else ()
    return PairStep(after, NOTHING, "derived", rivals=others, resend=resend)


def _only_seen_again(before: PairState, after: PairState) -> bool:
    """Whether nothing but stamps of Userflow's answers moved on: such a row is not written again at every full sync."""
    if before.userflow.keys() != after.userflow.keys() or replace(after, userflow=before.userflow) != before:
        return False
    return all(_same_values(one, after.userflow[id]) for id, one in before.userflow.items())


def _same_values(old: Candidate, new: Candidate) -> bool:
    if old.fields.keys() != new.fields.keys():
        return False
    return all(_same_value(known, new.fields[name]) for name, known in old.fields.items())


def _same_value(old: StampedValue, new: StampedValue) -> bool:
    return old.ours == new.ours and type(old.value) is type(new.value) and old.value == new.value


def receive(state: PairState | None, receipt: Receipt, view: MappingView) -> PairStep:
    """Apply a receipt to the pair's state; report a refusal unless the state remembers it.

    A patch derived before the first refusal arrived is refused again: that is the same refusal, so it is not reported.
    """
    known = _for_revision(state or EMPTY, view)
    if receipt.kind == "missed":
        told, candidates = with_miss(known, receipt)
        return PairStep(told if candidates else None, NOTHING, "unmatched", rivals=candidates)
    if receipt.kind == "parked":
        return PairStep(replace(known, parked=True), NOTHING, "parked")
    if receipt.kind == "superseded":
        return PairStep(None, NOTHING, "superseded")
    wanted = _still_wanted(known, receipt, view)
    if not wanted:
        return PairStep(None, NOTHING, "superseded")
    reason = receipt.reason or "refused"
    refusals = {name: RefusedField(receipt.system, name, value, reason) for name, value in wanted.items()}
    refused = {f"{receipt.system}.{name}": RefusedValue(value, reason) for name, value in wanted.items()}
    new = tuple(one for name, one in refusals.items() if not _remembered(known, one))
    return PairStep(replace(known, refused={**known.refused, **refused}), NOTHING, "refused", refused=new)


def _remembered(state: PairState, refusal: RefusedField) -> bool:
    known = state.refused.get(f"{refusal.system}.{refusal.name}")
    return known is not None and known.reason == refusal.reason and equal(known.value, refusal.value)


def _still_wanted(state: PairState, receipt: Receipt, view: MappingView) -> Mapping[str, FieldValue]:
    """The refused fields that still matter: same object, same revision, and the owner still holds the value."""
    pair = paired(state, view)
    if not isinstance(pair, Paired) or pair.ids[receipt.system] != receipt.object_id:
        return {}
    if receipt.revision != view.record.revision:
        return {}
    desired = desired_values(pair, view)
    names = {name: f"{receipt.system}.{name}" for name in receipt.fields}
    return {
        name: value
        for name, value in receipt.fields.items()
        if names[name] in desired and equal(desired[names[name]], value)
    }


def rederive(state: PairState, view: MappingView, whole: frozenset[str] = NONE_READ) -> PairStep:
    """The pair's patches once more: after a pause, an outage, a mapping edit, a redrive or a full sync."""
    known = _for_revision(state, view)
    return _decide(replace(known, parked=False) if known.parked else known, view, whole)


def retry_refused(state: PairState, names: frozenset[str] | None = None) -> PairState:
    """Forget refusals and contests, all or those of the named `<system>.<field>`s, so that they are tried again."""
    if names is None:
        return replace(state, refused={}, contested=(), rewrites={})
    return replace(
        state,
        refused={name: refused for name, refused in state.refused.items() if name not in names},
        contested=tuple(name for name in state.contested if name not in names),
        rewrites={name: times for name, times in state.rewrites.items() if name not in names},
    )


def _for_revision(state: PairState, view: MappingView) -> PairState:
    """After a mapping edit, forget the old revision's refusals, settled values and contests, and outdated values."""
    revision = view.record.revision
    if state.revision == revision:
        return state
    if view.newest_gap > state.revision:
        for system in OTHER:
            state = with_side(state, system, _read_without_gap(side(state, system), system, state.revision, view))
    state = replace(state, revision=revision, settled={}, refused={}, rewrites={}, contested=(), rivals_read=())
    return knowing_nothing(state)


def _read_without_gap(
    candidates: Mapping[str, Candidate], system: System, revision: int, view: MappingView
) -> dict[str, Candidate]:
    return {
        object_id: replace(
            one,
            fields={name: known for name, known in one.fields.items() if view.read_without_gap(system, name, revision)},
        )
        for object_id, one in candidates.items()
    }


def _counted_anew(state: PairState, change: MatchedChange) -> PairState:
    """A full sync counts crowds and reads rivals anew, once; a replayed record of an older run does not."""
    if change.run_id is None or change.run_id <= (state.run_id or "") or not (state.counted or state.rivals_read):
        return state
    return replace(counting_anew(state), run_id=change.run_id, rivals_read=())


def _with_candidate(state: PairState, change: MatchedChange, view: MappingView) -> PairState:
    kept = dict(side(state, change.system))
    known = kept.pop(change.object_id, None)
    if change.presence == "joined" and len(kept) <= MOST_CANDIDATES:
        kept[change.object_id] = _merged(known, change, view)
    state = recounted(with_side(state, change.system, kept), change)
    if (known is not None) == (change.presence == "joined"):
        return state
    # another object is on that side now: the former one's refusals and settled values do not apply
    return _without(state, change.system)


def _merged(known: Candidate | None, change: MatchedChange, view: MappingView) -> Candidate:
    """The candidate after a change. A change lists every known field, so a missing source is no longer known."""
    if known is None:
        return Candidate(change.at_ms, change.spread_ms, change.fields)
    lost = view.sources[change.system] - change.fields.keys()
    before = {name: value for name, value in known.fields.items() if name not in lost}
    fields = merge(before, change.fields, change.origin, lambda name, _: name in change.settled).fields
    newer = order(known.at_ms, known.spread_ms, change.at_ms, change.spread_ms) is not Order.OLDER
    at_ms, spread_ms = (change.at_ms, change.spread_ms) if newer else (known.at_ms, known.spread_ms)
    return Candidate(at_ms, spread_ms, fields, known.written)


def _without(state: PairState, system: System) -> PairState:
    prefix = f"{system}."
    return replace(
        state,
        settled={name: value for name, value in state.settled.items() if not name.startswith(prefix)},
        refused={name: value for name, value in state.refused.items() if not name.startswith(prefix)},
        rewrites={name: value for name, value in state.rewrites.items() if not name.startswith(prefix)},
        contested=tuple(name for name in state.contested if not name.startswith(prefix)),
    )


def _decide(
    state: PairState, view: MappingView, whole: frozenset[str] = NONE_READ, observed_id: str | None = None
) -> PairStep:
    """Pair, then derive; the fields of `observed_id` came with this very change, so they are not requested again."""
    pair = paired(state, view)
    if not isinstance(pair, Paired):
        unread = _unread(state) if pair == "ambiguous" else ()
        present = {f"{system}.{object_id}" for system, object_id in rivals(state)}
        read = tuple(sorted({*state.rivals_read, *(f"{system}.{id}" for system, id in unread)} & present))
        return PairStep(_slim(replace(state, rivals_read=read)), NOTHING, pair, rivals=unread)
    if _slimmed(pair, view) and pair.ids["hubspot"] != observed_id:
        return PairStep(state, NOTHING, "derived", resend=(("hubspot", pair.ids["hubspot"]),))
    unknown = unknown_sides(state, view, whole)
    if unknown:
        return PairStep(state, NOTHING, "derived", unknown=unknown)
    return _derived(state, pair, view)


def _slimmed(pair: Paired, view: MappingView) -> bool:
    """Only the HubSpot side is stored without fields. If both were, each would request the other for ever."""
    return bool(view.fields["hubspot"]) and not pair.sides["hubspot"].fields


def _derived(state: PairState, pair: Paired, view: MappingView) -> PairStep:
    derivation = derive(state, pair, view)
    state = _with_refusals(state, derivation, pair, view)
    outcome: Outcome = "derived" if derivation.patches else _standing(state, derivation)
    return PairStep(state, derivation, outcome, ids=pair.ids, refused=derivation.refused)


def _with_refusals(state: PairState, derivation: Derivation, pair: Paired, view: MappingView) -> PairState:
    """Remember this derivation's refusals; forget those whose value the owner no longer holds."""
    if not state.refused and not derivation.refused:
        return state
    refused = dict(state.refused)
    for refusal in derivation.refused:
        refused[f"{refusal.system}.{refusal.name}"] = RefusedValue(refusal.value, refusal.reason)
    desired = desired_values(pair, view)
    return replace(
        state,
        refused={name: kept for name, kept in refused.items() if name in desired and equal(desired[name], kept.value)},
    )


def _standing(state: PairState, derivation: Derivation) -> Outcome:
    if state.contested:
        return "contested"
    return "refused" if derivation.refused or state.refused else "equal"


def rivals(state: PairState) -> tuple[tuple[System, str], ...]:
    """The candidates of sides that have several."""
    several = [(system, side(state, system)) for system in OTHER if len(side(state, system)) > 1]
    return tuple((system, object_id) for system, side in several for object_id in sorted(side))


def _unread(state: PairState) -> tuple[tuple[System, str], ...]:
    """Rivals not yet read again: Userflow reports no deletions, so one may be gone."""
    return tuple((system, id) for system, id in rivals(state) if f"{system}.{id}" not in state.rivals_read)


def _slim(state: PairState) -> PairState:
    """Drop the fields of HubSpot candidates without a user, or in a crowd: most contacts have no user."""
    if state.userflow and not crowded(state, "hubspot"):
        return state
    if not any(candidate.fields for candidate in state.hubspot.values()):
        return state
    slim = {name: replace(candidate, fields={}) for name, candidate in state.hubspot.items()}
    return replace(state, hubspot=slim)
