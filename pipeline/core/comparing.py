"""What a full sync finds and does at one pair: counts it, writes it once, and judges how it ended.

Each step may be asked for again after a crash, of itself or of whoever asks: a pair that the run has written carries
its mark, so it is neither retried nor counted twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from pipeline.core.candidates import Unpaired, paired, side
from pipeline.core.conversion import is_empty
from pipeline.core.derive import Derivation, Paired
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.pairing import NOTHING, PairStep, rederive, retry_refused
from schemas.replacing import replace
from schemas.runs import TOUCHED, WITH_REFUSED
from schemas.state import PairState, RefusedValue, RunMark
from schemas.values import System

Step = Literal["count", "write", "confirm"]
STEPS: Final[Mapping[str, Step]] = {"count": "count", "write": "write", "confirm": "confirm"}
CONTESTED: Final = "contested"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The run's question: which step, how often it was asked, and the types of which every object is known."""

    step: Step
    run_id: str
    attempt: int
    whole: frozenset[str]


@dataclass(frozen=True, slots=True)
class Compared:
    """The pair after the step, what it leads to, and how it counts."""

    step: PairStep
    counts: Mapping[str, int]
    emptied: tuple[str, ...] = ()  # count: `<system>.<field>`s that hold a value and would be empty
    ids: Mapping[System, str] = field(default_factory=dict)  # count: the pair's two objects
    of_run: bool = True  # false: what it leads to is a live change's, and the run does not wait for it


def compare(state: PairState, view: MappingView, comparison: Comparison) -> Compared:
    """One pair at one step of a full sync. Its state is None where the row stays as it is."""
    pair = paired(state, view)
    if not isinstance(pair, Paired):
        return Compared(PairStep(None, NOTHING, pair), _unpaired(state, pair))
    match comparison.step:
        case "count":
            return _counted(state, pair, view, comparison)
        case "write":
            return _written(state, pair, view, comparison)
        case "confirm":
            return _confirmed(state, pair, view, comparison)


def _counted(state: PairState, pair: Paired, view: MappingView, comparison: Comparison) -> Compared:
    """What `write` would do; only what is not known yet is asked for."""
    step = rederive(_retried(state), view, comparison.whole)
    if _open(step):
        return Compared(replace(step, state=state), {"pairs": 1, "open": 1})
    emptied = _emptied(step.derivation, pair)
    marked = _marked(step.state or state, step.derivation, emptied, comparison.run_id)
    counts = _standing(marked, comparison.run_id)
    if step.state is not state or state.parked_events or state.held:
        counts[TOUCHED] = 1
    return Compared(PairStep(None, NOTHING, step.outcome), counts, emptied, pair.ids)


def _written(state: PairState, pair: Paired, view: MappingView, comparison: Comparison) -> Compared:
    """Derive the pair's patches and mark it, once for a run and a revision; refusals and contests are retried."""
    if _mark(state, comparison.run_id) is not None and state.revision == view.record.revision:
        return Compared(PairStep(None, NOTHING, "derived"), _standing(state, comparison.run_id))
    step = rederive(_retried(state), view, comparison.whole)
    if _open(step):
        waiting = replace(step.state or state, mark=RunMark(comparison.run_id, ()))
        return Compared(replace(step, state=waiting), {"pairs": 1, "open": 1})
    new = _marked(step.state or state, step.derivation, _emptied(step.derivation, pair), comparison.run_id)
    return Compared(_told_once(replace(step, state=new), state), _standing(new, comparison.run_id))


def _confirmed(state: PairState, pair: Paired, view: MappingView, comparison: Comparison) -> Compared:
    """How the pair ended. What is still to be written is written again, and counts as open while that may help.

    Every patch of the run has ended before this is asked: what is out of step at a second attempt and not parked, a
    live change has brought about, which has its own road; waiting for it, a run beside steady edits would never end.
    """
    step = rederive(state, view, comparison.whole)
    if not _open(step) and not step.derivation.patches:
        new = step.state or state
        return Compared(replace(step, state=new), _standing(new, comparison.run_id))
    mark = _mark(state, comparison.run_id)
    of_run = state.parked or comparison.attempt <= 1 or (mark is not None and not mark.fields)
    if not of_run:
        return Compared(step, _standing(state, comparison.run_id), of_run=False)
    if _open(step):
        waiting = replace(step.state or state, mark=mark or RunMark(comparison.run_id, ()))
        return Compared(replace(step, state=waiting), {"pairs": 1, "open": 1})
    new = _marked(step.state or state, step.derivation, _emptied(step.derivation, pair), comparison.run_id)
    return Compared(replace(step, state=new), {"pairs": 1, "open": 1})


