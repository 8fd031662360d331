"""Fan-out: a changed object reaches all objects that show fields of it, a company's new name all its contacts.

An object has one fan-out at a time; its news that come meanwhile join it. Small fan-outs are published as live changes,
big ones as bulk, a page of each in turn. Fan-outs are not stored: after a crash the notification is handled again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from connectors.contract.associations import AssociatedFields, AssociatedSource, ReaderIdsPage
from connectors.contract.errors import ConnectorError, Refused
from connectors.contract.source import AssociatedNews, ReadPurpose
from connectors.http.meter import Meter
from connectors.http.paging import PagingProgress
from connectors.inbound.persistence import read_persistently
from connectors.inbound.run_requests import OwedRuns
from connectors.session.context import IntegrationContext, ObservedObject
from schemas.records import Cause, ConnectorRequest, StampedValue, StateCommand
from schemas.spent import with_spent
from schemas.topics import requests_topic

log = logging.getLogger(__name__)

T = TypeVar("T")
Finished = Callable[[], None]
_Gone = tuple[AssociatedNews, Cause, Finished]

LIVE_RECORDS: Final = 100  # a fan-out to more is bulk
LIVE_FAN_OUTS: Final = 20  # if more wait at once, each is bulk
BEGUN_AT_ONCE: Final = 4
SLICE: Final = 100  # records published, or ids asked for, at once
MOST_WAITING: Final = 1_000  # while the system is away; were there more, the types that show them are crawled
MOST_GONE: Final = 500  # ids in one command: every object's state is looked through for it
GONE_AGAIN_S: Final = 3.0  # a read published just before may reach the agents after the first command


@dataclass(frozen=True, slots=True)
class _ReaderPage:
    """Ids of objects that may show the object and were not reached yet; `cursor`: where the list goes on."""

    by_type: str
    ids: Sequence[str]
    cursor: str | None


@dataclass(slots=True, eq=False)
class _FanOut:
    """One object whose fields others show."""

    object_type: str
    object_id: str
    first_cause: Cause
    finished: Finished
    meter: Meter  # of its reads
    notified: dict[str, StampedValue] = field(default_factory=dict)  # newest value of each field in its notifications
    back: bool = False  # the object was away: objects that show it are read, for no list of their fields is complete
    newer: bool = False  # news came since the object was last read
    once_more: bool = False  # news came since the list of objects that show it was begun
    shown: Mapping[str, AssociatedFields] = field(default_factory=dict)
    pages: deque[_ReaderPage] = field(default_factory=deque)
    progress: dict[str, PagingProgress] = field(default_factory=dict)  # by type, of its list

    @property
    def caused_by(self) -> Cause:
        """The first cause, and what its reads waited for."""
        spent = self.meter.spent()
        return with_spent(self.first_cause, read_s=spent.system_s, budget_s=spent.budget_s)

    def add(self, news: AssociatedNews) -> None:
        self.back = self.back or news.kind == "back"
        self.newer = True
        for name, value in news.fields.items():
            if name not in self.notified or value.at_ms >= self.notified[name].at_ms:
                self.notified[name] = value


class FanOuts:
    """All fan-outs of an integration. `command` puts work on the state of every partition."""

    def __init__(
        self, context: IntegrationContext, source: AssociatedSource, command: Callable[[StateCommand], Awaitable[None]]
    ) -> None:
        self._context = context
        self._source = source
        self._command = command
        self._known: dict[tuple[str, str], _FanOut] = {}
        self._waiting: deque[_FanOut] = deque()
        self._big: deque[_FanOut] = deque()
        self._gone: list[_Gone] = []
        self._owed = OwedRuns(context)  # runs of types that show objects whose news were let go
        self._queued = asyncio.Condition()

    async def take(self, news: AssociatedNews, cause: Cause, finished: Finished) -> None:
        """Queue news of an object; if a fan-out for it is queued, merge the news and finish this record now.

        The earlier, unfinished record holds the partition's offset back, so a crash replays both.
        """
        async with self._queued:
            if news.kind == "gone":
                self._context.shown.end((self._source.id_field(news.object_type), news.object_id), news.at_ms)
                self._gone.append((news, cause, finished))
            else:
                await self._add(news, cause, finished)
            self._queued.notify_all()

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(*(self._begin_each() for _ in range(BEGUN_AT_ONCE)), self._go_on(), self._reread_gone())

    async def _add(self, news: AssociatedNews, cause: Cause, finished: Finished) -> None:
        key = (news.object_type, news.object_id)
        fan_out = self._known.get(key)
        if fan_out is None and not self._context.state.works and len(self._known) >= MOST_WAITING:
            for object_type in self._source.shown_by(news.object_type):
                await self._owed.owe(object_type)
            finished()
            return
        if fan_out is None:
            fan_out = self._known[key] = _FanOut(*key, cause, finished, Meter(self._context.clock.monotonic))
            self._waiting.append(fan_out)
        else:
            finished()
        fan_out.add(news)

    async def _begin_each(self) -> None:
        while True:
            fan_out = await self._next(self._waiting)
            await self._begin(fan_out)

    async def _begin(self, fan_out: _FanOut) -> None:
        """Publish a small fan-out at once; a big one waits for its turn."""
        await self._open(fan_out, "live_read")
        self._owed.begin_anew()
        few = sum(len(page.ids) for page in fan_out.pages) <= LIVE_RECORDS
        if not few or any(page.cursor for page in fan_out.pages) or len(self._waiting) > LIVE_FAN_OUTS:
            await self._put(self._big, fan_out)
            return
        while fan_out.pages:
            await self._publish(fan_out, fan_out.pages.popleft(), bulk=False)
        if fan_out.newer:
            await self._put(self._waiting, fan_out)
        else:
            self._end(fan_out)

    async def _go_on(self) -> None:
        """Publish the big fan-outs, a page of each in turn."""
        while True:
            fan_out = await self._next(self._big)
            if fan_out.newer:
                await self._read(fan_out, "bulk_read")
                fan_out.once_more = True
            if fan_out.pages:
                await self._next_page(fan_out, fan_out.pages.popleft())
            while not fan_out.pages and (fan_out.once_more or fan_out.newer):
                await self._open(fan_out, "bulk_read")
            if fan_out.pages:
                await self._put(self._big, fan_out)
            else:
                self._end(fan_out)

    async def _next_page(self, fan_out: _FanOut, page: _ReaderPage) -> None:
        await self._publish(fan_out, page, bulk=True)
        if page.cursor is not None:
            fan_out.pages.append(await self._list(fan_out, page.by_type, page.cursor, "bulk_read"))

    async def _open(self, fan_out: _FanOut, purpose: ReadPurpose) -> None:
        """Read the fields that others show of the object, then the first page of each type that shows them."""
        await self._read(fan_out, purpose)
        fan_out.once_more = False
        fan_out.progress.clear()
        fan_out.pages = deque([await self._list(fan_out, by_type, None, purpose) for by_type in fan_out.shown])

    async def _read(self, fan_out: _FanOut, purpose: ReadPurpose) -> None:
        fan_out.newer = False
        place, notified = (fan_out.object_type, fan_out.object_id), dict(fan_out.notified)
        nothing: Sequence[AssociatedFields] = ()
        answers = await self._answer(fan_out, lambda: self._source.shown(*place, notified, purpose), nothing)
        fan_out.shown = {shown.object_type: shown for shown in answers}
        for shown in answers:
            self._context.shown.update((self._source.id_field(fan_out.object_type), fan_out.object_id), shown.fields)

    async def _list(self, fan_out: _FanOut, by_type: str, cursor: str | None, purpose: ReadPurpose) -> _ReaderPage:
        place = (fan_out.object_type, fan_out.object_id, by_type, cursor)
        page = await self._answer(fan_out, lambda: self._source.showing(*place, purpose), None)
        if page is None:
            return _ReaderPage(by_type, (), None)
        return _ReaderPage(by_type, page.ids, await self._unless_circling(fan_out, by_type, page))

    async def _unless_circling(self, fan_out: _FanOut, by_type: str, page: ReaderIdsPage) -> str | None:
        """The cursor where the list goes on; None where it brings nothing new, which is an error of the system's."""
        reason = fan_out.progress.setdefault(by_type, PagingProgress()).turn(
            page.ids[0] if page.ids else None, page.cursor
        )
        if reason is None or page.cursor is None:
            return page.cursor
        log.warning("%s: a list of associated %s brings nothing new (%s)", self._context.integration, by_type, reason)
        error = Refused(reason)
        await self._context.unreadable(fan_out.object_type, fan_out.object_id, error, fan_out.caused_by)
        return None

    async def _publish(self, fan_out: _FanOut, page: _ReaderPage, *, bulk: bool) -> None:
        for start in range(0, len(page.ids), SLICE):
            ids = page.ids[start : start + SLICE]
            if bulk:
                await self._context.bulk_credit(len(ids))
            if fan_out.back:
                await self._ask(fan_out, page.by_type, ids, bulk=bulk)
            elif page.by_type in fan_out.shown:
                change = self._change(fan_out, fan_out.shown[page.by_type], bulk=bulk)
                await self._context.observed_all(replace(change, object_id=one) for one in ids)

    def _change(self, fan_out: _FanOut, shown: AssociatedFields, *, bulk: bool) -> ObservedObject:
        return ObservedObject(
            shown.object_type,
            "",  # of each that shows it
            "upserted",
            shown.at_ms,
            shown.spread_ms,
            "webhook",
            dict(shown.fields),
            bulk=bulk,
            caused_by=fan_out.caused_by,
            given={self._source.id_field(fan_out.object_type): fan_out.object_id},
        )

    async def _ask(self, fan_out: _FanOut, object_type: str, ids: Sequence[str], *, bulk: bool) -> None:
        context = self._context
        request = ConnectorRequest(
            context.integration,
            context.connection,
            kind="reread",
            object_type=object_type,
            values=tuple(ids),
            caused_by=fan_out.caused_by,
            bulk=bulk,
        )
        await context.publish(requests_topic(context.system), context.integration, request)

    async def _reread_gone(self) -> None:
        """Read all objects again that are known to show one that is gone: the system has no list of them any more."""
        while True:
            async with self._queued:
                await self._queued.wait_for(lambda: self._gone)
                batch, self._gone = self._gone[:MOST_GONE], self._gone[MOST_GONE:]
            await self._read_again(batch)
            await self._context.clock.sleep(GONE_AGAIN_S)
            await self._read_again(batch)
            for _, _, finished in batch:
                finished()

    async def _read_again(self, gone: Sequence[_Gone]) -> None:
        for object_type in {news.object_type for news, _, _ in gone}:
            ids = tuple({news.object_id: None for news, _, _ in gone if news.object_type == object_type})
            await self._command(self._reread(self._source.id_field(object_type), ids, gone[0][1]))

    def _reread(self, id_field: str, ids: tuple[str, ...], cause: Cause) -> StateCommand:
        context = self._context
        return StateCommand(
            context.integration,
            context.connection,
            stage="objects",
            kind="reread",
            where={id_field: ids},
            caused_by=cause,
        )

    async def _next(self, queue: deque[_FanOut]) -> _FanOut:
        async with self._queued:
            await self._queued.wait_for(lambda: queue)
            return queue.popleft()

    async def _put(self, queue: deque[_FanOut], fan_out: _FanOut) -> None:
        async with self._queued:
            queue.append(fan_out)
            self._queued.notify_all()

    def _end(self, fan_out: _FanOut) -> None:
        del self._known[fan_out.object_type, fan_out.object_id]
        fan_out.finished()

    async def _answer(self, fan_out: _FanOut, ask: Callable[[], Awaitable[T]], nothing: T) -> T:
        """The answer, however long the system is away; `nothing` where it refuses, or answers everything but this."""
        try:
            with fan_out.meter.measuring():
                return await read_persistently(self._context, ask, fan_out.object_type)
        except ConnectorError as error:
            log.warning("%s: the fields others show of an object cannot be read: %s", self._context.integration, error)
            await self._context.unreadable(fan_out.object_type, fan_out.object_id, error, fan_out.caused_by)
            return nothing
