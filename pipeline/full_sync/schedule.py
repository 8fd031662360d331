"""When the next full sync of an integration is due: once an interval, each integration at a time of its own. Pure."""

import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from pipeline.full_sync.rows import Run
from schemas.configuration import IntegrationSettings
from schemas.runs import RunProgress, asked_for_ms, run_id_after, run_request

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
    request = run_request(integration, now_ms, "schedule")
    return replace(request, run_id=_id_after(there, began_ms, f"{integration}/{began_ms}"))


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
    request = run_request(integration, now_ms, "reconnect", connection=settings.connection)
    return replace(request, run_id=_id_after(there, now_ms, f"{integration}/{settings.connection}"))


def is_forgotten(run: Run, settings: IntegrationSettings | None) -> bool:
    """Whether the run is of a connection whose state is forgotten, or of an integration that is."""
    if settings is None or settings.state == "disconnected":
        return True
    return 0 < run.full_sync.connection <= settings.forgotten


def _id_after(runs: Iterable[Run], at_ms: int, reason: str) -> str:
    """The id of a run that comes after the others; its mark follows from the reason, whoever computes it."""
    return run_id_after((run.run_id for run in runs), at_ms, f"{zlib.crc32(reason.encode()) & 0xFFFF:04x}")


def _of_slot(run: Run, began_ms: int) -> bool:
    return run.full_sync.requested_by == "schedule" and asked_for_ms(run.run_id) >= began_ms