def _open(step: PairStep) -> bool:
    """Whether something must be read before the pair can be derived."""
    return bool(step.unknown or step.resend)


def _mark(state: PairState, run_id: str) -> RunMark | None:
    """This run's mark; None where it has put none on the pair."""
    return state.mark if state.mark is not None and state.mark.run_id == run_id else None


def _retried(state: PairState) -> PairState:
    return retry_refused(state) if state.refused or state.contested else state


def _told_once(step: PairStep, before: PairState) -> PairStep:
    """Without refusals that were told before: tried once more, conversion says the same of the same value."""
    told = tuple(
        one
        for one in step.refused
        if before.refused.get(f"{one.system}.{one.name}") != RefusedValue(one.value, one.reason)
    )
    return replace(step, refused=told)


def _unpaired(state: PairState, pair: Unpaired) -> Mapping[str, int]:
    """Objects without a partner by system; crowded and ambiguous match values as such."""
    if pair != "unmatched":
        return {pair: 1}
    return {f"unmatched.{system}": len(side(state, system)) for system in OTHER if side(state, system)}


def _standing(state: PairState, run_id: str) -> dict[str, int]:
    """How the pair counts: written by this run, refused with nothing written, or equal; refusals by field.

    What is written and holds a refused field too is not in step all the same.
    """
    reasons = _reasons(state)
    mark = _mark(state, run_id) or RunMark(run_id, ())
    written = frozenset(name for name in mark.fields if name not in reasons)
    counts = {"pairs": 1}
    if written:
        counts |= {"written": 1} | {f"written.{name.partition('.')[0]}": 1 for name in written}
    else:
        counts["refused" if reasons else "equal"] = 1
    if reasons:
        counts[WITH_REFUSED] = 1
    if not written.isdisjoint(mark.emptied):
        counts["cleared"] = 1
    for reason in reasons.values():
        counts[f"refused.{reason}"] = counts.get(f"refused.{reason}", 0) + 1
    return counts


def _reasons(state: PairState) -> Mapping[str, str]:
    """Target field -> why it is left alone."""
    return {name: one.reason for name, one in state.refused.items()} | dict.fromkeys(state.contested, CONTESTED)


def _emptied(derivation: Derivation, pair: Paired) -> tuple[str, ...]:
    return tuple(
        f"{system}.{name}"
        for system, fields in derivation.patches.items()
        for name, value in fields.items()
        if is_empty(value) and _holds_a_value(pair, system, name)
    )


def _holds_a_value(pair: Paired, system: System, name: str) -> bool:
    known = pair.sides[system].fields.get(name)
    return known is not None and not is_empty(known.value)


def _marked(state: PairState, derivation: Derivation, emptied: tuple[str, ...], run_id: str) -> PairState:
    """The row with what is derived added to the run's mark; as it is where nothing is."""
    fields = tuple(f"{system}.{name}" for system, names in derivation.patches.items() for name in names)
    if not fields:
        return state
    before = _mark(state, run_id) or RunMark(run_id, ())
    all_fields = dict.fromkeys((*before.fields, *fields))
    all_emptied = dict.fromkeys((*before.emptied, *emptied))
    return replace(state, mark=RunMark(run_id, tuple(all_fields), tuple(all_emptied)))


def sample(ids: Mapping[System, str], emptied: tuple[str, ...]) -> str:
    """A pair as a person may look it up, with the fields that would be emptied; no values."""
    objects = ", ".join(f"{system} {object_id}" for system, object_id in sorted(ids.items()))
    return f"{objects}: {', '.join(emptied)}"
