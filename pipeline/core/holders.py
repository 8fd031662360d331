"""Decides of which sides of a pair every holder of the match value is known: the others are asked before a write.

The first of two users with one email must not be written before the second was seen. A side is known where its type
was read whole, where its system allows one holder only, or once it was asked and what it told has arrived.
"""

from collections.abc import Iterable
from typing import Final

from pipeline.core.candidates import side
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.matching import OWN_ID
from schemas.records import MatchedChange, Receipt
from schemas.replacing import replace
from schemas.state import PairState
from schemas.values import System

NONE_READ: Final[frozenset[str]] = frozenset()


def type_word(system: str, object_type: str) -> str:
    """One object type of one system, as records name it among the types that were read whole."""
    return f"{system}.{object_type}"


def unknown_sides(state: PairState, view: MappingView, whole: frozenset[str]) -> tuple[System, ...]:
    """The systems that may have other objects with the pair's match value than those it knows.

    `whole` are the types of which every object is known, as `read_whole` takes them.
    """
    return tuple(system for system in OTHER if system not in state.known and not _known_anyway(system, view, whole))


def _known_anyway(system: System, view: MappingView, whole: frozenset[str]) -> bool:
    if view.match_field(system) in OWN_ID or read_whole(system, view, whole):
        return True
    return system == "hubspot" and view.record.match_hubspot_unique


def read_whole(system: System, view: MappingView, whole: frozenset[str]) -> bool:
    """Whether every object of the mapping's type is known: `whole` has its `type_word`, with the mapping's name or not.

    Matches are computed as objects are read: what was read before a mapping came, or before it changed, is not known
    to it.
    """
    word = type_word(system, view.object_type(system))
    return word in whole or f"{word}/{view.name}" in whole


def with_answer(state: PairState, change: MatchedChange) -> PairState:
    """Note that a system has told who holds the match value: by a lookup's count, or by the read after its "nobody"."""
    if change.presence != "joined" or change.origin != "lookup":
        return state
    if not change.found and change.system not in state.missed:
        return state
    return _known(state, change.system)


def with_miss(state: PairState, receipt: Receipt) -> tuple[PairState, tuple[tuple[System, str], ...]]:
    """Note that a system knows nobody with the match value; returns the candidates to be read again by their ids.

    An index may lag, or the candidate has another value by now: the read tells which.
    """
    candidates = tuple((receipt.system, object_id) for object_id in sorted(side(state, receipt.system)))
    if not candidates or receipt.system in state.known:
        return state, candidates
    return replace(state, missed=tuple(sorted({*state.missed, receipt.system}))), candidates


def asked(state: PairState, systems: Iterable[System], now_ms: int) -> PairState:
    """The row after these systems were asked."""
    return replace(state, asked={**state.asked, **dict.fromkeys(systems, now_ms)})


def knowing_nothing(state: PairState) -> PairState:
    """The row after a mapping edit: what was asked for may have been another field's value."""
    if not (state.known or state.missed or state.asked):
        return state
    return replace(state, known=(), missed=(), asked={})


def _known(state: PairState, system: System) -> PairState:
    if system in state.known and system not in state.missed and system not in state.asked:
        return state
    return replace(
        state,
        known=tuple(sorted({*state.known, system})),
        missed=tuple(one for one in state.missed if one != system),
        asked={one: at_ms for one, at_ms in state.asked.items() if one != system},
    )
