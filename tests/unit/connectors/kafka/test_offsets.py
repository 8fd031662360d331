"""What may be committed when records end out of order."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.kafka.offsets import MOST_MARKERS, OffsetTracker

PLACE = ("hubspot.field-patches", 2)


def tracker(*offsets: int) -> OffsetTracker:
    made = OffsetTracker()
    for offset in offsets:
        made.taken(PLACE, offset)
    return made


def test_nothing_to_commit_before_the_first_record_has_ended() -> None:
    tracked = tracker(5, 6)
    assert tracked.to_commit() == {PLACE: 5}
    tracked.committed({PLACE: 5})
    assert tracked.to_commit() == {}


def test_a_record_that_ended_early_waits_for_those_before_it() -> None:
    tracked = tracker(5, 6, 9)
    tracked.finished(PLACE, 6)
    assert tracked.to_commit() == {PLACE: 5}
    tracked.finished(PLACE, 5)
    assert tracked.to_commit() == {PLACE: 9}
    tracked.finished(PLACE, 9)
    assert tracked.to_commit() == {PLACE: 10}


def test_a_partition_given_back_is_forgotten() -> None:
    tracked = tracker(5)
    tracked.forget({PLACE})
    tracked.finished(PLACE, 5)
    assert tracked.to_commit() == {}
    assert tracked.unfinished == 0


@given(st.permutations(range(8)), st.integers(0, 8))
def test_never_past_an_unfinished_record(order: list[int], ended: int) -> None:
    tracked = tracker(*range(8))
    for offset in order[:ended]:
        tracked.finished(PLACE, offset)
    unfinished = set(order[ended:])
    committed = tracked.to_commit()[PLACE]
    assert all(offset >= committed for offset in unfinished)
    assert committed == min(unfinished, default=8)


def test_where_reading_began_and_where_it_jumped_may_hide_a_loss_and_is_told_once() -> None:
    tracked = OffsetTracker()
    tracked.begins(PLACE, 5)
    assert tracked.suspects() == {PLACE: 5}
    for offset in (5, 6, 8):  # one transaction marker stands between two records
        tracked.taken(PLACE, offset)
    assert tracked.suspects() == {}
    tracked.taken(PLACE, 12)
    tracked.taken(PLACE, 20)
    assert tracked.suspects() == {PLACE: 9}
    assert tracked.suspects() == {}


def test_nothing_is_committed_past_a_loss_that_nobody_was_told_of() -> None:
    """The committed offset is all that shows it after a restart."""
    tracked = OffsetTracker()
    tracked.begins(PLACE, 5)
    tracked.taken(PLACE, 90)
    tracked.finished(PLACE, 90)
    assert tracked.to_commit() == {}
    tracked.suspects()
    tracked.begins(PLACE, 5)  # the report failed
    tracked.certain(PLACE)
    assert tracked.to_commit() == {}
    assert tracked.suspects() == {PLACE: 5}
    tracked.certain(PLACE)
    assert tracked.to_commit() == {PLACE: 91}


def test_a_jump_that_markers_cannot_fill_holds_the_commit_back_and_a_smaller_one_does_not() -> None:
    tracked = tracker(5)
    tracked.taken(PLACE, 5 + MOST_MARKERS)
    assert tracked.to_commit() == {PLACE: 5}
    tracked.taken(PLACE, 7 + 2 * MOST_MARKERS)
    assert tracked.to_commit() == {}
    tracked.suspects()
    tracked.certain(PLACE)
    assert tracked.to_commit() == {PLACE: 5}


def test_a_partition_that_was_given_back_is_in_no_doubt() -> None:
    tracked = OffsetTracker()
    tracked.begins(PLACE, 5)
    tracked.forget({PLACE})
    assert tracked.suspects() == {}
