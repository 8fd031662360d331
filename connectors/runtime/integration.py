"""All that works for one integration in one connector: reading, writing, crawling and monitoring."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from connectors.clock import set_within
from connectors.contract.catalog import fields_of
from connectors.contract.errors import ConnectorError
from connectors.inbound.crawl import crawl, unseen
from connectors.inbound.fan_out import FanOuts
from connectors.inbound.lookups import Lookups
from connectors.inbound.notifications import NotificationReader
from connectors.kafka.consumer import Taken
from connectors.outbound.event_writer import EventWriter
from connectors.outbound.patch_writer import PatchWriter
from connectors.runtime.monitor import ConnectionMonitor
from connectors.session.context import IntegrationContext
from connectors.session.echoes import RecentWrites
from schemas.configuration import Inquiry, IntegrationSettings, SystemSettings
from schemas.records import (
    Cause,
    ConnectorRequest,
    FieldPatch,
    Notification,
    ObjectMapping,
    StateCommand,
    TimelineEvent,
)

log = logging.getLogger(__name__)

DRAIN_S = 6.0
CANCEL_S = 2.0
WITHDRAW_S = 4.0
CHECK_EVERY_S = 2.0

Unseal = Callable[[bytes, str], str]
"""A seal and the name of its secret -> the text."""


class IntegrationWorker:
    """Takes the records of one integration; every one of them calls `finished` once it has an outcome."""

    def __init__(
        self,
        context: IntegrationContext,
        monitor: ConnectionMonitor,
        section: SystemSettings,
        command: Callable[[StateCommand], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.context = context
        self.monitor = monitor
        self.section = section
        self._command = command
        self._failed = failed
        writes = RecentWrites()
        source = context.account.associated
        self._fan_outs = FanOuts(context, source, command) if source is not None else None
        self._reading = NotificationReader(context, writes, self._fan_outs)
        self._writing = PatchWriter(context, writes)
        self._posting = EventWriter(context, context.account.timeline) if context.account.timeline is not None else None
        self._told: tuple[IntegrationSettings, Inquiry | None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lookups = Lookups(context, self._spawn)
        self._unfinished: dict[tuple[str, int, int], tuple[Taken, Any]] = {}

    def start(self) -> None:
        for work in (self._reading.run(), self._writing.run(), self.monitor.run(), self._follow_status()):
            self._spawn(work)
        if self._posting is not None:
            self._spawn(self._posting.run())
        if self._fan_outs is not None:
            self._spawn(self._fan_outs.run())

    def refresh(
        self, settings: IntegrationSettings, mappings: Sequence[ObjectMapping], inquiry: Inquiry | None
    ) -> None:
        """Take over what changed: active or paused, the mappings in force, what somebody wants to know."""
        context = self.context
        self.section = settings.section(context.system)  # it fits; its seals may be new, and need not be opened again
        context.revision = settings.active_revision
        context.active = settings.state == "active"
        context.catalog.replace(*fields_of(context.system, mappings))
        context.catalog.stream(settings.events)
        if (settings, inquiry) != self._told:
            self._told = (settings, inquiry)
            context.changed.set()
            context.renewed.set()

    def fits(self, connection: int, section: SystemSettings, unseal: Unseal) -> bool:
        """Whether it speaks for that account with those credentials; an apply seals again even what did not change."""
        if connection != self.context.connection:
            return False
        if replace(section, fields={}, secrets={}) != replace(self.section, fields={}, secrets={}):
            return False
        if section.secrets == self.section.secrets:
            return True
        try:
            return _opened(section, unseal) == _opened(self.section, unseal)
        except ConnectorError:
            return False  # no key opens one of them: the attempt to open a new worker says so

    def tracked(self, taken: Taken, record: Any) -> Taken:
        """The same, remembered until it is finished."""
        place = (taken.topic, taken.partition, taken.offset)
        self._unfinished[place] = (taken, record)

        def ended() -> None:
            self._unfinished.pop(place, None)
            taken.finished()

        return replace(taken, finished=ended)

    async def close(self, *, withdraw: bool = False) -> list[tuple[Taken, Any]]:
        """Calls in flight end, nothing new is begun, the system is let go; the records that are not finished.

        With `withdraw` the connection is over: it is the last moment at which its credentials are known.
        """
        self.context.closing = True
        drains = [self._reading.drained(), self._writing.drained()]
        if self._posting is not None:
            drains.append(self._posting.drained())
        try:
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*drains)
        except TimeoutError:
            log.warning("%s: calls in flight did not end within %.0f s", self.context.integration, DRAIN_S)
        await self._cancel()
        if withdraw:
            await self._withdraw()
        await self.context.account.close()
        return list(self._unfinished.values())

    async def _cancel(self) -> None:
        """Every task ends now; one that does not would hold up the other integrations too: the process ends instead."""
        for task in self._tasks:
            task.cancel()
        left = (await asyncio.wait(self._tasks, timeout=CANCEL_S))[1] if self._tasks else ()
        for task in left:
            self._failed(RuntimeError(f"{self.context.integration}: {task.get_coro()} does not end when cancelled"))

    async def _withdraw(self) -> None:
        name, system = self.context.integration, self.context.system
        try:
            async with asyncio.timeout(WITHDRAW_S):
                await self.context.account.setup.withdraw()
        except (ConnectorError, TimeoutError) as error:
            log.warning("%s: its webhook subscription is left in %s: %s", name, system, error or type(error).__name__)

    async def notification(self, record: Notification, cause: Cause, finished: Callable[[], None]) -> None:
        await self._reading.notified(record, cause, finished)

    def request(self, record: ConnectorRequest, cause: Cause, finished: Callable[[], None]) -> None:
        cause = record.caused_by or cause
        match record.kind:
            case "crawl":
                self._spawn(self._crawl(record, cause, finished))
            case "lookup":
                self._lookups.requested(record, cause, finished)
            case "reread":
                self._reading.requested(record, cause, finished)

    async def patch(self, record: FieldPatch, finished: Callable[[], None]) -> None:
        await self._writing.take(record, finished)

    async def event(self, record: TimelineEvent, taken: Taken) -> None:
        """Raises ValueError where the system has no timelines: nothing of that kind is ever sent to it."""
        if self._posting is None:
            raise ValueError(f"{self.context.system} has no timelines")
        await self._posting.take(record, taken)

    async def _crawl(self, record: ConnectorRequest, cause: Cause, finished: Callable[[], None]) -> None:
        async def completed(object_type: str) -> None:
            await self.monitor.keep_crawled(object_type)
            await self._command(unseen(self.context, record, cause))

        self.monitor.describe_again()
        await crawl(self.context, record, cause, completed)
        finished()

    async def _follow_status(self) -> None:
        """Where nothing is to be written, no patch and no event waits here; a system that is back is read."""
        while True:
            if self.context.away and not self.context.closing:
                await self._writing.park_all()
                if self._posting is not None:
                    await self._posting.park_all()
            if self.context.works:
                self._reading.wake()
            # the monitor clears the event as it pleases, so the time says too when to look
            await set_within(self.context.changed, CHECK_EVERY_S)
            await asyncio.sleep(0.1)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failed(task.exception() or RuntimeError("ended"))


def _opened(section: SystemSettings, unseal: Unseal) -> dict[str, str]:
    return {name: unseal(sealed, name) for name, sealed in section.secrets.items()}
