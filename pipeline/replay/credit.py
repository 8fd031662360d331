"""Keeps a replay behind live changes: it publishes only while few records are unfinished downstream."""

import sys
import time
from collections.abc import Callable
from typing import Final

WAIT_S: Final = 0.05
TOLD_EVERY_S: Final = 10.0
STALLED_S: Final = 600.0


class NothingMoves(RuntimeError):
    """Records wait downstream and none of them ends: the message says since when."""


class Credit:
    """Waits its turn; `waits` is told now and then how many records it waits for."""

    def __init__(
        self,
        outstanding: Callable[[], int],
        limit: int,
        waits: Callable[[int], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`outstanding` counts the unfinished records; it blocks."""
        self._outstanding = outstanding
        self._limit = limit
        self._waits = waits
        self._monotonic = monotonic
        self._sleep = sleep

    def wait(self) -> None:
        """Return once there is room; blocks. Raises NothingMoves where no record ends for STALLED_S."""
        least = sys.maxsize
        moved_at = told_at = self._monotonic()
        while (there := self._outstanding()) >= self._limit:
            now = self._monotonic()
            if there < least:
                least, moved_at = there, now
            if now - moved_at > STALLED_S:
                raise NothingMoves(f"{there:,} records wait downstream, and none ended for {STALLED_S:.0f} s")
            if now - told_at > TOLD_EVERY_S:
                told_at = now
                self._waits(there)
            self._sleep(WAIT_S)
