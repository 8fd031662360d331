"""What Pairstream has written to the objects of a pair, by its row: told where it turns out to be ambiguous later."""

from collections.abc import Mapping

from pipeline.core.candidates import side
from pipeline.core.mapping import OTHER, MappingView
from schemas.state import Candidate, PairState
from schemas.values import System


def written_values(state: PairState, view: MappingView) -> Mapping[tuple[System, str], tuple[str, ...]]:
    """System and object id -> the mapping's target fields that still hold what Pairstream wrote there.

    The row needs nothing for it: a value that answers our own write stays ours until somebody writes another one.
    """
    found = {
        (system, object_id): _ours(candidate, system, view)
        for system in OTHER
        for object_id, candidate in sorted(side(state, system).items())
    }
    return {place: names for place, names in found.items() if names}


def _ours(candidate: Candidate, system: System, view: MappingView) -> tuple[str, ...]:
    targets = (rule.target for rule, _ in view.rules_for[system])
    return tuple(sorted({name for name in targets if name in candidate.fields and candidate.fields[name].ours}))
