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


async def set_within(event: asyncio.Event, within_s: float | None) -> bool:
    """Whether the event was set before so many seconds of this machine's clock passed; None waits without an end.

    Not `asyncio.wait_for`: before Python 3.12 it forgets a cancellation that comes just after what it waits for, and a
    task that was told to end once goes on for ever (ruff refuses it in this tree).
    """
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False
