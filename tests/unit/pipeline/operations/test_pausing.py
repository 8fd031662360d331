"""The reason for a pause: one line of bounded length, in whatever words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.operations.pausing import LONGEST, NoReason, pause_reason


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_it_is_one_line_that_can_be_stored_or_is_refused(text: str) -> None:
    try:
        reason = pause_reason(text)
    except NoReason:
        assert len(" ".join(text.split())) > LONGEST
    else:
        assert reason.split() == text.split() and len(reason) <= LONGEST
        assert pause_reason(reason) == reason == reason.encode().decode()


def test_what_is_too_long_is_refused_with_its_length_and_nothing_is_cut() -> None:
    assert pause_reason(" é" * 100) == "é " * 99 + "é"
    with pytest.raises(NoReason, match="at most 200 characters; this one has 201"):
        pause_reason("x" * 201)


def test_bytes_of_a_terminal_that_are_no_text_are_refused() -> None:
    with pytest.raises(NoReason, match="no text in UTF-8"):
        pause_reason(b"caf\xe9".decode(errors="surrogateescape"))


def test_none_given_is_none() -> None:
    assert pause_reason(" \n ") == ""
