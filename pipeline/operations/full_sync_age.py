"""Whether full syncs come as often as they should: what was missed is healed by them only."""

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.full_sync.rows import Run
from pipeline.operations.findings import Finding
from pipeline.operations.whole_runs import whole
from schemas.configuration import IntegrationSettings
from schemas.runs import asked_for_ms

GRACE_S: Final = 7_200.0
"""Beyond the interval: its jitter, and the time that a run takes."""


def full_sync_age(
    integration: str, settings: IntegrationSettings, runs: Iterable[Run], interval_s: int, now_ms: int
) -> Iterator[Finding]:
    """A finding where none was ever complete, or the last is older than the interval allows; 0: none is due."""
    what = f"integration {integration}: full syncs"
    ours = [run for run in runs if run.row.integration == integration]
    done = [asked_for_ms(run.run_id) for run in ours if whole(run.row, settings)]
    if any(run.under_way for run in ours):
        return
    if not done:
        told = f"none of all mappings was ever complete. Fix: `pairstream full-sync start {integration}`"
        yield Finding(what, "unknown", told, "full_sync_never", integration)
        return
    age_s = (now_ms - max(done)) / 1000
    if interval_s and age_s > interval_s + GRACE_S:
        told = f"the last complete one began {age_s / 3600:,.0f} h ago, and one is due every {interval_s / 3600:,.0f} h"
        yield Finding(what, "wrong", told, "full_sync_overdue", integration)
