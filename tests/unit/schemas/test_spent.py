"""The parts of a change's way: none is negative, and together they are the whole, whatever the clocks say."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Cause
from schemas.spent import LONGEST_MS, PARTS, Parts, split, with_spent

FIRST = Cause("hubspot.notifications", 3, 42, 1_000)
SPENT = st.integers(-5, 10_000)


@given(st.integers(-10_000, 40_000), SPENT, SPENT, SPENT)
def test_no_part_is_negative_and_their_sum_is_the_whole(whole: int, read: int, budget: int, write: int) -> None:
    parts = split(whole, Cause("t", 0, 0, 0, read, budget, write))
    assert all(getattr(parts, name) >= 0 for name in PARTS)
    assert parts.whole == max(whole, 0)
    spent = [max(one, 0) for one in (read, budget, write)]
    if sum(spent) <= whole:
        assert [parts.read, parts.budget, parts.write] == spent


def test_a_whole_that_is_shorter_than_what_was_spent_in_it_is_filled_from_its_end() -> None:
    cause = with_spent(FIRST, read_s=0.3, budget_s=0.2, write_s=0.1)
    assert split(250, cause) == Parts(0, 0, 150, 100)
    assert split(-5, cause) == Parts(0, 0, 0, 0)


def test_what_is_spent_adds_up_and_tells_no_cause_from_another() -> None:
    once = with_spent(FIRST, read_s=0.25, budget_s=0.5)
    again = with_spent(once, read_s=0.125, write_s=1.0)
    assert (again.read_ms, again.budget_ms, again.write_ms) == (375, 500, 1_000)
    assert again == FIRST
    assert len({again, once, FIRST}) == 1


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_a_wild_record_makes_no_sum_that_fits_into_no_record(at_ms: int, spent_ms: int) -> None:
    cause = with_spent(Cause("t", 0, 0, at_ms, spent_ms, spent_ms, spent_ms), read_s=1.0, budget_s=1.0, write_s=1.0)
    parts = split(1_795_700_000_000 - at_ms, cause)
    assert parts.whole * 1_000_000 < 2**63 and max(cause.read_ms, cause.budget_ms, cause.write_ms) < 2**63
    assert all(0 <= getattr(parts, name) <= LONGEST_MS for name in PARTS)
