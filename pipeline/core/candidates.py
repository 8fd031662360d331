"""The two sides of a pair: which objects may be on each, and which two are the pair."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from pipeline.core.derive import Paired
from pipeline.core.mapping import MappingView
from schemas.records import Candidate, PairState
from schemas.values import System

MOST_CANDIDATES: Final = 25

Unpaired = Literal["unmatched", "ambiguous", "crowded"]


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


def side(state: PairState, system: System) -> Mapping[str, Candidate]:
    return state.hubspot if system == "hubspot" else state.userflow


def with_side(state: PairState, system: System, side: Mapping[str, Candidate]) -> PairState:
    return replace(state, hubspot=side) if system == "hubspot" else replace(state, userflow=side)
