"""Detects settled values, ignored writes and write conflicts from the answers to our writes and others' writes.

If others overwrite a field three times in ten minutes, we stop writing it: both sides would write for ever. Userflow's
whole-second stamps can count one overwrite twice, so we may stop early, never late.
"""

from typing import Final

from pipeline.core.candidates import paired, side
from pipeline.core.conversion import equal
from pipeline.core.derive import Derivation, Paired, RefusedField, derive
from pipeline.core.forms import alike
from pipeline.core.freshness import Order, order
from pipeline.core.mapping import MappingView
from schemas.records import FieldAnswer, FieldRule, MatchedChange, StampedValue
from schemas.replacing import replace
from schemas.state import Candidate, PairState, RefusedValue, Settled
from schemas.values import FieldValue

NOT_TAKEN: Final = "not_taken"
REWRITES: Final = 3
REWRITE_WINDOW_MS: Final = 10 * 60 * 1000


def newly_contested(before: PairState, after: PairState) -> tuple[RefusedField, ...]:
    return tuple(_refusal(name, None, "contested") for name in after.contested if name not in before.contested)


def noting_rewrites(before: PairState, after: PairState, change: MatchedChange, view: MappingView) -> PairState:
    """Count a rewrite by somebody else for each field that was in step until the target changed it."""
    seen = side(before, change.system).get(change.object_id), side(after, change.system).get(change.object_id)
    changed = [rule.target for rule, _ in view.rules_for[change.system] if _changed_by_others(*seen, rule)]
    if not changed:  # almost every change
        return after
    old, new = paired(before, view), paired(after, view)
    if not isinstance(old, Paired) or not isinstance(new, Paired):
        return after
    if old.ids != new.ids or new.ids[change.system] != change.object_id:
        return after
    out_of_step = derive(before, old, view).patches.get(change.system, {})
    still = derive(after, new, view).patches.get(change.system, {}) if change.origin == "lookup" else {}
    for target in changed:
        name = f"{change.system}.{target}"
        if change.origin == "lookup" and target not in still:
            after = _without_doubtful(after, name, old.sides[change.system].fields[target].at_ms)
        after = _cleared(after, name)
        if target not in out_of_step and name not in before.refused:
            after = _rewritten(after, name, new.sides[change.system].fields[target].at_ms)
    return after


def _changed_by_others(old: Candidate | None, new: Candidate | None, rule: FieldRule) -> bool:
    was = old.fields.get(rule.target) if old is not None else None
    now = new.fields.get(rule.target) if new is not None else None
    return was is not None and now is not None and not now.ours and not equal(was.value, now.value, rule.target_type)


def _rewritten(state: PairState, name: str, at_ms: int, *, doubtful: bool = False) -> PairState:
    """Count a rewrite; `doubtful`: it was made within the second of our write, perhaps before it."""
    times = state.rewrites.get(name, ())
    if at_ms in map(abs, times):
        return state
    counted = sorted((*times, -at_ms if doubtful else at_ms), key=abs)
    recent = tuple(time for time in counted if abs(time) > abs(counted[-1]) - REWRITE_WINDOW_MS)
    rewrites = {**state.rewrites, name: recent[-REWRITES:]}
    if len(recent) < REWRITES or name in state.contested:
        return replace(state, rewrites=rewrites)
    return replace(state, rewrites=rewrites, contested=(*state.contested, name))


def with_answers(before: PairState, state: PairState, change: MatchedChange, view: MappingView) -> PairState:
    """Apply the answers to our writes: one stored in another form settles, one overwritten since is a rewrite."""
    if not change.answered:
        return state
    pair = paired(state, view)
    if not isinstance(pair, Paired) or pair.ids[change.system] != change.object_id:
        return state
    out_of_step = derive(state, pair, view).patches.get(change.system, {})
    for field_name, answer in change.answered.items():
        name = f"{change.system}.{field_name}"
        known = pair.sides[change.system].fields.get(field_name)
        if known is None or equal(known.value, answer.stored):
            seen = _known_before(before, change, field_name)
            ignored = _ignored(answer, seen, state.settled.get(name))
            state = _not_taken(state, name, answer) if ignored else _settled(state, name, answer)
            if seen is not None and equal(seen.value, answer.stored):
                state = _without_rewrite(state, name, _first_seen(state, name, answer, seen))
        elif field_name in out_of_step and not known.ours and _overwritten(answer, known, state.rewrites.get(name, ())):
            doubtful = _standing_to(answer, known) is Order.OVERLAPPING
            state = _rewritten(state, name, known.at_ms, doubtful=doubtful)
    return state


def _first_seen(state: PairState, name: str, answer: FieldAnswer, seen: StampedValue) -> int:
    """The time at which our written value was counted as a rewrite; another field's later change stamps it anew."""
    within = [at_ms for at_ms in map(abs, state.rewrites.get(name, ())) if answer.at_ms <= at_ms <= seen.at_ms]
    return max(within, default=seen.at_ms)


