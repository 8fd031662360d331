"""Which two objects are a pair, and what a change, a receipt or a command does to the pair's state.

The decision of agent PAIRS. State holds only what was observed: a patch is derived again until its effect was seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from pipeline.core.conversion import equal
from pipeline.core.derive import Derivation, Paired, RefusedField, derive, desired_values
from pipeline.core.freshness import Order, merge, order
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.outcome import Outcome
from schemas.records import (
    Answer,
    Candidate,
    FieldRule,
    MatchedChange,
    PairState,
    Receipt,
    Refused,
    Settled,
    StampedValue,
)
from schemas.values import FieldValue, System

MOST_CANDIDATES: Final = 25
REWRITES: Final = 3
REWRITE_WINDOW_MS: Final = 10 * 60 * 1000

Unpaired = Literal["unmatched", "ambiguous", "crowded"]


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


EMPTY: Final = PairState(revision=0, hubspot={}, userflow={})
NOTHING: Final = Derivation({}, ())


def change_pair(state: PairState | None, change: MatchedChange, view: MappingView) -> PairStep:
    """What a matched change makes of the pair, and the patches that follow."""
    before = _for_revision(state or EMPTY, view)
    after = _for_run(before, change)
    after = _with_candidate(after, change)
    if change.presence == "joined":
        after = _noting_rewrites(before, after, change, view)
        after = _with_answers(before, after, change, view)
    step = _decide(after, view, told=change.object_id if change.presence == "joined" else None)
    step = replace(step, derivation=_but_doubtful(step.derivation, after, change))
    return replace(step, refused=(*step.refused, *_newly_contested(before, after)))


def _but_doubtful(derivation: Derivation, state: PairState, change: MatchedChange) -> Derivation:
    """Without the fields whose answer cannot be ordered after the known value: OBJECTS has them read again.

    Were they written again at once, each answer would lead to the next write until the vendor's second has passed.
    """
    known = _side(state, change.system)[change.object_id].fields if change.answered else {}
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


def _newly_contested(before: PairState, after: PairState) -> tuple[RefusedField, ...]:
    names = (name.split(".", 1) for name in after.contested if name not in before.contested)
    return tuple(
        RefusedField("hubspot" if system == "hubspot" else "userflow", name, None, "contested")
        for system, name in names
    )


def receive(state: PairState | None, receipt: Receipt, view: MappingView) -> PairStep:
    """What a receipt leaves in the pair's state; the refusal it may carry was dead-lettered by the sink."""
    known = _for_revision(state or EMPTY, view)
    if receipt.kind == "parked":
        return PairStep(replace(known, parked=True), NOTHING, "parked")
    if receipt.kind == "superseded":
        return PairStep(None, NOTHING, "superseded")
    refused = {
        f"{receipt.system}.{name}": Refused(value, receipt.reason or "refused")
        for name, value in _still_wanted(known, receipt, view).items()
    }
    return PairStep(replace(known, refused={**known.refused, **refused}), NOTHING, "refused")


def _still_wanted(state: PairState, receipt: Receipt, view: MappingView) -> Mapping[str, FieldValue]:
    """What a refusal still tells: not of an object that left, another revision, or a value the owner holds no more."""
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


def rederive(state: PairState, view: MappingView) -> PairStep:
    """The pair's patches once more: after a pause, an outage, a mapping edit or a redrive."""
    return _decide(replace(_for_revision(state, view), parked=False), view)


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


def paired(state: PairState, view: MappingView) -> Paired | Unpaired:
    """The two objects of the pair, or why there are none."""
    sides = (state.hubspot, state.userflow)
    if any(len(side) > MOST_CANDIDATES for side in sides):
        return "crowded"
    if not all(sides):
        return "unmatched"
    hubspot, userflow = (_only(side) for side in sides)
    if hubspot is None and view.record.on_several == "newest":
        hubspot = max(state.hubspot, key=lambda object_id: _newness(object_id, state.hubspot[object_id]))
    if hubspot is None or userflow is None:
        return "ambiguous"
    return Paired({"hubspot": hubspot, "userflow": userflow}, _fields_of(state, hubspot, userflow))


def _fields_of(state: PairState, hubspot: str, userflow: str) -> Mapping[System, Candidate]:
    return {"hubspot": state.hubspot[hubspot], "userflow": state.userflow[userflow]}


def _only(side: Mapping[str, Candidate]) -> str | None:
    return next(iter(side)) if len(side) == 1 else None


def _newness(object_id: str, candidate: Candidate) -> tuple[int, int, str]:
    return candidate.at_ms, len(object_id) if object_id.isdecimal() else 0, object_id


def _for_revision(state: PairState, view: MappingView) -> PairState:
    """A mapping edit clears what was refused, settled or contested under the old one."""
    revision = view.record.revision
    if state.revision == revision:
        return state
    return replace(state, revision=revision, settled={}, refused={}, rewrites={}, contested=(), rivals_read=())


