"""How long live changes took from their webhook until they were written, from counts under bounds. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pipeline.lag.hour import Named
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


def took_in(system: System, took: Sequence[Counter[Named]]) -> Took:
    """The same of minutes, by system and bound."""
    return took_of(system, [sum(one[system, str(bound)] for one in took) for bound in range(len(BOUNDS_MS) + 1)])


def means_in(system: System, took: Sequence[Counter[Named]], took_ms: Sequence[Counter[Named]]) -> Iterator[int]:
    """The mean of each minute in which a change was written, in milliseconds."""
    for minute, sums in zip(took, took_ms, strict=True):
        number = sum(many for (of, _), many in minute.items() if of == system)
        if number:
            yield round(sums[system, ""] / number)


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
