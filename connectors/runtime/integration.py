"""The worker of one integration in one connector: hands each record to the half that reads, writes or crawls."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from connectors.contract.account import Account
from connectors.contract.catalog import fields_of
from connectors.contract.errors import ConnectorError, Refused, Retryable
from connectors.contract.sink import OwnershipLost
from connectors.inbound.crawl import crawl
from connectors.inbound.fan_out import FanOuts
from connectors.inbound.lookups import Lookups
from connectors.inbound.notifications import NotificationReader
from connectors.inbound.pulling import Pulling
from connectors.inbound.run_parts import AskedTally, tell_total
from connectors.kafka.consumer import Taken
from connectors.outbound.event_writer import EventWriter
from connectors.outbound.patch_writer import PatchWriter
from connectors.runtime.dead_letters import DeadLetters
from connectors.runtime.monitor import ConnectionMonitor
from connectors.runtime.state_report import StateReport
from connectors.session.context import IntegrationContext
from connectors.session.echoes import RecentWrites
from connectors.session.wall import ENDS_PROCESS, contained
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
from schemas.runs import revisions_in
from schemas.vitals import BudgetVitals

log = logging.getLogger(__name__)

DRAIN_S: Final = 6.0
CANCEL_S: Final = 2.0
WITHDRAW_S: Final = 0.6
"""After a disconnect no request begins later than that: with what the news of it took to get here, within a second."""
Leave = Literal["connected", "withdrawn", "given up"]
"""How a worker leaves its system: as it is, for the next worker; without its webhooks; without its access too."""
WITHDRAW_AGAIN_S: Final = 0.1
WITHDRAWN: Final = "done"
UNFINISHED: Final = "timed_out"


@dataclass(frozen=True, slots=True)
class WorkerDeps:
    """The parts that a worker is given besides its integration."""

    report: StateReport
    command: Callable[[StateCommand], Awaitable[None]]  # work on the state of every partition
    letters: DeadLetters
    failed: Callable[[BaseException], None]  # the process has to end
    broken: Callable[[BaseException], None]  # the worker can go on no longer
    open_again: Callable[[], Awaitable[Account]]  # the account with connections and limits of its own
    pulling: Pulling | None = None  # where the system is asked for its news


Unseal = Callable[[bytes, str], str]
"""A seal and the name of its secret -> the text."""


class IntegrationWorker:
    """Takes the records of one integration; each is finished once it has an outcome."""

    def __init__(
        self, context: IntegrationContext, monitor: ConnectionMonitor, section: SystemSettings, deps: WorkerDeps
    ) -> None:
        self.connection = context.connection
        self._context = context
        self._monitor = monitor
        self._section = section
        self._deps = deps
        writes = RecentWrites()
        source, timeline = context.account.associated, context.account.timeline
        self._fan_outs = FanOuts(context, source, deps.command) if source is not None else None
        tally = AskedTally(context)
        self._reader = NotificationReader(context, writes, self._fan_outs, tally)
        self._patches = PatchWriter(context, writes)
        self._events = EventWriter(context, timeline) if timeline is not None else None
        self._renewed_by: tuple[IntegrationSettings, Inquiry | None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lookups = Lookups(context, self._spawn, tally)
        self._parts: set[tuple[str, str, str]] = set()  # crawls and counts under way: run, kind, object type
        self._unfinished: dict[tuple[str, int, int], tuple[Taken, Any]] = {}

    def start(self) -> None:
        for work in (self._reader.run(), self._patches.run(), self._monitor.run(), self._park_when_away()):
            self._spawn(work)
        if self._events is not None:
            self._spawn(self._events.run())
        if self._fan_outs is not None:
            self._spawn(self._fan_outs.run())
        if self._deps.pulling is not None:
            self._spawn(self._deps.pulling.run())

    def refresh(
        self, settings: IntegrationSettings, mappings: Sequence[ObjectMapping], inquiry: Inquiry | None
    ) -> None:
        """Take over the configuration: active or paused, the mappings in force, an inquiry to be answered."""
        context = self._context
        self._section = settings.section(context.system)  # `fits` said so: new seals need not be opened again
        context.catalog.replace(*fields_of(context.system, mappings))
        context.catalog.stream(settings.events)
        if (settings, inquiry) != self._renewed_by:
            self._renewed_by = (settings, inquiry)
            context.state.renew(settings.active_revision, active=settings.state == "active")

    def fits(self, connection: int, section: SystemSettings, unseal: Unseal) -> bool:
        """Whether the worker has that account and those credentials; an apply seals even unchanged secrets anew."""
        if connection != self.connection:
            return False
        if replace(section, fields={}, secrets={}) != replace(self._section, fields={}, secrets={}):
            return False
        if section.secrets == self._section.secrets:
            return True
        try:
            return _opened(section, unseal) == _opened(self._section, unseal)
        except ConnectorError:
            return False  # no key opens one of them: the attempt to open a new worker says so

    @property
    def account(self) -> Account:
        """What it works with."""
        return self._context.account

    @property
    def settings(self) -> IntegrationSettings | None:
        """Those it has taken over; the newest may be of other credentials, for which another worker is opened."""
        return self._renewed_by[0] if self._renewed_by is not None else None

    @property
    def works(self) -> bool:
        """Whether the system takes requests of it."""
        return self._context.state.works

    def budgets(self) -> tuple[BudgetVitals, ...]:
        """The limits of its account, for the vital signs."""
        return self._context.account.budgets()

    async def take(self, taken: Taken, record: Any) -> None:
        """Take one record; it stays unfinished until it has an outcome, whoever has the integration then."""
        if getattr(record, "connection", self.connection) != self.connection:
            return self._deps.letters.disconnected(taken)
        taken = self._tracked(taken, record)
        cause = Cause(taken.topic, taken.partition, taken.offset, self._context.now_ms())
        try:
            await contained(self._dispatch(taken, record, cause))
        except Refused as error:
            await self._deps.letters.bury(taken, error.reason, str(error), record)

    async def _dispatch(self, taken: Taken, record: Any, cause: Cause) -> None:
        match record:
            case Notification():
                cause = replace(cause, at_ms=record.received_at_ms)
                await self._reader.take(record, cause, taken)
            case FieldPatch():
                await self._patches.take(record, taken.finished)
            case TimelineEvent() if self._events is not None:
                await self._events.take(record, taken)
            case ConnectorRequest(kind="crawl" | "count"):
                self._begin_part(record, record.caused_by or cause, taken)
            case ConnectorRequest(kind="whole"):
                began_ms = (record.caused_by or cause).at_ms
                await self._deps.report.keep_whole(record.object_type, revisions_in(record.values), began_ms)
                taken.finished()
            case ConnectorRequest(kind="lookup"):
                self._lookups.take(record, record.caused_by or cause, taken.finished)
            case ConnectorRequest(kind="erase"):
                self._patches.erase(record.mapping or "", record.object_type, record.values)
                # they live on in the system: whoever comes in place of their partners has to ask for them
                await self._deps.report.forget_whole(record.object_type, self._context.now_ms())
                taken.finished()
            case ConnectorRequest(kind="reread"):
                self._reader.reread(record, record.caused_by or cause, taken.finished)
            case _:
                raise TypeError(
                    f"{taken.topic} carries a {type(record).__name__}, which {self._context.system} has no use for"
                )

    def close(self, leave: Leave = "connected") -> "asyncio.Task[list[tuple[Taken, Any]]]":
        """Begin nothing new from now on; the task ends with the unfinished records, after all calls in flight.

        Unless "connected", the connection is over: no request leaves any more but those that withdraw from the system.
        It is the last moment at which its credentials are known.
        """
        self._context.state.close()
        if leave == "connected":
            return asyncio.create_task(self._close())
        self._context.account.stop()
        return asyncio.create_task(self._leave(leave))

    async def dismiss(self) -> None:
        """Let go of the account of a worker that was never started."""
        await self._context.account.close()

    async def _leave(self, leave: Leave) -> list[tuple[Taken, Any]]:
        """Withdraw from the system, whatever was under way; its answers matter to nobody any more."""
        withdrawal = asyncio.create_task(self._withdraw(leave))
        await self._cancel()
        await withdrawal
        return await self._closed()

    async def _close(self) -> list[tuple[Taken, Any]]:
        drains = [self._reader.drained(), self._patches.drained()]
        if self._events is not None:
            drains.append(self._events.drained())
        try:
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*drains)
        except TimeoutError:
            log.warning("%s: calls in flight did not end within %.0f s", self._context.integration, DRAIN_S)
        await self._cancel()
        return await self._closed()

    async def _closed(self) -> list[tuple[Taken, Any]]:
        try:
            await contained(self._context.account.close())
        except Refused as error:
            log.warning("%s: %s was not closed: %s", self._context.integration, self._context.system, error)
        return list(self._unfinished.values())

    def _tracked(self, taken: Taken, record: Any) -> Taken:
        """The same record, remembered until it is finished."""
        place = (taken.topic, taken.partition, taken.offset)
        self._unfinished[place] = (taken, record)

        def finished() -> None:
            self._unfinished.pop(place, None)
            taken.finished()

        return replace(taken, finished=finished)

    async def _cancel(self) -> None:
        """Cancel every task; one that does not end would hold up other integrations, so the process ends instead."""
        for task in self._tasks:
            task.cancel()
        left = (await asyncio.wait(self._tasks, timeout=CANCEL_S))[1] if self._tasks else ()
        for task in left:
            self._deps.failed(
                RuntimeError(f"{self._context.integration}: {task.get_coro()} does not end when cancelled")
            )

    async def _withdraw(self, leave: Leave) -> None:
        """Remove the webhook subscription and give up the grant; what a system that is away leaves is told.

        On connections and limits of its own: those of the worker may be taken by calls that hang.
        """
        name, system, reason = self._context.integration, self._context.system, WITHDRAWN
        try:
            account = await contained(self._deps.open_again())
            try:
                async with asyncio.timeout(WITHDRAW_S):
                    await self._again_while_busy(account.setup.withdraw)
                    if leave == "given up":
                        await self._again_while_busy(account.setup.give_up)
            finally:
                account.stop()
                await contained(account.close())
        except (ConnectorError, OwnershipLost, TimeoutError) as error:
            reason = error.reason if isinstance(error, ConnectorError) else UNFINISHED
            log.warning("%s: not withdrawn from %s: %s", name, system, reason)
        await self._deps.report.keep_withdrawn(reason)

    async def _again_while_busy(self, work: Callable[[], Awaitable[None]]) -> None:
        """Again at once where the system is busy: what was queued for it took its last free places."""
        while True:
            try:
                return await contained(work())
            except Retryable as error:
                log.info("%s: %s: %s", self._context.integration, self._context.system, error)
            await self._context.clock.sleep(WITHDRAW_AGAIN_S)

    def _begin_part(self, record: ConnectorRequest, cause: Cause, taken: Taken) -> None:
        """Begin a part of a full sync, unless it is under way.

        Its request ends at once, so that it holds no other integration's offsets back; its coordinator asks again
        where the part's row shows no sign of life.
        """
        part = (record.run_id or "", record.kind, record.object_type)
        if part not in self._parts:
            self._parts.add(part)
            self._spawn(self._part(part, record, cause, taken))
        taken.finished()

    async def _part(self, part: tuple[str, str, str], record: ConnectorRequest, cause: Cause, taken: Taken) -> None:
        self._monitor.describe_again()
        try:
            if record.kind == "count":
                await tell_total(self._context, record)
            else:
                await contained(crawl(self._context, record, cause))
        except Refused as error:
            await self._deps.letters.bury(taken, error.reason, str(error), record)
        finally:
            self._parts.discard(part)

    async def _park_when_away(self) -> None:
        """Park the waiting patches and events whenever the system goes away."""
        changes = self._context.state.changes
        while True:
            version = changes.version
            await self._patches.park_if_away()
            if self._events is not None:
                await self._events.park_if_away()
            await changes.wait_after(version)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ENDS_PROCESS):
            self._deps.failed(error)
        elif error is not None and not self._context.state.closing:
            self._deps.broken(error)


def _opened(section: SystemSettings, unseal: Unseal) -> dict[str, str]:
    return {name: unseal(sealed, name) for name, sealed in section.secrets.items()}
