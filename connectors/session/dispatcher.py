"""Starts batches: limits how many run at once, backs off after errors, re-raises unexpected ones."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from connectors.contract.errors import ConnectorError, RateLimited, Retryable
from connectors.http.retry import CALLS, Tries
from connectors.session.condition import VersionedCondition
from connectors.session.context import IntegrationContext

LEAST_WAIT_S: Final = 0.01
AT_ONCE: Final = 0.0
NOT_OURS_S: Final = 1.0  # how long a half waits that may not write: soon it is closed, or it owns its partition again


class BatchDispatcher:
    """The batches of one half of an integration."""

    def __init__(self, context: IntegrationContext) -> None:
        self._context = context
        self._changes = VersionedCondition()
        context.state.changes.follow(self.wake)
        self._tasks: set[asyncio.Task[None]] = set()
        self._aside: set[asyncio.Task[None]] = set()
        self._paused_until = 0.0
        self._limited_until = 0.0
        self._tries = Tries()
        self._rounds = 0  # how many failures were counted
        self._broken: BaseException | None = None

    @property
    def under_way(self) -> int:
        return len(self._tasks)

    def start(self, batch: Coroutine[Any, Any, None], *, aside: bool = False) -> "asyncio.Task[None]":
        """Start a batch; one that runs aside is not counted as under way and not drained."""
        task = asyncio.create_task(batch)
        (self._aside if aside else self._tasks).add(task)
        task.add_done_callback(self._ended)
        return task

    def wake(self) -> None:
        """Ask again whether something is due: a record came, a batch ended or the connection changed."""
        self._changes.bump()

    def pause(self, seconds: float) -> None:
        """Start nothing for so many seconds."""
        self._paused_until = self._context.clock.monotonic() + seconds
        self._changes.bump()

    def succeeded(self) -> None:
        """A batch succeeded: the next error counts as the first."""
        self._tries = Tries()
        self._changes.bump()

    @property
    def rounds(self) -> int:
        """How many failures were counted so far; a batch remembers the number from its beginning."""
        return self._rounds

    def failed(self, error: ConnectorError, begun_in: int) -> None:
        """A batch failed that began in that round: pause as the policy says; where it gives up, the system is away.

        Batches that were under way together fail together: they are one failure, or four at once would use up the
        attempts in a second.
        """
        wait_s, now = None, self._context.clock.monotonic()
        if isinstance(error, Retryable):
            if begun_in == self._rounds:
                self._rounds += 1
                self._tries = self._tries.after(error, now)
            wait_s = CALLS.wait_s(error, self._tries, self._context.uniform)
        if wait_s is None:
            self._context.state.fail(error)
            self.pause(0.0)
        else:
            self.pause(max(wait_s, self._paused_until - now))
            if isinstance(error, RateLimited):
                self._limited_until = self._paused_until

    @property
    def limited(self) -> bool:
        """Whether nothing starts because the system's limits were met."""
        return self._context.clock.monotonic() < self._limited_until

    async def run(self, due: Callable[[], float | None], begin: Callable[[], None]) -> None:
        """Call `begin` whenever something may leave, until cancelled; then the batches under way are cancelled too.

        `due` says from when on something may leave, by the integration's clock, or None. Raises what a batch raised.
        """
        try:
            while True:
                await self._until(due)
                begin()
        finally:
            for task in self._tasks | self._aside:
                task.cancel()

    async def _until(self, due: Callable[[], float | None]) -> None:
        while True:
            version = self._changes.version
            if self._broken is not None:
                # the process ends and its restart handles the records again: here they would stay unfinished for ever
                raise self._broken
            at = due()
            if at is None:
                await self._changes.wait_after(version)
                continue
            wait_s = max(at, self._paused_until) - self._context.clock.monotonic()
            if wait_s <= 0:
                return
            await self._changes.wait_after(version, max(wait_s, LEAST_WAIT_S))

    async def drained(self) -> None:
        """Wait for the batches under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._aside.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error
        self._changes.bump()
