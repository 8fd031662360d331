"""Times in which nobody works with an integration's account: its credentials change meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Exclusive:
    """One at a time for each integration.

    `let_go` ends the worker, `open_again` has it opened anew; between the two nobody opens one (`holds`).
    """

    def __init__(self, let_go: Callable[[str], Awaitable[None]], open_again: Callable[[str], None]) -> None:
        self._let_go = let_go
        self._open_again = open_again
        self._locks: dict[str, asyncio.Lock] = {}
        self._held: set[str] = set()

    def holds(self, name: str) -> bool:
        """Whether the integration is not to be opened now: a worker would begin with the former credentials."""
        return name in self._held

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """While the block runs, no worker of the integration does."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            self._held.add(name)
            try:
                await self._let_go(name)
                yield
            finally:
                self._held.discard(name)
                self._open_again(name)
