"""Halving a refused batch ends at its bad part and loses nothing on the way."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.http.batches import filled, halves


@given(st.lists(st.integers()))
def test_halves_are_the_batch_in_two_smaller_parts(batch: list[int]) -> None:
    parts = halves(batch)
    if len(batch) < 2:
        assert parts == []
    else:
        first, second = parts
        assert [*first, *second] == batch
        assert 0 < len(first) <= len(second) < len(batch)


def test_empty_batches_are_not_sent() -> None:
    assert filled((1, 2), (), [3], iter(())) == [(1, 2), (3,)]
