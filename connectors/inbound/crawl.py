"""A crawl: a whole object type read page by page and published as bulk, its progress on `sync.runs`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from connectors.contract.errors import ConnectorError, Missing, Refused, Retryable
from connectors.http.retry import CALLS, Tries
from connectors.session.context import IntegrationContext, seen
from connectors.session.wall import contained
from schemas.records import Cause, ConnectorRequest, RunProgress, RunState, StateCommand
from schemas.topics import RUNS, object_key, requests_topic

log = logging.getLogger(__name__)


async def crawl(
    context: IntegrationContext,
    request: ConnectorRequest,
    cause: Cause | None,
    completed: Callable[[str], Awaitable[None]],
) -> None:
    """Read every object of the request's type; a page that fails is read again for as long as it takes.

    `completed` is called with the type once all of it was published.
    """
    run_id, object_type = request.run_id or "", request.object_type
    started_at_ms, read, cursor = context.now_ms(), 0, None
    tries = Tries()

    async def progress(state: RunState) -> None:
        part = f"{context.system}.{object_type}"
        record = RunProgress(run_id, context.integration, part, state, started_at_ms, context.now_ms(), read, cursor)
        await context.publish(RUNS, f"{run_id}/{part}", record)

    await progress("running")
    while True:
        await context.state.usable()
        try:
            page = await contained(context.account.source.page(object_type, cursor))
        except (Refused, Missing) as error:
            log.warning("%s: %s cannot be crawled: %s", context.integration, object_type, error)
            await progress("failed")
            return
        except ConnectorError as error:
            tries = tries.after(error) if isinstance(error, Retryable) else tries
            wait_s = CALLS.wait_s(error, tries, context.uniform)
            if wait_s is None:
                context.state.fail(error)
            await context.clock.sleep(wait_s or 0.0)
            continue
        tries = Tries()
        await context.bulk_credit(len(page.objects))
        await asyncio.gather(
            *(context.observed(seen(object_type, read, "crawl", run_id, True, cause)) for read in page.objects)
        )
        read, cursor = read + len(page.objects), page.cursor
        await progress("completed" if cursor is None else "running")
        if cursor is None:
            await completed(object_type)
            return


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
