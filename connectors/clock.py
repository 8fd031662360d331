"""The clock that everything which waits is given."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Time that passes, in seconds from an arbitrary start, and waiting for it."""

    def monotonic(self) -> float:
        """Seconds; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


class SystemClock:
    """The clock of this machine."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Give way for that many seconds."""
        await asyncio.sleep(seconds)
