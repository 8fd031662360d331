"""The two sides of a pair: which objects may be on each, and which two are the pair."""

from collections.abc import Mapping
from typing import Final, Literal

from pipeline.core.derive import Paired
from pipeline.core.mapping import OTHER, MappingView
from schemas.records import MatchedChange
from schemas.replacing import replace
from schemas.state import Candidate, PairState
from schemas.values import System

MOST_CANDIDATES: Final = 25

Unpaired = Literal["unmatched", "ambiguous", "crowded"]


def paired(state: PairState, view: MappingView) -> Paired | Unpaired:
    """The two objects of the pair, or why there are none."""
    if len(state.hubspot) == len(state.userflow) == 1 and not state.counted:  # almost every pair that writes
        (hubspot,), (userflow,) = state.hubspot, state.userflow
        return Paired({"hubspot": hubspot, "userflow": userflow}, _fields_of(state, hubspot, userflow))
    return _among_several(state, view)


def _among_several(state: PairState, view: MappingView) -> Paired | Unpaired:
    if any(crowded(state, system) for system in OTHER):
        return "crowded"
    if not (state.hubspot and state.userflow):
        return "unmatched"
    hubspot, userflow = _only(state, "hubspot"), _only(state, "userflow")
    if hubspot is None and "hubspot" not in state.counted and view.record.on_several == "newest":
        hubspot = max(state.hubspot, key=lambda object_id: _newness(object_id, state.hubspot[object_id]))
    if hubspot is None or userflow is None:
        return "ambiguous"
    return Paired({"hubspot": hubspot, "userflow": userflow}, _fields_of(state, hubspot, userflow))


def _fields_of(state: PairState, hubspot: str, userflow: str) -> Mapping[System, Candidate]:
    return {"hubspot": state.hubspot[hubspot], "userflow": state.userflow[userflow]}


def _only(state: PairState, system: System) -> str | None:
    candidates = side(state, system)
    return next(iter(candidates)) if len(candidates) == 1 and system not in state.counted else None


def _newness(object_id: str, candidate: Candidate) -> tuple[int, int, str]:
    return candidate.at_ms, len(object_id) if object_id.isdecimal() else 0, object_id


def crowded(state: PairState, system: System) -> bool:
    """Whether a side has more candidates than the state keeps, now or at the last count."""
    return max(len(side(state, system)), state.counted.get(system, 0)) > MOST_CANDIDATES


def recounted(state: PairState, change: MatchedChange) -> PairState:
    """Update the count of candidates that a side has but the state does not keep.

    A lookup reports the total before its objects arrive, so the first is not mistaken for the only match. Beyond
    MOST_CANDIDATES we do not see candidates leave; only a lookup or a full sync resets the count.
    """
    kept, counted = len(side(state, change.system)), change.found or state.counted.get(change.system, 0)
    if kept > MOST_CANDIDATES:
        counted = max(counted, kept)
    elif counted <= kept:
        counted = 0
    return _with_count(state, change.system, counted)


def counting_anew(state: PairState) -> PairState:
    """Reset the count of crowded sides at the start of a full sync: each is assumed to have at least two candidates."""
    return replace(state, counted={system: 2 for system, count in state.counted.items() if count > MOST_CANDIDATES})


def _with_count(state: PairState, system: System, count: int) -> PairState:
    if state.counted.get(system, 0) == count:
        return state
    others = {name: number for name, number in state.counted.items() if name != system}
    return replace(state, counted={**others, system: count} if count else others)


def side(state: PairState, system: System) -> Mapping[str, Candidate]:
    return state.hubspot if system == "hubspot" else state.userflow


def with_side(state: PairState, system: System, side: Mapping[str, Candidate]) -> PairState:
    return replace(state, hubspot=side) if system == "hubspot" else replace(state, userflow=side)
