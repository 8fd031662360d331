"""When a pair asks a system: for the side it lacks, or for its rivals again; never more often than an interval."""

from dataclasses import dataclass, replace
from typing import Final

from pipeline.core.candidates import side
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.pairing import PairStep, rivals
from schemas.records import MatchedChange, PairState
from schemas.values import System

RIVALS_AGAIN_MS: Final = 10_000  # a few reads by id; people who mend an ambiguous pair wait for it


@dataclass(frozen=True, slots=True)
class Asking:
    """What else decides whether a pair may ask now."""

    now_ms: int  # our clock
    interval_ms: int  # between two lookups of one pair
    crawled: frozenset[str]  # Userflow's object types of which every object is known


def with_lookup(step: PairStep, change: MatchedChange, view: MappingView, asking: Asking) -> PairStep:
    """The step with the lookup, or the reads of rivals, that it leads to."""
    state = step.state
    if state is None:
        return step
    asked = replace(state, looked_up_ms=asking.now_ms)
    if _may_ask(state, change, asking):
        if _lacks_hubspot(state):
            return replace(step, state=asked, lookup="hubspot")
        if _lacks_userflow(state, change, view, asking):
            return replace(step, state=asked, lookup="userflow")
    if step.outcome == "ambiguous" and not step.rivals and _rivals_may_be_gone(state, change, asking):
        return replace(step, state=asked, rivals=rivals(state))
    return step


def _rivals_may_be_gone(state: PairState, change: MatchedChange, asking: Asking) -> bool:
    """One may have been deleted since they were read: Userflow does not tell, so that a change asks again."""
    live = change.origin == "webhook" and change.run_id is None
    return live and not 0 <= asking.now_ms - state.looked_up_ms < RIVALS_AGAIN_MS


def _may_ask(state: PairState, change: MatchedChange, asking: Asking) -> bool:
    """A full sync reads both sides anyway; a lookup's answer asks nothing, so that no two lookups feed each other."""
    if change.origin == "crawl" or change.run_id is not None:
        return False
    if state.looked_up_ms == 0:
        return True
    return change.origin != "lookup" and not 0 <= asking.now_ms - state.looked_up_ms < asking.interval_ms


def _lacks_hubspot(state: PairState) -> bool:
    return _lacks(state, "hubspot") or (bool(state.userflow) and not state.hubspot)


def _lacks_userflow(state: PairState, change: MatchedChange, view: MappingView, asking: Asking) -> bool:
    """Most of a CRM has no user: asked only for contacts that just changed, while not all users are known."""
    if _lacks(state, "userflow"):
        return True
    changed = change.system == "hubspot" and change.origin == "webhook"
    known = view.object_type("userflow") in asking.crawled
    return changed and not known and bool(state.hubspot) and not state.userflow


def _lacks(state: PairState, system: System) -> bool:
    """Whether there are more candidates than are kept: only a lookup or a full sync shows whom they are now."""
    return system in state.counted and bool(side(state, OTHER[system]))
