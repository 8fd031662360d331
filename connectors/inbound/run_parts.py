"""A connector's rows of `sync.runs`: how far each crawl is, what a run's lookups and rereads cost, and totals."""

from dataclasses import replace
from functools import partial
from typing import Final

from connectors.contract.errors import ConnectorError
from connectors.inbound.persistence import read_persistently
from connectors.session.context import IntegrationContext
from schemas.records import ConnectorRequest
from schemas.runs import RunProgress
from schemas.topics import RUNS

GOES_ON: Final = frozenset({"requested", "running"})


def part_row(context: IntegrationContext, run_id: str, part: str) -> RunProgress:
    """The part's row as it stands, or one that begins now."""
    known = context.run_row(f"{run_id}/{part}")
    now_ms = context.now_ms()
    return known or RunProgress(run_id, context.integration, part, "running", now_ms, now_ms)


async def keep_part(context: IntegrationContext, row: RunProgress) -> None:
    """Publish the part's row; its `updated_at_ms` is the sign of life."""
    await context.publish(RUNS, f"{row.run_id}/{row.part}", row)


def is_over(context: IntegrationContext, run_id: str) -> bool:
    """Whether the run is known to have ended: stopped or superseded, nobody waits for its parts."""
    run = context.run_row(run_id)
    return run is not None and run.state not in GOES_ON


class AskedTally:
    """What a run's lookups and rereads read and cost, one row for each object type."""

    def __init__(self, context: IntegrationContext) -> None:
        self._context = context
        self._rows: dict[tuple[str, str], RunProgress] = {}

    async def add(self, run_id: str, object_type: str, *, read: int, calls: int, failed: str | None = None) -> None:
        """Count an answer; `failed` says why values of the run were never answered."""
        key, context = (run_id, object_type), self._context
        before = self._rows.get(key) or part_row(context, run_id, f"{context.system}.{object_type}/asked")
        row = replace(
            before,
            updated_at_ms=context.now_ms(),
            read=before.read + read,
            calls=before.calls + calls,
            state="failed" if failed else before.state,
            reason=failed or before.reason,
        )
        self._rows = {one: kept for one, kept in self._rows.items() if one[0] == run_id} | {key: row}
        await keep_part(context, row)


async def tell_total(context: IntegrationContext, request: ConnectorRequest) -> None:
    """Tell how many objects the request's type has, or why that is not known: no run waits for it for long."""
    run_id, object_type = request.run_id or "", request.object_type
    row = part_row(context, run_id, f"{context.system}.{object_type}/total")
    if row.state != "running" or is_over(context, run_id):
        return
    try:
        total = await read_persistently(context, partial(context.account.source.count, object_type), object_type)
    except ConnectorError as error:
        row = replace(row, state="failed", reason=error.reason)
    else:
        row = replace(row, state="completed", expected=-1 if total is None else total, calls=1)
    await keep_part(context, replace(row, updated_at_ms=context.now_ms()))
