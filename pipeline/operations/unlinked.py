"""Who is not linked, and why: Userflow's objects that no pair has, from the retained state alone. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from pipeline.core.candidates import paired
from pipeline.core.derive import Paired
from pipeline.core.mapping import MappingView
from pipeline.core.matching import match_value
from pipeline.core.pairing import EMPTY
from schemas.state import ObjectState, PairState

Why = Literal["unmatched", "no_match_value", "ambiguous", "crowded"]
WHYS: Final[tuple[Why, ...]] = get_args(Why)


@dataclass(frozen=True, slots=True)
class Unlinked:
    """One Userflow object without a partner."""

    object_id: str
    why: Why
    heard_ms: int  # vendor clock: the newest observation of it
    looked_up_ms: int  # our clock: when its partner was last asked for; 0: never


def unlinked(
    view: MappingView, users: Iterable[tuple[str, ObjectState]], pair: Callable[[str], PairState | None]
) -> Iterator[Unlinked]:
    """Those of one mapping. `pair`: the row of a match value."""
    for object_id, row in users:
        if row.present and (found := _unlinked(view, object_id, row, pair)) is not None:
            yield found


def _unlinked(
    view: MappingView, object_id: str, row: ObjectState, pair: Callable[[str], PairState | None]
) -> Unlinked | None:
    value = match_value(view, row.fields, "userflow", object_id)
    if value is None:
        return Unlinked(object_id, "no_match_value", row.at_ms, 0)
    state = pair(value) or EMPTY
    found = paired(state, view)
    if isinstance(found, Paired):  # its row may still be on its way to the pair
        return None if found.ids["userflow"] == object_id else Unlinked(object_id, "unmatched", row.at_ms, 0)
    return Unlinked(object_id, found, row.at_ms, state.looked_up_ms)
