"""A clock that stands still until a test moves it."""

import asyncio
import heapq

_SETTLING_ROUNDS = 12
"""Turns of the event loop after which nothing in these tests is left to do without time passing."""


class FakeClock:
    """Starts at 1,000 s, so that a forgotten zero shows."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, len(self.slept), woken))
        await woken

    async def settle(self) -> None:
        """Let everything run that needs no time."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined] # asyncio tells nobody else
        for _ in range(_SETTLING_ROUNDS):
            await asyncio.sleep(0)
            if not ready:
                return

    async def advance(self, seconds: float) -> None:
        """Let that much time pass, waking each sleeper at its own moment."""
        end = self.now + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, woken = heapq.heappop(self._sleepers)
            if woken.done():
                continue
            self.now = max(self.now, at)
            woken.set_result(None)
            await self.settle()
        self.now = end


class InstantClock(FakeClock):
    """Sleeping takes no real time and moves the clock at once."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
