"""When the next full sync of an integration is due: once an interval, each integration at a time of its own. Pure."""

import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from pipeline.full_sync.rows import Run
from schemas.configuration import IntegrationSettings
from schemas.runs import RunProgress, run_request

SECOND: Final = 2  # the number of a connection that is not the first of its integration


def slot_ms(integration: str, interval_s: int, now_ms: int) -> int:
    """When the present interval of the integration began; the offset of each spreads their load over the interval."""
    interval_ms = interval_s * 1000
    offset_ms = zlib.crc32(integration.encode()) % interval_ms
    return (now_ms - offset_ms) // interval_ms * interval_ms + offset_ms


def due(
    integration: str, runs: Iterable[Run], *, applied_at_ms: int, interval_s: int, now_ms: int
) -> RunProgress | None:
    """The request of the run that is due; None where there is nothing to do.

    Its id follows from the interval and the runs there are: two schedulers that take each other for dead ask for one.
    An interval that began before the last apply asks for none, since an apply starts no full sync.
    """
    if interval_s <= 0:
        return None
    began_ms, there = slot_ms(integration, interval_s, now_ms), list(runs)
    if began_ms <= applied_at_ms or any(_of_slot(run, began_ms) for run in there):
        return None
    newest_ms = max((int(run.run_id.partition("-")[0]) for run in there), default=0)
    mark = zlib.crc32(f"{integration}/{began_ms}".encode()) & 0xFFFF
    request = run_request(integration, now_ms, "schedule")
    # run ids sort by time, and no run may pass for an older one than those before it
    return replace(request, run_id=f"{max(began_ms, newest_ms + 1):013d}-{mark:04x}")


def anew(
    integration: str, runs: Iterable[Run], settings: IntegrationSettings | None, now_ms: int
) -> RunProgress | None:
    """The request of the run that a connection asks for which is not the first: nothing of the former one is known.

    Its id follows from the connection: two schedulers that take each other for dead ask for one.
    """
    if settings is None or settings.state != "active" or settings.connection < SECOND or not settings.active_revision:
        return None
    there = list(runs)
    if any(run.under_way or run.full_sync.connection == settings.connection for run in there):
        return None
    newest_ms = max((int(run.run_id.partition("-")[0]) for run in there), default=0)
    request = run_request(integration, now_ms, "reconnect", connection=settings.connection)
    mark = zlib.crc32(f"{integration}/{settings.connection}".encode()) & 0xFFFF
    return replace(request, run_id=f"{max(now_ms, newest_ms + 1):013d}-{mark:04x}")


def is_forgotten(run: Run, settings: IntegrationSettings | None) -> bool:
    """Whether the run is of a connection whose state is forgotten, or of an integration that is."""
    if settings is None or settings.state == "disconnected":
        return True
    return 0 < run.full_sync.connection <= settings.forgotten


def _of_slot(run: Run, began_ms: int) -> bool:
    return run.full_sync.requested_by == "schedule" and int(run.run_id.partition("-")[0]) >= began_ms
