"""All that works for one integration in one connector: its lane, its reading, writing, crawling and keeping."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from connectors.crawling import crawl
from connectors.echoes import RecentWrites
from connectors.keeping import Keeper
from connectors.lane import Lane
from connectors.reading import Reading
from connectors.writing import Writing
from schemas.configuration import SystemSettings
from schemas.records import Cause, FieldPatch, Notification, Request

log = logging.getLogger(__name__)

DRAIN_S = 6.0


class Station:
    """Takes the records of one integration; every one of them calls `finished` once it has an outcome."""

    def __init__(
        self, lane: Lane, keeper: Keeper, section: SystemSettings, failed: Callable[[BaseException], None]
    ) -> None:
        self.lane = lane
        self.keeper = keeper
        self.section = section
        self._failed = failed
        writes = RecentWrites()
        self._reading = Reading(lane, writes)
        self._writing = Writing(lane, writes)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for work in (self._reading.run(), self._writing.run(), self.keeper.run(), self._park_when_away()):
            self._spawn(work)

    async def close(self) -> None:
        """Calls in flight end, nothing new is begun, the system is let go."""
        drained = asyncio.gather(self._reading.drained(), self._writing.drained())
        try:
            await asyncio.wait_for(drained, DRAIN_S)
        except TimeoutError:
            log.warning("%s: calls in flight did not end within %.0f s", self.lane.integration, DRAIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.lane.account.close()

    async def notification(self, record: Notification, cause: Cause, finished: Callable[[], None]) -> None:
        await self._reading.notified(record, cause, finished)

    def request(self, record: Request, cause: Cause, finished: Callable[[], None]) -> None:
        if record.kind == "crawl":
            self._spawn(crawl(self.lane, record, record.caused_by or cause, finished))
        else:
            self._reading.requested(record, record.caused_by or cause, finished)

    async def patch(self, record: FieldPatch, finished: Callable[[], None]) -> None:
        await self._writing.take(record, finished)

    async def _park_when_away(self) -> None:
        """A paused integration, or a system that is away, keeps nothing waiting here."""
        while True:
            await self.lane.changed.wait()
            if not self.lane.active or not self.lane.works:
                await self._writing.park_all()
            await asyncio.sleep(0.1)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failed(task.exception() or RuntimeError("ended"))