def _known_before(before: PairState, change: MatchedChange, field_name: str) -> StampedValue | None:
    candidate = side(before, change.system).get(change.object_id)
    return None if candidate is None else candidate.fields.get(field_name)


def _standing_to(answer: FieldAnswer, known: StampedValue) -> Order:
    """Whether the known value is newer than the answer; Userflow's answers name whole seconds only."""
    return order(answer.at_ms, answer.spread_ms, known.at_ms, known.spread_ms)


def _overwritten(answer: FieldAnswer, known: StampedValue, counted: tuple[int, ...]) -> bool:
    """Whether the known value came after our write.

    An answer names a whole second, and within that second the order is unknown. So a read of the same second does not
    count, and at most one rewrite a second does: another field's change may report the same value again.
    """
    standing = _standing_to(answer, known)
    if standing is not Order.OVERLAPPING:
        return standing is Order.NEWER
    if known.spread_ms > 0 and known.at_ms <= answer.at_ms:
        return False
    return all(abs(known.at_ms - abs(at_ms)) > answer.spread_ms for at_ms in counted)


def _without_rewrite(state: PairState, name: str, at_ms: int) -> PairState:
    """Take a rewrite back: the value was our own write, seen before its answer."""
    if at_ms not in map(abs, state.rewrites.get(name, ())):
        return state
    times = tuple(time for time in state.rewrites[name] if abs(time) != at_ms)
    others = {key: value for key, value in state.rewrites.items() if key != name}
    contested = tuple(other for other in state.contested if other != name)
    return replace(state, rewrites={**others, name: times} if times else others, contested=contested)


def _without_doubtful(state: PairState, name: str, at_ms: int) -> PairState:
    """Take a rewrite back that a read shows to have come before our write; one of what we wrote before that stays."""
    return _without_rewrite(state, name, at_ms) if -at_ms in state.rewrites.get(name, ()) else state


def _settled(state: PairState, name: str, answer: FieldAnswer) -> PairState:
    """Remember the form in which the target stores our value; an accepted value also ends its refusal."""
    settled = {key: value for key, value in state.settled.items() if key != name}
    if not equal(answer.sent, answer.stored):
        settled[name] = Settled(answer.sent, answer.stored)
    refused = state.refused.get(name)
    if refused is None or not equal(refused.value, answer.sent):
        return replace(state, settled=settled)
    return _cleared(replace(state, settled=settled), name)


def _ignored(answer: FieldAnswer, before: StampedValue | None, settled: Settled | None) -> bool:
    """Whether the target answered with its former value, which is no other form of the value sent.

    HubSpot does so when a lifecycle stage is set back: 200, and the former stage. A repeated write reports a settled
    form again, which is not ignored.
    """
    if before is None or not equal(before.value, answer.stored) or alike(answer.sent, answer.stored):
        return False
    return settled is None or not equal(settled.sent, answer.sent) or not equal(settled.stored, answer.stored)


def _not_taken(state: PairState, name: str, answer: FieldAnswer) -> PairState:
    """Remember an ignored write like a refusal."""
    settled = {key: value for key, value in state.settled.items() if key != name}
    return replace(state, settled=settled, refused={**state.refused, name: RefusedValue(answer.sent, NOT_TAKEN)})


def newly_not_taken(before: PairState, after: PairState) -> tuple[RefusedField, ...]:
    """The values newly ignored by a target, each reported once."""
    ignored = ((name, refused.value) for name, refused in after.refused.items() if refused.reason == NOT_TAKEN)
    return tuple(_refusal(name, value, NOT_TAKEN) for name, value in ignored if not _known_ignored(before, name, value))


def _known_ignored(state: PairState, name: str, value: FieldValue) -> bool:
    known = state.refused.get(name)
    return known is not None and known.reason == NOT_TAKEN and equal(known.value, value)


def _refusal(name: str, value: FieldValue, reason: str) -> RefusedField:
    system, _, target = name.partition(".")
    return RefusedField("hubspot" if system == "hubspot" else "userflow", target, value, reason)


def _cleared(state: PairState, name: str) -> PairState:
    """Forget the field's refusal: the target changed, so the refusal may no longer hold."""
    if name not in state.refused:
        return state
    return replace(state, refused={key: value for key, value in state.refused.items() if key != name})


def but_doubtful(derivation: Derivation, state: PairState, change: MatchedChange) -> Derivation:
    """Leave out fields whose answer cannot be ordered against the known value: OBJECTS requests a read of them.

    Written again at once, each answer would cause the next write until the vendor's second has passed.
    """
    seen = side(state, change.system).get(change.object_id) if change.answered else None
    if seen is None:
        return derivation
    known = seen.fields
    doubtful = {
        name
        for name, answer in change.answered.items()
        if name in known
        and not equal(known[name].value, answer.stored)
        and _standing_to(answer, known[name]) is Order.OVERLAPPING
    }
    patches = {
        system: {name: value for name, value in fields.items() if system != change.system or name not in doubtful}
        for system, fields in derivation.patches.items()
    }
    return replace(derivation, patches={system: fields for system, fields in patches.items() if fields})
