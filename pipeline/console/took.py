"""How long live changes took from their webhook until they were written, from counts under bounds. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from schemas.values import System
from schemas.vitals import BOUNDS_MS, Vitals


@dataclass(frozen=True, slots=True)
class Took:
    """How long changes took from their webhook until they were written, at most; None: none was written."""

    to: System
    number: int
    half_ms: int | None
    most_ms: int | None
    late_ms: int | None


def took_to(system: System, processes: Iterable[Vitals]) -> Took:
    """Live changes since the connectors began, by the bounds that they count under."""
    ours = [one for row in processes for one in row.durations if (one.part, one.system) == ("whole", system)]
    whole = [one.counts for one in ours if not one.bulk]
    return took_of(system, [sum(column) for column in zip_longest(*whole, fillvalue=0)])


def took_of(system: System, counts: Sequence[int]) -> Took:
    """The same of counts under each bound."""
    return Took(system, sum(counts), *(_within(counts, share) for share in (0.5, 0.99, 0.95)))


def _within(counts: Sequence[int], share: float) -> int | None:
    """The bound under which that share lies; None where none was counted, or it lies above all."""
    wanted, passed = sum(counts) * share, 0
    if not wanted:
        return None
    for bound, counted in zip(BOUNDS_MS, counts, strict=False):
        passed += counted
        if passed >= wanted:
            return bound
    return None
