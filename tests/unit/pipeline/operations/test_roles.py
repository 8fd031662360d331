"""What doctor says of roles: by their figures, and by what waits before them."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.operations.findings import Finding
from pipeline.operations.roles import ROLES, roles
from schemas.vitals import Vitals
from tests.unit.pipeline.lag.roads import NOW_MS, road, waiting


def alive(role: str, ago_ms: int = 2_000) -> Vitals:
    return Vitals(f"{role}-0", role, NOW_MS - ago_ms, NOW_MS - 600_000, 5_000, "0.1.0", 0, 0)


def wrong(rows: Sequence[Vitals], records: int = 0, member: str | None = "userflow-0") -> list[Finding]:
    lag = road(waiting(records), *rows, member=member)
    return [one for one in roles(lag) if one.verdict != "ok"]


def test_everybody_is_there() -> None:
    rows = [alive(role) for role in ROLES]
    assert wrong(rows) == []
    assert Finding("role worker", "ok", "worker-0 up") in list(roles(road(waiting(0), *rows)))


def test_a_role_that_is_frozen_or_was_ended() -> None:
    (told,) = wrong([alive(role, 42_000 if role == "worker" else 2_000) for role in ROLES])
    assert told.what == "role worker"
    why = "worker-0 gave its last sign of life 42 s ago: it was ended, or it is frozen"
    assert told.detail == f"{why}. Fix: start `pairstream run worker` again"


def test_one_of_two_that_is_no_more_is_told_and_nothing_is_wrong() -> None:
    rows = [*(alive(role) for role in ROLES), replace(alive("worker", 60_000), process="worker-1")]
    assert wrong(rows) == []
    assert Finding("role worker", "ok", "worker-0 up; worker-1 no more") in list(roles(road(waiting(0), *rows)))


def test_a_role_of_which_there_are_no_figures() -> None:
    (told,) = wrong([alive(role) for role in ROLES if role != "receiver"])
    assert told.detail.startswith("no sign of life in the last two minutes. Fix: is `pairstream run receiver`")


def test_a_stage_that_stands_still() -> None:
    (told,) = wrong([alive(role) for role in ROLES], 100, None)
    assert told.what == "stage userflow sink"
    assert told.detail.startswith(
        "100 records of userflow.field-patches wait, the oldest for 92 s: nobody takes its records"
    )