def _for_run(state: PairState, change: MatchedChange) -> PairState:
    """A full sync tries once more what was refused or contested; run ids sort by time, so a replayed one does not."""
    if change.run_id is None or change.run_id <= (state.run_id or ""):
        return state
    return replace(retry_refused(state), run_id=change.run_id, rivals_read=())


def _side(state: PairState, system: System) -> Mapping[str, Candidate]:
    return state.hubspot if system == "hubspot" else state.userflow


def _with_side(state: PairState, system: System, side: Mapping[str, Candidate]) -> PairState:
    return replace(state, hubspot=side) if system == "hubspot" else replace(state, userflow=side)


def _with_candidate(state: PairState, change: MatchedChange) -> PairState:
    side = dict(_side(state, change.system))
    known = side.pop(change.object_id, None)
    if change.presence == "joined" and len(side) <= MOST_CANDIDATES:
        side[change.object_id] = _merged(known, change)
    state = _with_side(state, change.system, side)
    if (known is not None) == (change.presence == "joined"):
        return state
    # another object is on that side now: what the former one refused or kept in its own form says nothing of it
    return _without(state, change.system)


def _merged(known: Candidate | None, change: MatchedChange) -> Candidate:
    if known is None:
        return Candidate(change.at_ms, change.spread_ms, change.fields)
    fields = merge(known.fields, change.fields, change.origin).fields
    newer = order(known.at_ms, known.spread_ms, change.at_ms, change.spread_ms) is not Order.OLDER
    at_ms, spread_ms = (change.at_ms, change.spread_ms) if newer else (known.at_ms, known.spread_ms)
    return Candidate(at_ms, spread_ms, fields)


def _without(state: PairState, system: System) -> PairState:
    prefix = f"{system}."
    return replace(
        state,
        settled={name: value for name, value in state.settled.items() if not name.startswith(prefix)},
        refused={name: value for name, value in state.refused.items() if not name.startswith(prefix)},
        rewrites={name: value for name, value in state.rewrites.items() if not name.startswith(prefix)},
        contested=tuple(name for name in state.contested if not name.startswith(prefix)),
    )


def _noting_rewrites(before: PairState, after: PairState, change: MatchedChange, view: MappingView) -> PairState:
    """A field that was in step and is no more, by a change on the target's side, was rewritten by somebody else."""
    old, new = paired(before, view), paired(after, view)
    if not isinstance(old, Paired) or not isinstance(new, Paired) or old.ids != new.ids:
        return after
    changed = [rule.target for rule, _ in view.rules_for[change.system] if _changed_by_others(old, new, change, rule)]
    out_of_step = derive(before, old, view).patches.get(change.system, {}) if changed else {}
    still = derive(after, new, view).patches.get(change.system, {}) if changed else {}
    for target in changed:
        name = f"{change.system}.{target}"
        if change.origin == "lookup" and target not in still:
            # a change within the second of our write counts as made after it, until a read shows that it was not
            after = _without_rewrite(after, name, old.sides[change.system].fields[target].at_ms)
        after = _cleared(after, name)
        if target not in out_of_step and name not in before.refused:
            after = _rewritten(after, name, new.sides[change.system].fields[target].at_ms)
    return after


def _changed_by_others(old: Paired, new: Paired, change: MatchedChange, rule: FieldRule) -> bool:
    was = old.sides[change.system].fields.get(rule.target)
    now = new.sides[change.system].fields.get(rule.target)
    return was is not None and now is not None and not now.ours and not equal(was.value, now.value, rule.target_type)


def _cleared(state: PairState, name: str) -> PairState:
    """The target changed: a refusal may no longer hold."""
    if name not in state.refused:
        return state
    return replace(state, refused={key: value for key, value in state.refused.items() if key != name})


def _rewritten(state: PairState, name: str, at_ms: int) -> PairState:
    times = state.rewrites.get(name, ())
    if at_ms in times:
        return state
    recent = tuple(sorted(time for time in (*times, at_ms) if time > max((*times, at_ms)) - REWRITE_WINDOW_MS))
    rewrites = {**state.rewrites, name: recent[-REWRITES:]}
    if len(recent) < REWRITES or name in state.contested:
        return replace(state, rewrites=rewrites)
    return replace(state, rewrites=rewrites, contested=(*state.contested, name))


def _with_answers(before: PairState, state: PairState, change: MatchedChange, view: MappingView) -> PairState:
    """The answers to our writes: what was kept in another form settles, what was overwritten since is a rewrite."""
    pair = paired(state, view)
    if not isinstance(pair, Paired) or pair.ids[change.system] != change.object_id:
        return state
    out_of_step = derive(state, pair, view).patches.get(change.system, {})
    for field_name, answer in change.answered.items():
        name = f"{change.system}.{field_name}"
        known = pair.sides[change.system].fields.get(field_name)
        if known is None or equal(known.value, answer.stored):
            state = _settled(state, name, answer)
            seen = _known_before(before, change, field_name)
            if seen is not None and equal(seen.value, answer.stored):
                state = _without_rewrite(state, name, seen.at_ms)
        elif field_name in out_of_step and not known.ours and _overwritten(answer, known):
            state = _rewritten(state, name, known.at_ms)
    return state


