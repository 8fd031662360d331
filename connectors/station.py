"""All that works for one integration in one connector: its lane, its reading, writing, crawling and keeping."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from connectors.crawling import crawl
from connectors.echoes import RecentWrites
from connectors.kafka.member import Taken
from connectors.keeping import Keeper
from connectors.lane import Lane
from connectors.reading import Reading
from connectors.writing import Writing
from schemas.configuration import SystemSettings
from schemas.records import Cause, FieldPatch, Notification, Request

log = logging.getLogger(__name__)

DRAIN_S = 6.0
LOOK_S = 2.0


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
        self._unfinished: dict[tuple[str, int, int], tuple[Taken, Any]] = {}

    def start(self) -> None:
        for work in (self._reading.run(), self._writing.run(), self.keeper.run(), self._follow_status()):
            self._spawn(work)

    def tracked(self, taken: Taken, record: Any) -> Taken:
        """The same, remembered until it is finished."""
        place = (taken.topic, taken.partition, taken.offset)
        self._unfinished[place] = (taken, record)

        def ended() -> None:
            self._unfinished.pop(place, None)
            taken.finished()

        return replace(taken, finished=ended)

    async def close(self) -> list[tuple[Taken, Any]]:
        """Calls in flight end, nothing new is begun, the system is let go; the records that are not finished."""
        self.lane.closing = True
        drained = asyncio.gather(self._reading.drained(), self._writing.drained())
        try:
            await asyncio.wait_for(drained, DRAIN_S)
        except TimeoutError:
            log.warning("%s: calls in flight did not end within %.0f s", self.lane.integration, DRAIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.lane.account.close()
        return list(self._unfinished.values())

    async def notification(self, record: Notification, cause: Cause, finished: Callable[[], None]) -> None:
        await self._reading.notified(record, cause, finished)

    def request(self, record: Request, cause: Cause, finished: Callable[[], None]) -> None:
        if record.kind == "crawl":
            self._spawn(crawl(self.lane, record, record.caused_by or cause, finished))
        else:
            self._reading.requested(record, record.caused_by or cause, finished)

    async def patch(self, record: FieldPatch, finished: Callable[[], None]) -> None:
        await self._writing.take(record, finished)

    async def _follow_status(self) -> None:
        """A paused integration, or a system that is away, keeps no patch waiting here; one that is back is read."""
        while True:
            if self.lane.away and not self.lane.closing:
                await self._writing.park_all()
            if self.lane.works:
                self._reading.wake()
            # the keeper clears the event as it pleases, so the time says too when to look
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.lane.changed.wait(), LOOK_S)
            await asyncio.sleep(0.1)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failed(task.exception() or RuntimeError("ended"))
