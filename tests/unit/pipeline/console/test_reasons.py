"""Every code that letters have is called something."""

import pytest

from pipeline.console.reasons import TITLES, title_of
from pipeline.core.conversion import MEANING
from schemas.reasons import REASONS

SPOKEN_OF = ("value", "record", "incident")
"""Kinds of reasons that letters of their own have."""
VENDORS = frozenset({"invalid_params"})
"""Codes of a vendor's own that are told of."""


def test_every_code_of_letters_has_a_title() -> None:
    known = [code for code, reason in REASONS.items() if reason.kind in SPOKEN_OF]
    assert [code for code in (*known, *MEANING) if code not in TITLES] == []
    assert [code for code in TITLES if code not in (*REASONS, *MEANING, *VENDORS)] == []


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("not_an_option", "Not an option of the target"),
        ("http_418", "Refused without a reason"),
        ("answer_too_large", "The answer is larger than the connector reads"),
        ("SOME_CODE_OF_THEIRS", "SOME_CODE_OF_THEIRS"),
    ],
)
def test_what_has_no_title_is_called_by_its_sentence_or_itself(code: str, title: str) -> None:
    assert title_of(code) == title