def _known_before(before: PairState, change: MatchedChange, field_name: str) -> StampedValue | None:
    candidate = _side(before, change.system).get(change.object_id)
    return None if candidate is None else candidate.fields.get(field_name)


def _standing_to(answer: Answer, known: StampedValue) -> Order:
    """Whether the known value is newer than the answer; Userflow's answers name whole seconds only."""
    return order(answer.at_ms, answer.spread_ms, known.at_ms, known.spread_ms)


def _overwritten(answer: Answer, known: StampedValue) -> bool:
    """Whether the known value came after our write; a read of the very second of the answer does not tell."""
    standing = _standing_to(answer, known)
    if standing is Order.OVERLAPPING:
        return known.spread_ms == 0 or known.at_ms > answer.at_ms
    return standing is Order.NEWER


def _without_rewrite(state: PairState, name: str, at_ms: int) -> PairState:
    """What looked like a rewrite, because it was seen before its answer, was our own write."""
    if at_ms not in state.rewrites.get(name, ()):
        return state
    times = tuple(time for time in state.rewrites[name] if time != at_ms)
    others = {key: value for key, value in state.rewrites.items() if key != name}
    contested = tuple(other for other in state.contested if other != name)
    return replace(state, rewrites={**others, name: times} if times else others, contested=contested)


def _settled(state: PairState, name: str, answer: Answer) -> PairState:
    """The target holds what it made of our write; that it took the value ends a refusal of that value."""
    settled = {key: value for key, value in state.settled.items() if key != name}
    if not equal(answer.sent, answer.stored):
        settled[name] = Settled(answer.sent, answer.stored)
    refused = state.refused.get(name)
    if refused is None or not equal(refused.value, answer.sent):
        return replace(state, settled=settled)
    return _cleared(replace(state, settled=settled), name)


def _decide(state: PairState, view: MappingView, told: str | None = None) -> PairStep:
    """Pair, then derive; `told` is the object that just told all that is known of it, so it is not asked again."""
    pair = paired(state, view)
    if not isinstance(pair, Paired):
        rivals = _rivals(state) if pair == "ambiguous" else ()
        read = tuple(sorted({*state.rivals_read, *(f"{system}.{object_id}" for system, object_id in rivals)}))
        return PairStep(_slim(replace(state, rivals_read=read)), NOTHING, pair, rivals=rivals)
    if _slimmed(pair, view) and pair.ids["hubspot"] != told:
        return PairStep(state, NOTHING, "derived", resend=(("hubspot", pair.ids["hubspot"]),))
    return _derived(state, pair, view)


def _slimmed(pair: Paired, view: MappingView) -> bool:
    """Only HubSpot's side is ever kept without its fields; were both sides asked, they could ask for ever."""
    return bool(view.fields["hubspot"]) and not pair.sides["hubspot"].fields


def _derived(state: PairState, pair: Paired, view: MappingView) -> PairStep:
    derivation = derive(state, pair, view)
    state = _with_refusals(state, derivation, pair, view)
    outcome: Outcome = "derived" if derivation.patches else _standing(state, derivation)
    return PairStep(state, derivation, outcome, ids=pair.ids, refused=derivation.refused)


def _with_refusals(state: PairState, derivation: Derivation, pair: Paired, view: MappingView) -> PairState:
    """Refusals of this derivation are remembered; one whose value the owner no longer holds is forgotten with it."""
    if not state.refused and not derivation.refused:
        return state
    refused = dict(state.refused)
    for refusal in derivation.refused:
        refused[f"{refusal.system}.{refusal.name}"] = Refused(refusal.value, refusal.reason)
    desired = desired_values(pair, view)
    return replace(
        state,
        refused={name: kept for name, kept in refused.items() if name in desired and equal(desired[name], kept.value)},
    )


def _standing(state: PairState, derivation: Derivation) -> Outcome:
    if state.contested:
        return "contested"
    return "refused" if derivation.refused or state.refused else "equal"


def _rivals(state: PairState) -> tuple[tuple[System, str], ...]:
    """Candidates to read once more: Userflow deletes in silence, so a rival may be long gone."""
    several = [(system, _side(state, system)) for system in OTHER if len(_side(state, system)) > 1]
    return tuple(
        (system, object_id)
        for system, side in several
        for object_id in sorted(side)
        if f"{system}.{object_id}" not in state.rivals_read
    )


def _slim(state: PairState) -> PairState:
    """A pair with a HubSpot side only keeps the existence of its objects: most of a CRM has no user."""
    if state.userflow or not any(candidate.fields for candidate in state.hubspot.values()):
        return state
    slim = {name: replace(candidate, fields={}) for name, candidate in state.hubspot.items()}
    return replace(state, hubspot=slim)
