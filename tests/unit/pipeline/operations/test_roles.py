"""What doctor says of roles: by their figures, and by what waits before them."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.lag.judging import Lag
from pipeline.operations.findings import Finding
from pipeline.operations.roles import ROLES, roles, stages
from schemas.vitals import Vitals
from tests.unit.pipeline.lag.roads import NOW_MS, figures, road, sink, waiting


def alive(role: str, ago_ms: int = 2_000) -> Vitals:
    return Vitals(f"{role}-0", role, NOW_MS - ago_ms, NOW_MS - 600_000, 5_000, "0.1.0", 0, 0)


def wrong(rows: Sequence[Vitals], records: int = 0, member: str | None = "userflow-0") -> list[Finding]:
    lag = road(waiting(records), *rows, member=member)
    return [one for one in (*roles(lag), *stages(lag)) if one.verdict != "ok"]


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


def codes(lag: Lag) -> list[str]:
    return [one.code for one in (*roles(lag), *stages(lag)) if one.verdict != "ok"]


def healthy() -> list[Vitals]:
    return [alive(role) for role in ROLES]


def test_a_process_that_begins_again_and_again() -> None:
    begun = [replace(alive("worker", ago), started_at_ms=NOW_MS - ago - 5) for ago in (90_000, 60_000, 30_000, 2_000)]
    rows = [*(row for row in healthy() if row.role != "worker"), *begun]
    assert codes(road(waiting(0), *sorted(rows, key=lambda row: row.at_ms))) == ["role_restarts"]


def test_a_deployment_is_no_loop() -> None:
    begun = [replace(alive("worker", ago), started_at_ms=NOW_MS - ago - 5) for ago in (60_000, 2_000)]
    rows = [*(row for row in healthy() if row.role != "worker"), *begun]
    assert codes(road(waiting(0), *sorted(rows, key=lambda row: row.at_ms))) == []


def test_two_processes_of_one_name() -> None:
    both = [replace(alive("worker", 20_000 - n * 5_000), started_at_ms=n % 2) for n in range(4)]
    rows = [*(row for row in healthy() if row.role != "worker"), *both]
    assert codes(road(waiting(0), *sorted(rows, key=lambda row: row.at_ms))) == ["role_twice"]


def test_figures_from_the_future() -> None:
    rows = [replace(row, at_ms=NOW_MS + 9_000) if row.role == "receiver" else row for row in healthy()]
    assert codes(road(waiting(0), *rows)) == ["clocks_differ"]


def test_a_process_that_lives_and_ends_nothing() -> None:
    rows = [figures(age, 1_000) for age in range(60_000, 1_999, -5_000)]
    others = [row for row in healthy() if row.role != "userflow"]
    assert codes(road(waiting(), *others, *rows)) == ["stage_stalled"]


def test_a_group_whose_offsets_were_reset() -> None:
    lag = road(waiting(5, since_ms=1_000), *healthy())
    behind_the_end = [replace(one, place=replace(one.place, position=50)) for one in sink(lag).places]
    missed = [replace(one, place=replace(one.place, position=2, begin=7)) for one in sink(lag).places]
    for places in (behind_the_end, missed):
        topics = tuple(replace(one, places=tuple(places)) if one == sink(lag) else one for one in lag.topics)
        assert codes(replace(lag, topics=topics)) == ["group_reset"]


def test_an_old_position_of_a_topic_in_which_nothing_waits_is_no_reset() -> None:
    lag = road(waiting(0), *healthy())
    places = tuple(replace(one, place=replace(one.place, position=2, begin=9)) for one in sink(lag).places)
    topics = tuple(replace(one, places=places) if one == sink(lag) else one for one in lag.topics)
    assert codes(replace(lag, topics=topics)) == []


def test_retention_that_is_about_to_reach_what_waits() -> None:
    days, hour = 3 * 86_400_000, 3_600_000
    rows = [figures(age, 1_000 + (60_000 - age) // 100) for age in range(60_000, 1_999, -5_000)]
    others = [row for row in healthy() if row.role != "userflow"]
    assert codes(road(waiting(since_ms=days - 5 * hour), *others, *rows)) == ["retention_near"]
    assert codes(road(waiting(since_ms=days - 7 * hour), *others, *rows)) == []
