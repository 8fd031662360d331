"""What a request of kind `whole` says of the mappings that a type was read for."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.runs import revisions_in, revisions_told

names = st.text(min_size=1, max_size=20)


@given(st.dictionaries(names, st.integers(0, 10**6)))
def test_mappings_and_their_revisions_are_read_as_they_were_told(revisions: dict[str, int]) -> None:
    assert revisions_in(revisions_told(revisions)) == revisions


def test_what_is_none_is_left_out() -> None:
    assert revisions_in(("people", "people@", "people@x", "firms@2")) == {"firms": 2}
