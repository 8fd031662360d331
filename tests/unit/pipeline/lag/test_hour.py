"""The last hour from totals: gained minute by minute, whoever begins, ends, or is looked at late."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.lag.hour import HOUR_MS, MINUTE_MS, LastHour
from schemas.topics import MATCHES
from schemas.vitals import BOUNDS_MS, DurationVitals, MappingVitals, OutcomeVitals, PlaceVitals, Vitals

NOW_MS = 1_795_700_000_000 // MINUTE_MS * MINUTE_MS + 30_000
BEGIN_MS = NOW_MS - HOUR_MS
OLD_MS = BEGIN_MS - 1_000


def told(at_ms: int, written: int, *, began_ms: int = OLD_MS, process: str = "userflow-0", **more: Any) -> Vitals:
    ends = (OutcomeVitals("sink", "acme", "written", written),)
    role = process.partition("-")[0]
    return Vitals(process, role, at_ms, began_ms, 5_000, "0.1.0", 10, 1, outcomes=ends, **more)


def hour_of(rows: Sequence[Vitals], now_ms: int = NOW_MS, begin_ms: int = BEGIN_MS) -> LastHour:
    hour = LastHour(begin_ms)
    for row in rows:
        hour.take(row)
    return hour


def written(rows: Sequence[Vitals]) -> list[int]:
    each = hour_of(rows).told(NOW_MS).each("ended", "acme")
    return [minute["userflow sink", "written"] for minute in each]


def test_what_was_counted_before_the_hour_is_not_of_it() -> None:
    found = written([told(BEGIN_MS + 1_000, 900), told(NOW_MS - MINUTE_MS, 907), told(NOW_MS, 910)])
    assert len(found) == 60 and (found[-2], found[-1], sum(found)) == (7, 3, 10)


def test_a_process_that_begins_within_the_hour_counts_whole() -> None:
    began = NOW_MS - 10 * MINUTE_MS
    hour = hour_of([told(NOW_MS, 5, began_ms=began)]).told(NOW_MS)
    assert hour.all("ended", "acme") == Counter({("userflow sink", "written"): 5})
    assert hour.since_ms == began


def test_two_that_bear_one_name_for_a_while_are_counted_apart() -> None:
    old, new = OLD_MS, NOW_MS - 5 * MINUTE_MS
    rows = [
        told(NOW_MS - 6 * MINUTE_MS, 1_000, began_ms=old),
        told(NOW_MS - 4 * MINUTE_MS, 2, began_ms=new),
        told(NOW_MS - 3 * MINUTE_MS, 1_004, began_ms=old),
        told(NOW_MS - 2 * MINUTE_MS, 9, began_ms=new),
    ]
    assert sum(written(rows)) == 4 + 9


def test_figures_that_are_read_twice_count_once() -> None:
    row = told(NOW_MS, 5, began_ms=BEGIN_MS)
    assert sum(written([row, row, told(NOW_MS - 1_000, 2, began_ms=BEGIN_MS)])) == 5


def test_nothing_is_known_where_nobody_tells() -> None:
    hour = hour_of([]).told(NOW_MS)
    assert hour.since_ms is None and len(hour.each("ended", "acme")) == 60 and not hour.figures and not hour.together


def test_an_agents_stage_has_no_system_and_others_of_another_integration_are_apart() -> None:
    ends = (OutcomeVitals("pairs", "acme", "equal", 2), OutcomeVitals("pairs", "globex", "equal", 7))
    row = Vitals("worker-0", "worker", NOW_MS, BEGIN_MS, 5_000, "0.1.0", 10, 1, outcomes=ends)
    hour = hour_of([row]).told(NOW_MS)
    assert hour.all("ended", "acme") == Counter({("pairs", "equal"): 2})


def test_links_and_times_of_live_changes() -> None:
    counts = (1, 2, *[0] * (len(BOUNDS_MS) - 1))
    live = DurationVitals("whole", "userflow", False, counts, 250, "acme")
    bulk = DurationVitals("whole", "userflow", True, counts, 99_000, "acme")
    part = DurationVitals("whole/read", "userflow", False, counts, 99_000)
    links = MappingVitals("people", 12, 5, 1, 2, "acme")
    hour = hour_of([told(NOW_MS, 3, began_ms=BEGIN_MS, durations=(live, bulk, part), mappings=(links,))]).told(NOW_MS)
    assert +hour.all("took", "acme") == Counter({("userflow", "0"): 1, ("userflow", "1"): 2})
    assert hour.all("took_ms", "acme") == Counter({("userflow", ""): 250})
    assert hour.all("linked", "acme")["people", "not_linked"] == 5


@given(st.lists(st.tuples(st.integers(1, 90_000), st.integers(0, 50)), max_size=40))
def test_what_is_gained_is_the_sum_however_often_it_is_looked_at(steps: list[tuple[int, int]]) -> None:
    """Within the hour, whenever a reader looks: what it is told is what was gained until then."""
    hour, at_ms, total = LastHour(BEGIN_MS), BEGIN_MS, 0
    for later_ms, more in steps:
        at_ms, total = at_ms + later_ms, total + more
        hour.take(told(at_ms, total, began_ms=BEGIN_MS))
        if at_ms < BEGIN_MS + 58 * MINUTE_MS:
            assert hour.told(at_ms).all("ended", "acme").total() == total


def test_minutes_of_before_are_forgotten() -> None:
    hour = hour_of([told(NOW_MS, 5, began_ms=BEGIN_MS)])
    hour.take(told(NOW_MS + HOUR_MS, 6, began_ms=BEGIN_MS))
    assert hour.told(NOW_MS + HOUR_MS).all("ended", "acme").total() == 1


def held(at_ms: int, process: str = "worker-0", began_ms: int = OLD_MS, **finished: int) -> Vitals:
    """What a worker ended of the matches, by partition: `p0=7`."""
    places = tuple(PlaceVitals("pairs", MATCHES, int(name[1:]), 0, 0, number) for name, number in finished.items())
    return Vitals(process, "worker", at_ms, began_ms, 5_000, "0.1.0", 10, 1, places=places)


def handled(*rows: Vitals) -> Sequence[int]:
    return hour_of(rows).told(NOW_MS).handled("pairs", MATCHES)


def test_what_a_stage_ended_is_told_minute_by_minute() -> None:
    rows = held(BEGIN_MS + 1_000, p0=900), held(NOW_MS - MINUTE_MS, p0=907), held(NOW_MS, p0=910)
    found = handled(*rows)
    assert (len(found), found[-2], found[-1], sum(found)) == (60, 7, 3, 10)
    assert hour_of(rows).told(NOW_MS).handled("objects", MATCHES) == [0] * 60


def test_a_partition_that_moves_is_counted_by_whoever_has_it() -> None:
    before, then = BEGIN_MS + 1_000, NOW_MS - MINUTE_MS
    first = held(before, p0=5, p1=900), held(then, p0=9)  # p1 went, and its count with it
    second = held(before, "worker-1", p2=50), held(then, "worker-1", p2=51, p1=8)
    assert handled(*first, *second)[-2] == 4 + 1 + 8


def test_minutes_before_anything_was_told_are_not_known() -> None:
    began = NOW_MS - 10 * MINUTE_MS
    assert handled() == ()
    assert handled(held(NOW_MS, began_ms=began, p0=3)) == [*[0] * 10, 3]
    assert handled(held(NOW_MS, began_ms=NOW_MS, p0=3)) == [3]


def test_what_places_tell_is_in_no_integrations_figures() -> None:
    hour = hour_of([held(NOW_MS, began_ms=BEGIN_MS, p0=3, p1=4)]).told(NOW_MS)
    assert set(hour.figures) == {("handled", "")}
    assert hour.all("ended", "acme") == Counter()
