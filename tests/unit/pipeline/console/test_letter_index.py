"""An index that takes from the former one what did not change is the one that is made anew."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.console.letters import LetterIndex
from pipeline.operations.letter_report import Told
from pipeline.operations.letter_standing import Standing, StandingWord
from tests.unit.pipeline.operations.test_letters import field_letter, one

NOW_MS = 1_795_700_000_000
WORDS: Sequence[StandingWord] = ("refused", "mended", "discarded")
LETTER = one(field_letter())

told = st.builds(
    lambda name, reason, age, word: Told(
        replace(LETTER, letter=replace(LETTER.letter, integration=name, reason=reason, at_ms=NOW_MS - age)),
        Standing(word),
    ),
    st.sampled_from(("acme", "globex", None)),
    st.sampled_from(("too_long", "not_unique")),
    st.integers(0, 10**9),
    st.sampled_from(WORDS),
)
letters = st.lists(told, max_size=6).map(lambda some: sorted(some, key=lambda one: one.letter.letter.at_ms))


@given(letters, letters)
def test_as_if_made_anew(before: list[Told], now: list[Told]) -> None:
    former = LetterIndex.of(before, NOW_MS)
    assert LetterIndex.of(now, NOW_MS, former) == LetterIndex.of(now, NOW_MS)


@given(letters)
def test_what_did_not_change_is_taken_over(before: list[Told]) -> None:
    former = LetterIndex.of(before, NOW_MS)
    after = LetterIndex.of([*before, replace(before[-1], now=Standing("gone"))] if before else [], NOW_MS, former)
    changed = before[-1].letter.letter.integration or "" if before else ""
    assert all(after.open[name] is groups for name, groups in former.open.items() if name != changed)
