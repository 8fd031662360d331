"""What is told of a full sync: how the last one went, and what holds up the next."""

from pipeline.operations.runs import held_up, last_run
from schemas.configuration import ConnectorState, IntegrationPart
from schemas.records import RunProgress, RunState

FIRST, SECOND = "1700000000000-aaaa", "1800000000000-aaaa"


def run(run_id: str, part: str, state: RunState, reason: str | None = None, integration: str = "acme") -> RunProgress:
    return RunProgress(run_id, integration, part, state, 0, 1_800_000_000_000, 7, None, reason)


def test_only_the_last_run_of_an_integration_is_told() -> None:
    runs = [
        run(FIRST, "hubspot.contacts", "failed", "http_414"),
        run(SECOND, "hubspot.contacts", "completed"),
        run(SECOND, "userflow.users", "running"),
        run(SECOND + "9", "userflow.users", "failed", integration="other"),
    ]
    found = list(last_run("acme", runs))
    assert [(one.what, one.verdict) for one in found] == [
        ("integration acme: last full sync: hubspot.contacts", "ok"),
        ("integration acme: last full sync: userflow.users", "ok"),
    ]
    assert found[0].detail == f"{SECOND} completed, 7 objects read, 2027-01-15T08:00:00+00:00"
    assert list(last_run("nobody", runs)) == []


def test_a_crawl_that_failed_is_told_with_its_reason_and_what_to_do() -> None:
    (found,) = last_run("acme", [run(FIRST, "userflow.users", "failed", "paging_page_repeated")])
    assert found.verdict == "wrong"
    assert "paging_page_repeated (a list shows a page that it showed before: its crawl ends)" in found.detail
    assert "pairstream full-sync start acme" in found.detail


def test_what_holds_a_crawl_up_is_told_when_it_is_asked_for() -> None:
    away = ConnectorState(1, 1, 1, "unavailable", reason="http_503")
    parts = {"acme/userflow": IntegrationPart("acme", connector=away)}
    assert list(held_up("acme", parts, ("userflow", "hubspot"))) == [
        "userflow is unavailable: http_503: its crawl begins once it can be worked with",
        "the hubspot connector has not reported yet: its crawl begins once it runs",
    ]
