"""A condition that many wait for: its version only grows, so nobody can miss a change, and nobody clears it."""

import asyncio
from collections.abc import Callable

from connectors.clock import set_within


class VersionedCondition:
    """Counts changes; each waiter remembers the version it saw and waits for the next one."""

    def __init__(self) -> None:
        self._version = 0
        self._next = asyncio.Event()
        self._followers: list[Callable[[], None]] = []

    @property
    def version(self) -> int:
        """How many changes there were."""
        return self._version

    def bump(self) -> None:
        """Something changed: wake everybody who waits."""
        self._version += 1
        passed, self._next = self._next, asyncio.Event()
        passed.set()
        for follower in self._followers:
            follower()

    def follow(self, changed: Callable[[], None]) -> None:
        """Call `changed` at every change from now on, for a waiter that waits for other things too."""
        self._followers.append(changed)

    async def wait_after(self, version: int, within_s: float | None = None) -> bool:
        """Whether there was a change after that version before so many seconds passed; None waits without an end."""
        return self._version != version or await set_within(self._next, within_s)

    async def until(self, holds: Callable[[], bool], within_s: float | None = None) -> bool:
        """Whether `holds` became true before so many seconds passed; it is asked now and after every change."""
        deadline = None if within_s is None else asyncio.get_running_loop().time() + within_s
        while not holds():
            left_s = None if deadline is None else max(deadline - asyncio.get_running_loop().time(), 0.0)
            if not await self.wait_after(self._version, left_s):
                return False
        return True
