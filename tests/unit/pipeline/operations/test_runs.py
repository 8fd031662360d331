"""What is told of a full sync: how the last one went, and what holds up the next."""

from dataclasses import replace

from pipeline.full_sync.rows import Run
from pipeline.operations.runs import held_up, last_run
from schemas.configuration import ConnectorState, IntegrationPart
from schemas.runs import FullSyncRun, RunProgress, RunState

FIRST, SECOND, NOW = "1700000000000-aaaa", "1800000000000-aaaa", 1_800_000_000_000


def run(run_id: str, state: RunState, reason: str | None = None, integration: str = "acme", at_ms: int = NOW) -> Run:
    row = RunProgress(run_id, integration, "run", state, 0, at_ms, 0, None, reason, counts={"pairs": 7})
    return Run(replace(row, full_sync=FullSyncRun()))


def test_only_the_last_run_of_an_integration_is_told() -> None:
    runs = [run(FIRST, "failed", "http_414"), run(SECOND, "completed"), run(SECOND + "9", "failed", integration="b")]
    (found,) = last_run("acme", runs, NOW)
    assert (found.what, found.verdict) == ("integration acme: last full sync", "ok")
    assert found.detail == f"{SECOND} completed, 7 pairs, 2027-01-15T08:00:00.000Z"
    assert list(last_run("nobody", runs, NOW)) == []


def test_one_that_failed_is_told_with_its_reason_and_what_to_do() -> None:
    (found,) = last_run("acme", [run(FIRST, "failed", "people: userflow.users: paging_page_repeated")], NOW)
    assert found.verdict == "wrong"
    assert "paging_page_repeated (a list shows a page that it showed before: its crawl ends)" in found.detail
    assert "pairstream full-sync start acme" in found.detail


def test_one_that_nobody_tells_of_is_stalled() -> None:
    (found,) = last_run("acme", [run(FIRST, "running", at_ms=NOW - 61_000)], NOW)
    assert found.verdict == "wrong"
    assert "stalled: no scheduler has told of it for 61 s" in found.detail


def test_what_holds_a_run_up_is_told_when_it_is_asked_for() -> None:
    away = ConnectorState(1, 1, 1, "unavailable", reason="http_503")
    parts = {"acme/userflow": IntegrationPart("acme", connector=away)}
    assert list(held_up("acme", parts, ("userflow", "hubspot"))) == [
        "userflow is unavailable: http_503: its crawl begins once it can be worked with",
        "the hubspot connector has not reported yet: its crawl begins once it runs",
    ]
