"""A crawl: a whole object type read page by page and published as bulk, its progress on `sync.runs`.

Its cursor stands there too: whoever has the integration after a kill goes on at the page that was not told yet.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from connectors.contract.errors import CURSOR_GONE, ConnectorError, Refused
from connectors.contract.source import ObjectPage
from connectors.http.calls_made import CallsMade, counting_calls
from connectors.http.meter import Meter
from connectors.http.paging import PagingProgress
from connectors.inbound.persistence import read_persistently
from connectors.inbound.run_parts import is_over, keep_part, part_row
from connectors.session.context import IntegrationContext, seen
from connectors.session.wall import contained
from schemas.records import Cause, ConnectorRequest
from schemas.runs import RunState
from schemas.spent import with_spent

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_BEGINNINGS: Final = 3  # the object that names the next page may be deleted just then: the crawl begins again
PAGES_AHEAD: Final = 3  # read while one is published: credit comes free for several at once
HEARTBEAT_S: Final = 5.0
ENDED: Final = frozenset({"completed", "failed", "stopped"})
CURSOR_LAPSED: Final = "cursor_lapsed"
"""Reason on the row of a crawl that began anew: the place where it stood is not known any more."""


class _Ended(Exception):
    """The crawl cannot be completed; the reason is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Lapsed(Exception):
    """The cursor leads nowhere: the type is to be read anew."""


async def crawl(context: IntegrationContext, request: ConnectorRequest, cause: Cause) -> bool:
    """Read every object of the request's type; what ends it early stands on `sync.runs` with its reason.

    A part that has ended is left alone, and one that was cut off goes on where it stood. Returns whether it was read
    to its end.
    """
    meter = Meter(context.clock.monotonic)
    with counting_calls() as made, meter.measuring():
        return await _Crawl(context, request, cause, made, meter).run()


class _Crawl:
    """One crawl under way; its row is what a later process goes on with."""

    def __init__(
        self, context: IntegrationContext, request: ConnectorRequest, cause: Cause, made: CallsMade, meter: Meter
    ) -> None:
        self._context = context
        self._run_id = request.run_id or ""
        self._object_type = request.object_type
        self._cause = cause
        self._made = made
        self._meter = meter
        self._row = part_row(context, self._run_id, f"{context.system}.{request.object_type}")
        self._calls_before = self._row.calls
        self._note: str | None = None

    async def run(self) -> bool:
        if self._row.state in ENDED:
            return False
        await self._tell("running")
        try:
            await contained(self._read_or_end())
        except Refused as error:  # our own code raised: the run must not wait for the part
            await self._tell("failed", error.reason)
            raise
        return self._row.state == "completed"

    async def _read_or_end(self) -> None:
        try:
            await self._read()
        except _Ended as end:
            await self._tell("failed", end.reason)

    async def _read(self) -> None:
        pages = _Pages(self._context, self._object_type, resumed=self._row.cursor is not None)
        try:
            await self._read_on(pages)
        finally:
            await pages.let_go()

    async def _read_on(self, pages: "_Pages") -> None:
        while not is_over(self._context, self._run_id):
            try:
                page = await self._beating(pages.after(self._row.cursor))
            except _Lapsed:
                self._note = CURSOR_LAPSED
                self._row = replace(self._row, read=0, cursor=None)
                continue
            pages.read_ahead(page.cursor)
            await self._beating(self._publish(page))
            self._row = replace(self._row, read=self._row.read + len(page.objects), cursor=page.cursor)
            if page.cursor is None:
                return await self._tell("completed", self._note)
            await self._tell("running")
        await self._tell("stopped")

    async def _publish(self, page: ObjectPage) -> None:
        await self._context.bulk_credit(len(page.objects))
        spent = self._meter.spent()
        cause = with_spent(self._cause, read_s=spent.system_s, budget_s=spent.budget_s)
        await self._context.observed_all(
            seen(self._object_type, one, "crawl", self._run_id, True, cause) for one in page.objects
        )

    async def _beating(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of the work; while it takes long the row shows a sign of life, and what holds it up."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=HEARTBEAT_S))[0]:
                await self._tell("running")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _tell(self, state: RunState, reason: str | None = None) -> None:
        calls = self._calls_before + self._made.calls
        told = reason or self._context.state.reason or self._note
        self._row = replace(self._row, state=state, calls=calls, updated_at_ms=self._context.now_ms(), reason=told)
        await keep_part(self._context, self._row)


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A page that was read before it was wanted, and the cursor that it was asked for with."""

    cursor: str
    page: ObjectPage


class _Pages:
    """The pages of one crawl, each tried for as long as that may help."""

    def __init__(self, context: IntegrationContext, object_type: str, *, resumed: bool) -> None:
        self._context = context
        self._object_type = object_type
        self._progress = PagingProgress()
        self._beginnings = 1
        self._resumed = resumed  # the first page is asked for by a cursor of long ago
        self._ahead: deque[asyncio.Task[_Ahead | None]] = deque()

    def read_ahead(self, cursor: str | None) -> None:
        """Ask for the next pages while the one before them is published, each once its cursor is known."""
        if cursor is not None and not self._ahead:
            self._ahead.append(asyncio.create_task(self._at(cursor)))
        while 0 < len(self._ahead) < PAGES_AHEAD:
            self._ahead.append(asyncio.create_task(self._behind(self._ahead[-1])))

    async def let_go(self) -> None:
        """Nobody wants the pages that were asked for ahead."""
        ahead, self._ahead = self._ahead, deque()
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)

    async def after(self, cursor: str | None) -> ObjectPage:
        """The next page. Raises _Lapsed where the type is to be read anew, _Ended where there will be none."""
        try:
            page = await self._read(cursor)
        except Refused as error:
            lapsed = cursor is not None and (error.reason == CURSOR_GONE or self._resumed)
            if not lapsed or self._beginnings == MOST_BEGINNINGS:
                raise self._ended(error.reason, str(error)) from error
            self._beginnings, self._progress, self._resumed = self._beginnings + 1, PagingProgress(), False
            raise _Lapsed from error
        except ConnectorError as error:
            raise self._ended(error.reason, str(error)) from error
        self._resumed = False
        reason = self._progress.turn(page.first_id, page.cursor)
        if reason is not None:
            raise self._ended(reason, "the page brings nothing new")
        return page

    async def _read(self, cursor: str | None) -> ObjectPage:
        """The page, if it was read ahead the one that came; what a read ahead raised counts for the pages behind it."""
        try:
            ahead = await self._ahead.popleft() if self._ahead else None
        except ConnectorError:
            await self.let_go()
            raise
        if ahead is not None and ahead.cursor == cursor:
            return ahead.page
        await self.let_go()
        return await self._asked(cursor)

    async def _at(self, cursor: str) -> "_Ahead":
        return _Ahead(cursor, await self._asked(cursor))

    async def _behind(self, before: "asyncio.Task[_Ahead | None]") -> "_Ahead | None":
        """The page behind one that is read ahead too; None where that one is the last."""
        ahead = await before
        cursor = ahead.page.cursor if ahead is not None else None
        return None if cursor is None else await self._at(cursor)

    async def _asked(self, cursor: str | None) -> ObjectPage:
        ask = partial(self._context.account.source.page, self._object_type, cursor)
        return await read_persistently(self._context, ask, self._object_type)

    def _ended(self, reason: str, why: str) -> _Ended:
        log.warning("%s: the crawl of %s ended early (%s): %s", *self._names, reason, why)
        return _Ended(reason)

    @property
    def _names(self) -> tuple[str, str]:
        return self._context.integration, self._object_type
