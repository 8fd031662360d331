"""Every word of `explain` has a sentence on its page."""

from collections.abc import Mapping
from typing import Any, get_args

from docs.tables import TABLES
from pipeline.explain.answer import (
    FIELD_WORDS,
    OBJECT_WORDS,
    OUTCOME_WORDS,
    PAIR_WORDS,
    FieldWord,
    ObjectWord,
    OutcomeWord,
    PairWord,
)


def test_every_word_has_a_sentence() -> None:
    page = TABLES["explain"]()
    kinds: list[tuple[Mapping[Any, str], Any]] = [
        (OBJECT_WORDS, ObjectWord),
        (PAIR_WORDS, PairWord),
        (FIELD_WORDS, FieldWord),
        (OUTCOME_WORDS, OutcomeWord),
    ]
    for words, declared in kinds:
        assert words.keys() == set(get_args(declared))
        assert all(f"| `{word}` | {sentence.split('`')[0]}" in page for word, sentence in words.items())
