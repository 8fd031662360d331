"""How long calls wait for company: not at all where it is quiet, longer the more of the vendor's limit is spent."""

from typing import Final

GATHER_S: Final = 0.25
"""Between two calls while several writes wait: a burst leaves in few full batches, a single edit never waits for it."""

LONGEST_GATHER_S: Final = 1.0
LATE_SHARE: Final = 0.1
"""Of the time that the oldest is late already: nobody sees a tenth more, and a slow burst leaves in as few calls."""

AMPLE_SHARE: Final = 0.25
TIGHT_SHARE: Final = 0.75
"""Shares of the limit that are spent: below the first nobody waits, from the second on as long as anybody does."""


def tight_gather_s(spent: float) -> float:
    """How long calls of one kind stand apart, by the share of the limit that is spent."""
    tightness = (spent - AMPLE_SHARE) / (TIGHT_SHARE - AMPLE_SHARE)
    return LONGEST_GATHER_S * min(max(tightness, 0.0), 1.0)


def late_gather_s(late_s: float) -> float:
    """How long calls stand apart while several writes wait, the oldest of them since `late_s` after its cause."""
    return min(max(late_s * LATE_SHARE, GATHER_S), LONGEST_GATHER_S)


class Gathering:
    """When the next call about one object type may leave.

    It is counted from the call before it, not from the oldest that waits: whoever comes after a quiet time leaves at
    once, and what comes meanwhile shares the next call.
    """

    def __init__(self) -> None:
        self._left_at: dict[str, float] = {}
        self._several: dict[str, bool] = {}

    def left(self, object_type: str, now: float, together: int = 1) -> None:
        """A call about so many objects of the type leaves."""
        self._left_at[object_type] = now
        self._several[object_type] = together > 1

    def several(self, object_type: str) -> bool:
        """Whether the call before carried several: one that comes just behind it will not be the only one."""
        return self._several.get(object_type, False)

    def due(self, object_type: str, gather_s: float) -> float:
        """When the next one may leave, `gather_s` after the one before."""
        before = self._left_at.get(object_type)
        return 0.0 if before is None else before + gather_s
