"""How far a vendor's clock is from ours, where that lasts."""

from collections import deque
from typing import Final

LASTING: Final = 5  # answers in a row: one odd answer, of a proxy say, is no skew
TOLD_FROM_MS: Final = 5 * 60_000
"""HubSpot's signatures are refused when they are older by our clock."""

_MINUTE_MS: Final = 60_000


class ClockSkew:
    """What the newest answers said; positive where the vendor is ahead."""

    def __init__(self) -> None:
        self._ahead: deque[int] = deque(maxlen=LASTING)

    def note(self, ahead_ms: int | None) -> None:
        """Take one answer into account; None says nothing."""
        if ahead_ms is not None:
            self._ahead.append(ahead_ms)

    @property
    def lasting_ms(self) -> int:
        """The least of the newest answers, in whole minutes; 0 where any of them was right, or there are too few."""
        if len(self._ahead) < LASTING:
            return 0
        least = min(self._ahead, key=abs)
        same_way = all((ahead > 0) == (least > 0) for ahead in self._ahead)
        minutes = round(least / _MINUTE_MS)
        return minutes * _MINUTE_MS if same_way and abs(least) >= TOLD_FROM_MS else 0
