"""The restart policy, by its numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.restarts import RestartPolicy, Restarts

POLICY = RestartPolicy()


def waits_after(*runs_s: float) -> list[float]:
    restarts, waits = Restarts(), []
    for ran_s in runs_s:
        restarts = restarts.after_end(ran_s, POLICY)
        waits.append(restarts.wait_s(POLICY))
    return waits


def test_a_role_that_dies_at_once_waits_twice_as_long_each_time() -> None:
    assert waits_after(0, 0, 0, 0) == pytest.approx([0.2, 0.4, 0.8, 1.6])


def test_the_wait_never_exceeds_half_a_minute() -> None:
    assert waits_after(*[0.0] * 12)[-4:] == pytest.approx([30.0] * 4)


def test_a_healthy_minute_starts_the_count_anew() -> None:
    assert waits_after(0, 0, 10, 9.9) == pytest.approx([0.2, 0.4, 0.2, 0.4])


def test_kills_do_not_add_up() -> None:
    restarts = Restarts()
    for _ in range(10):
        restarts = restarts.after_end(1, POLICY, killed=True)
    assert restarts.total == 10
    assert restarts.wait_s(POLICY) == POLICY.first_wait_s


def test_every_restart_is_counted_whatever_ran_before() -> None:
    assert Restarts().after_end(0, POLICY).after_end(1000, POLICY).total == 2


@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=2000))
def test_waits_stay_within_the_bounds(runs_s: list[float]) -> None:
    assert all(POLICY.first_wait_s <= wait <= POLICY.longest_wait_s for wait in waits_after(*runs_s))
