"""Where the time from a change's receipt to its write went: what its cause carries of it, and what is left for us."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from schemas.records import Cause

PartName = Literal["pairstream", "read", "budget", "write"]
PARTS: Final[tuple[PartName, ...]] = get_args(PartName)
"""Pairstream itself; the systems' answers to reads; waiting for places in their limits; their answers to writes."""

_MS_PER_S: Final = 1_000
LONGEST_MS: Final = 366 * 24 * 60 * 60 * 1000
"""More than any change takes: one record with a wild time would make sums that fit into no other record."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one change's way in milliseconds; together they are the whole."""

    pairstream: int
    read: int
    budget: int
    write: int

    @property
    def whole(self) -> int:
        return self.pairstream + self.read + self.budget + self.write


def with_spent(cause: Cause, *, read_s: float = 0.0, budget_s: float = 0.0, write_s: float = 0.0) -> Cause:
    """The cause with that much more on it."""
    return Cause(
        cause.topic,
        cause.partition,
        cause.offset,
        cause.at_ms,
        _longer(cause.read_ms, read_s),
        _longer(cause.budget_ms, budget_s),
        _longer(cause.write_ms, write_s),
    )


def _longer(ms: int, by_s: float) -> int:
    return min(ms + round(by_s * _MS_PER_S), LONGEST_MS)


def split(whole_ms: int, cause: Cause) -> Parts:
    """The whole by its parts. What was spent is measured where it was spent, the whole by the clocks of two machines.

    Where those are apart, the whole may be shorter than what was spent in it: then the latest of that fills it first,
    since the earliest was measured the furthest from here. No part is negative.
    """
    left = whole_ms = min(max(whole_ms, 0), LONGEST_MS)
    left -= (write := min(max(cause.write_ms, 0), left))
    left -= (budget := min(max(cause.budget_ms, 0), left))
    left -= (read := min(max(cause.read_ms, 0), left))
    return Parts(left, read, budget, write)
