"""What the facts mean: who stands still, how far behind, how long it will take."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lag.judging import Lag
from schemas.vitals import DurationVitals, InMemory, Vitals
from tests.unit.pipeline.lag.roads import NOW_MS, figures, road, sink, waiting


def moving(per_s: float, *, until_ms: int = 0, limited: str = "") -> list[Vitals]:
    """Figures of a minute, five seconds apart, of a sink that ends so many records a second."""
    ages = range(60_000, until_ms - 1, -5_000)
    return [figures(age, round(1_000 + (60_000 - age) / 1_000 * per_s), limited=limited) for age in ages]


class TestStops:
    def test_nobody_takes_its_records(self) -> None:
        lag = sink(road(waiting(), *moving(8), member=None))
        assert (lag.state, lag.why) == ("STOP", "nobody takes its records")

    def test_a_process_that_gives_no_sign_of_life(self) -> None:
        lag = sink(road(waiting(since_ms=30_000), *moving(8, until_ms=30_000)))
        assert (lag.state, lag.why) == ("STOP", "userflow-0 gives no sign of life")
        assert lag.out_per_s == 0

    def test_a_process_that_lives_and_ends_nothing(self) -> None:
        lag = sink(road(waiting(since_ms=40_000), *moving(0)))
        assert (lag.state, lag.why) == ("STALL", "nothing is ended though records wait")

    def test_records_that_came_a_moment_ago_are_no_stop_after_an_hour_of_rest(self) -> None:
        assert sink(road(waiting(1, since_ms=2_000), *moving(0))).state == "OK"

    def test_nothing_waits(self) -> None:
        assert sink(road(waiting(0), *moving(0), member=None)).state == "OK"

    def test_a_rebalance_tells_of_no_member(self) -> None:
        assert sink(road(waiting(since_ms=3_000), *moving(8), member=None, known=False)).state == "OK"

    def test_a_long_queue_that_is_worked_on(self) -> None:
        assert sink(road(waiting(since_ms=600_000), *moving(8))).state == "OK"

    def test_without_figures_nobody_knows_whether_less_goes_than_comes(self) -> None:
        assert sink(road(waiting(since_ms=12_000, arrived=400))).state == "OK"

    def test_more_comes_than_goes(self) -> None:
        lag = sink(road(waiting(since_ms=30_000, arrived=400), *moving(8)))
        assert (lag.state, lag.why, lag.trend) == ("WARN", "more comes than goes", "growing")


class TestRates:
    def test_out_is_what_was_ended_in_the_last_seconds(self) -> None:
        assert sink(road(waiting(), *moving(8))).out_per_s == pytest.approx(8)

    def test_in_is_what_arrived(self) -> None:
        assert sink(road(waiting(arrived=400), *moving(8))).in_per_s == 40

    def test_a_process_that_has_just_begun_is_judged_by_its_own_time(self) -> None:
        first = figures(0, 40, started_ago_ms=4_000)
        assert sink(road(waiting(), first)).out_per_s == 10

    def test_one_that_stood_still_is_judged_by_what_came_after(self) -> None:
        before = [figures(age, 1_000) for age in (70_000, 65_000)]
        assert sink(road(waiting(), *before, figures(0, 1_040))).out_per_s is None
        assert sink(road(waiting(), *before, figures(10_000, 1_000), figures(0, 1_080))).out_per_s == 8

    def test_nobody_knows_without_figures(self) -> None:
        lag = sink(road(waiting()))
        assert (lag.out_per_s, lag.in_memory, lag.trend, lag.drain_s) == (None, None, "", None)


class TestForecast:
    def test_what_waits_by_what_goes_out_more_than_comes_in(self) -> None:
        assert sink(road(waiting(400, arrived=30), *moving(8))).drain_s == pytest.approx(80)

    def test_one_that_has_just_gone_on_is_not_judged_by_its_first_seconds(self) -> None:
        begins = [figures(20_000, 1_000), figures(15_000, 1_000), figures(10_000, 1_004)]
        assert sink(road(waiting(400), *begins)).drain_s is None
        lag = sink(road(waiting(400), *begins, figures(5_000, 1_044), figures(0, 1_084)))
        assert lag.drain_s == pytest.approx(50)

    def test_it_would_never_end(self) -> None:
        assert sink(road(waiting(400, arrived=300), *moving(8))).drain_s is None

    @given(st.integers(0, 10_000), st.integers(0, 2_000), st.integers(0, 200))
    def test_it_is_never_negative(self, records: int, arrived: int, per_s: int) -> None:
        drain_s = sink(road(waiting(records, arrived=arrived), *moving(per_s))).drain_s
        assert drain_s is None or drain_s >= 0

    def test_the_limit_that_was_met(self) -> None:
        assert sink(road(waiting(), *moving(8, limited="burst"))).limited_by == "burst"
        assert sink(road(waiting(), *moving(8))).limited_by == ""

    def test_requests_that_wait_for_their_place_are_limited_though_no_answer_said_so(self) -> None:
        def waited(row: Vitals, ms: int) -> Vitals:
            return replace(row, durations=(DurationVitals("budget", "userflow", False, (1,), ms),))

        rows = moving(8)
        few = [waited(row, 500 * number) for number, row in enumerate(rows)]
        many = [waited(row, 5_000 * number) for number, row in enumerate(rows)]
        assert sink(road(waiting(), *few)).limited_by == ""
        assert sink(road(waiting(), *many)).limited_by == "budget"


def behind(lag: Lag) -> float | None:
    return lag.behind_s(sink(lag).oldest)


class TestSeconds:
    def test_the_oldest_of_what_waits(self) -> None:
        lag = road(waiting())
        assert (behind(lag), lag.stage_behind()["userflow sink"], lag.stage_behind()["pairs"]) == (92, 92, 0)

    def test_what_is_in_memory_may_be_older(self) -> None:
        held = InMemory("acme", 3, 3, NOW_MS - 101_000, None, 20)
        lag = sink(road(waiting(), figures(1_000, 7, held)))
        assert (lag.oldest.at_ms if lag.oldest else None) == NOW_MS - 101_000
        assert (lag.in_memory, lag.in_memory_at_ms) == (3, NOW_MS - 101_000)

    def test_what_the_group_has_passed_since_was_ended(self) -> None:
        held = InMemory("acme", 3, 0, NOW_MS - 101_000, NOW_MS - 101_000, 4)
        assert behind(road(waiting(), figures(1_000, 7, held))) == 92

    def test_figures_of_a_process_that_is_gone_tell_nothing_of_its_memory(self) -> None:
        held = InMemory("acme", 3, 0, NOW_MS - 101_000, NOW_MS - 101_000, 20)
        lag = sink(road(waiting(), figures(40_000, 7, held)))
        assert (lag.in_memory, lag.oldest.at_ms if lag.oldest else None) == (None, NOW_MS - 92_000)

    def test_nothing_is_in_memory_where_nothing_waits_though_the_last_figures_tell_of_it(self) -> None:
        """For seconds after a kill, `lag` told of records in memory beside LAG 0."""
        held = InMemory("acme", 3, 0, NOW_MS - 101_000, NOW_MS - 101_000, 4)
        lag = sink(road(waiting(0), figures(4_000, 7, held)))
        assert (lag.lag, lag.in_memory, lag.in_memory_at_ms, lag.oldest) == (0, 0, None, None)

    def test_no_more_is_in_memory_than_waits(self) -> None:
        held = InMemory("acme", 30, 0, NOW_MS - 101_000, NOW_MS - 101_000, 20)
        assert sink(road(waiting(12), figures(4_000, 7, held))).in_memory == 12

    @pytest.mark.parametrize("holder", ["userflow-1", None])
    def test_what_a_process_held_of_a_partition_that_it_lost_is_not_in_memory(self, holder: str | None) -> None:
        held = InMemory("acme", 3, 0, NOW_MS - 101_000, NOW_MS - 101_000, 20)
        assert sink(road(waiting(), figures(1_000, 7, held), member=holder)).in_memory is None
        assert sink(road(waiting(), figures(1_000, 7, held), member=holder, known=False)).in_memory == 3

    @pytest.mark.parametrize(("ago_ms", "told_ms"), [(7_000, None), (8_000, NOW_MS - 8_000)])
    def test_figures_that_newer_ones_should_have_followed_are_told_as_such(
        self, ago_ms: int, told_ms: int | None
    ) -> None:
        held = InMemory("acme", 3, 0, NOW_MS - 101_000, NOW_MS - 101_000, 20)
        assert sink(road(waiting(), figures(ago_ms, 7, held))).overdue_since_ms == told_ms
        assert sink(road(waiting(), figures(ago_ms, 7))).overdue_since_ms is None

    def test_bulk_is_told_apart(self) -> None:
        lag = road(waiting(bulk=True))
        assert (behind(lag), sink(lag).oldest_live, lag.runs()) == (92, None, {"run-1": 100})

    def test_retention(self) -> None:
        reaches = sink(road(waiting())).retention_reaches_ms()
        assert reaches == NOW_MS - 92_000 + 3 * 24 * 3_600_000
