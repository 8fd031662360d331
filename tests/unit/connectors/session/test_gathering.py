"""Calls stand apart by how much of the limit is spent, counted from the call before."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.session.gathering import (
    AMPLE_SHARE,
    GATHER_S,
    LATE_SHARE,
    LONGEST_GATHER_S,
    TIGHT_SHARE,
    Gathering,
    late_gather_s,
    tight_gather_s,
)


def test_nobody_waits_where_calls_are_ample_and_nobody_longer_than_the_bound() -> None:
    assert tight_gather_s(0.0) == tight_gather_s(AMPLE_SHARE) == 0.0
    assert tight_gather_s(TIGHT_SHARE) == tight_gather_s(1.0) == LONGEST_GATHER_S


@given(st.floats(0, 2), st.floats(0, 2))
def test_the_more_is_spent_the_longer_calls_stand_apart(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert 0.0 <= tight_gather_s(less) <= tight_gather_s(more) <= LONGEST_GATHER_S


def test_what_is_late_already_waits_a_little_longer_within_the_bounds() -> None:
    assert late_gather_s(-5.0) == late_gather_s(0.0) == late_gather_s(GATHER_S / LATE_SHARE) == GATHER_S
    assert late_gather_s(5.0) == 5.0 * LATE_SHARE
    assert late_gather_s(3_600.0) == LONGEST_GATHER_S


def test_the_first_call_leaves_at_once_and_the_next_one_of_its_type_stands_apart() -> None:
    gathering = Gathering()
    assert gathering.due("contacts", 0.25) == 0.0
    gathering.left("contacts", 1_000.0)
    assert (gathering.due("contacts", 0.25), gathering.due("companies", 0.25)) == (1_000.25, 0.0)
