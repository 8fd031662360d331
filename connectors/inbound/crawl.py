"""A crawl: a whole object type read page by page and published as bulk, its progress on `sync.runs`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from connectors.contract.errors import CURSOR_GONE, ConnectorError, Missing, Refused
from connectors.contract.source import ObjectPage
from connectors.inbound.paging import PagingProgress
from connectors.inbound.persistence import Persistence
from connectors.session.context import IntegrationContext, seen
from schemas.records import Cause, ConnectorRequest, RunProgress, RunState, StateCommand
from schemas.topics import RUNS, object_key, requests_topic

log = logging.getLogger(__name__)

MOST_BEGINNINGS: Final = 3  # the object that names the next page may be deleted just then: the crawl begins again


@dataclass(frozen=True, slots=True)
class _Ended(Exception):
    """The crawl cannot be completed; a code says why."""

    reason: str


async def crawl(
    context: IntegrationContext,
    request: ConnectorRequest,
    cause: Cause | None,
    completed: Callable[[str], Awaitable[None]],
) -> None:
    """Read every object of the request's type; what ends it early stands on `sync.runs` with its reason.

    `completed` is called with the type once all of it was published.
    """
    run_id, object_type = request.run_id or "", request.object_type
    started_at_ms, read, cursor = context.now_ms(), 0, None
    pages = _Pages(context, object_type)

    async def progress(state: RunState, reason: str | None = None) -> None:
        part = f"{context.system}.{object_type}"
        record = RunProgress(
            run_id, context.integration, part, state, started_at_ms, context.now_ms(), read, cursor, reason
        )
        await context.publish(RUNS, f"{run_id}/{part}", record)

    await progress("running")
    while True:
        try:
            page = await pages.after(cursor)
        except _Ended as end:
            await progress("failed", end.reason)
            return
        await context.bulk_credit(len(page.objects))
        await asyncio.gather(
            *(context.observed(seen(object_type, read, "crawl", run_id, True, cause)) for read in page.objects)
        )
        read, cursor = read + len(page.objects), page.cursor
        await progress("completed" if cursor is None else "running")
        if cursor is None:
            await completed(object_type)
            return


class _Pages:
    """The pages of one crawl, each tried for as long as that may help."""

    def __init__(self, context: IntegrationContext, object_type: str) -> None:
        self._context = context
        self._object_type = object_type
        self._progress = PagingProgress()
        self._beginnings = 1

    async def after(self, cursor: str | None) -> ObjectPage:
        """The next page. Raises _Ended where there will be none."""
        try:
            page = await self._tried(cursor)
        except Refused as error:
            if error.reason != CURSOR_GONE or cursor is None or self._beginnings == MOST_BEGINNINGS:
                raise self._ended(error.reason, str(error)) from error
            self._beginnings, self._progress = self._beginnings + 1, PagingProgress()
            return await self.after(None)
        except ConnectorError as error:
            raise self._ended(error.reason, str(error)) from error
        reason = self._progress.turn(page)
        if reason is not None:
            raise self._ended(reason, "the page brings nothing new")
        return page

    async def _tried(self, cursor: str | None) -> ObjectPage:
        persistence, source = Persistence(self._context), self._context.account.source
        page = partial(source.page, self._object_type, cursor)
        while True:
            await self._context.state.usable()
            try:
                return await self._context.asked(page, self._object_type, "read")
            except (Refused, Missing):
                raise
            except ConnectorError as error:
                await persistence.wait_after(error)

    def _ended(self, reason: str, why: str) -> _Ended:
        log.warning("%s: the crawl of %s ended early (%s): %s", *self._names, reason, why)
        return _Ended(reason)

    @property
    def _names(self) -> tuple[str, str]:
        return self._context.integration, self._object_type


class OwedCrawls:
    """Crawls for object types of which records were let go while the system was away: one for each type and outage."""

    def __init__(self, context: IntegrationContext) -> None:
        self._context = context
        self._asked: set[str] = set()
        self._lock = asyncio.Lock()

    async def owe(self, object_type: str) -> None:
        """Ask for a crawl of the type; once the brokers have the request, the record may be finished unread."""
        async with self._lock:
            if object_type not in self._asked:
                await self._ask(object_type)
                self._asked.add(object_type)

    def begin_anew(self) -> None:
        """The system answers again: a crawl asked for before may miss records that are let go from now on."""
        self._asked.clear()

    async def _ask(self, object_type: str) -> None:
        context = self._context
        # run ids sort by time: a pair takes a later one for a newer run
        run_id = f"{context.now_ms():013d}-away"
        request = ConnectorRequest(context.integration, context.connection, "crawl", object_type, run_id=run_id)
        await context.publish(requests_topic(context.system), context.integration, request)


def unseen(context: IntegrationContext, request: ConnectorRequest, cause: Cause | None) -> StateCommand:
    """The command after a completed crawl: read each object of its type that the crawl did not see."""
    start = object_key(context.integration, context.connection, context.system, request.object_type, "")
    return StateCommand(
        context.integration,
        context.connection,
        stage="objects",
        kind="sweep",
        object_key=start,
        run_id=request.run_id,
        caused_by=cause,
    )
