"""Whether full syncs come as often as they should."""

from dataclasses import replace

from pipeline.full_sync.rows import Run
from pipeline.operations.full_sync_age import full_sync_age
from schemas.configuration import IntegrationSettings, SystemSettings
from schemas.runs import FullSyncRun, RunProgress, RunState
from tests.unit.pipeline.operations.documents import document_of

DAY_S, HOUR_MS = 86_400, 3_600_000
NOW_MS = 1_800_000_000_000
MAPPINGS = ("firms", "people")
SECTION = SystemSettings("1")
SETTINGS = IntegrationSettings(1, 1, 1, "active", "a1", "done", None, document_of(*MAPPINGS), SECTION, SECTION)


def run(ago_h: int, state: RunState = "completed", mappings: tuple[str, ...] = MAPPINGS) -> Run:
    row = RunProgress(f"{NOW_MS - ago_h * HOUR_MS}-aaaa", "acme", "run", state, 0, NOW_MS, 0, None, None)
    return Run(replace(row, full_sync=FullSyncRun(), mappings=mappings))


def codes(*runs: Run, interval_s: int = DAY_S) -> list[str]:
    return [one.code for one in full_sync_age("acme", SETTINGS, runs, interval_s, NOW_MS)]


def test_one_that_is_due_comes() -> None:
    assert codes(run(25)) == []


def test_one_that_did_not_come() -> None:
    assert codes(run(27)) == ["full_sync_overdue"]
    assert codes(run(27), interval_s=0) == []


def test_one_of_some_mappings_or_that_failed_heals_not_everything() -> None:
    assert codes(run(27), run(1, mappings=("people",)), run(2, "failed")) == ["full_sync_overdue"]


def test_none_was_ever_complete() -> None:
    assert codes(run(1, "failed")) == ["full_sync_never"]
    assert codes() == ["full_sync_never"]


def test_one_that_is_under_way_is_waited_for() -> None:
    assert codes(run(27), run(0, "running")) == []
