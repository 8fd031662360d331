"""The limit of bulk follows how fast the worker is, so that a live change waits no longer behind it than it bears."""

import pytest

from connectors.runtime.credit_limit import (
    EVERY_S,
    LEAST_RECORDS,
    LIVE_BEARS_S,
    MOST_RECORDS,
    MOST_ROAD_S,
    CreditLimit,
    Stage,
)

ROUNDS = 100
MOST_S = LIVE_BEARS_S + MOST_ROAD_S


def limit_after(rates: list[float], *, start: int = 300, load: float = 1.0) -> list[int]:
    """The limit after each round, with a worker that handles so many records a second and is kept full."""
    limit, finished, now = CreditLimit(start), 0.0, 0.0
    course = []
    for per_s in rates:
        now += EVERY_S
        finished += per_s * EVERY_S
        limit.looked({"objects": Stage(int(limit.records * load), int(finished))}, now)
        course.append(limit.records)
    return course


@pytest.mark.parametrize("per_s", [1_000.0, 3_000.0, 8_000.0])
def test_it_finds_what_a_live_change_bears_to_wait_behind(per_s: float) -> None:
    course = limit_after([per_s] * ROUNDS)
    assert all(records / per_s <= MOST_S * 1.3 for records in course[ROUNDS // 2 :])
    assert course[-1] / per_s > LIVE_BEARS_S / 3


def test_a_worker_that_slows_down_gets_less_at_once_and_never_less_than_a_page() -> None:
    course = limit_after([8_000.0] * ROUNDS + [1_000.0] * 20 + [0.0] * 20)
    assert course[ROUNDS + 19] / 1_000.0 <= MOST_S * 1.3
    assert course[-1] == LEAST_RECORDS


def test_it_does_not_grow_without_end_nor_where_something_else_holds_bulk_up() -> None:
    assert limit_after([10**9] * ROUNDS)[-1] == MOST_RECORDS
    assert limit_after([10**9] * ROUNDS, load=0.3)[-1] == 300


def test_what_the_road_takes_by_itself_is_no_wait_behind_bulk() -> None:
    """However much is on the road, a record takes 0.14 s: more than a live change would bear to wait for half of it."""
    limit, finished, now = CreditLimit(300), 0.0, 0.0
    for _ in range(ROUNDS):
        now += EVERY_S
        finished += limit.records / 0.14 * EVERY_S
        limit.looked({"objects": Stage(limit.records, int(finished))}, now)
    assert limit.records == MOST_RECORDS
