"""Decides when a pair asks a system for its missing side, or reads its rivals again; at most once per interval."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipeline.core.candidates import side
from pipeline.core.holders import asked, read_whole
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.pairing import PairStep, read_by_run, rivals
from schemas.making import made_quickly
from schemas.records import MatchedChange, Origin
from schemas.replacing import replace
from schemas.state import PairState
from schemas.values import System

LIVE: Final[frozenset[Origin]] = frozenset({"webhook", "journal", "poll"})
"""How a system tells of a change, whichever source the integration's file chooses."""
RIVALS_AGAIN_MS: Final = 10_000  # short: it costs a few reads, and somebody waits for a mended pair


@made_quickly
@dataclass(frozen=True, slots=True)
class Asking:
    """The limits on lookups: the time, the interval, and the types of which every object is known."""

    now_ms: int  # our clock
    interval_ms: int  # between two lookups of one pair
    whole: frozenset[str]  # types of which every object is known, as `read_whole` takes them


def with_lookup(step: PairStep, change: MatchedChange, view: MappingView, asking: Asking) -> PairStep:
    """Add the lookup, or the reads of rivals, that the pair needs now."""
    state = step.state
    if state is None or read_by_run(change):
        return step
    if step.unknown:
        return asking_holders(
            step, state, asking.now_ms, lambda system: _may_ask_for_holders(state, system, change, asking)
        )
    if _may_ask(state, change, asking):
        if _lacks_hubspot(state):
            return replace(step, state=_looked_up(state, asking), lookups=("hubspot",))
        if _lacks_userflow(state, change, view, asking):
            return replace(step, state=_looked_up(state, asking), lookups=("userflow",))
    if step.outcome == "ambiguous" and not step.rivals and _rivals_may_be_gone(state, change, asking):
        return replace(step, state=_looked_up(state, asking), rivals=rivals(state))
    return step


def _looked_up(state: PairState, asking: Asking) -> PairState:
    return replace(state, looked_up_ms=asking.now_ms)


def asking_holders(
    step: PairStep, state: PairState, now_ms: int, may_ask: Callable[[System], bool] = lambda _: True
) -> PairStep:
    """The step with the lookups of the sides that may have other holders of the match value."""
    systems = tuple(system for system in step.unknown if may_ask(system))
    return replace(step, state=asked(state, systems, now_ms), unknown=systems) if systems else replace(step, unknown=())


def _may_ask_for_holders(state: PairState, system: System, change: MatchedChange, asking: Asking) -> bool:
    """Once, and again at a change after the interval: an answer never asks a system that was asked before."""
    if system not in state.asked:
        return True
    return change.origin != "lookup" and not 0 <= asking.now_ms - state.asked[system] < asking.interval_ms


def _rivals_may_be_gone(state: PairState, change: MatchedChange, asking: Asking) -> bool:
    """A live change reads the rivals again: one may be deleted by now, and Userflow reports no deletions."""
    live = change.origin in LIVE and change.run_id is None
    return live and not 0 <= asking.now_ms - state.looked_up_ms < RIVALS_AGAIN_MS


def _may_ask(state: PairState, change: MatchedChange, asking: Asking) -> bool:
    """No lookup during a full sync, which reads both sides anyway, nor after a lookup: two would cause each other."""
    if change.origin == "crawl" or change.run_id is not None:
        return False
    if state.looked_up_ms == 0:
        return True
    return change.origin != "lookup" and not 0 <= asking.now_ms - state.looked_up_ms < asking.interval_ms


def _lacks_hubspot(state: PairState) -> bool:
    return _lacks(state, "hubspot") or (bool(state.userflow) and not state.hubspot)


def _lacks_userflow(state: PairState, change: MatchedChange, view: MappingView, asking: Asking) -> bool:
    """Look for a user only when a contact just changed and not all users are known: most contacts have none."""
    if _lacks(state, "userflow"):
        return True
    changed = change.system == "hubspot" and change.origin in LIVE
    known = read_whole("userflow", view, asking.whole)
    return changed and not known and bool(state.hubspot) and not state.userflow


def _lacks(state: PairState, system: System) -> bool:
    """Whether candidates are missing from the state: only a lookup or a full sync can list them."""
    return system in state.counted and bool(side(state, OTHER[system]))
