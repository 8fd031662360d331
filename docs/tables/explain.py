"""The words of `pairstream explain`: how an object, a pair, a field stands, what changes and events led to, a look."""

from collections.abc import Mapping
from typing import TypeVar

from docs.tables.markdown import code, table
from pipeline.explain.answer import EVENT_WORDS, FIELD_WORDS, HOP_WORDS, OBJECT_WORDS, OUTCOME_WORDS, PAIR_WORDS
from pipeline.explain.look_now import LOOK_WORDS

Word = TypeVar("Word", bound=str)


def page() -> str:
    """A table for each kind of word, as they stand in `--format json`."""
    return "\n\n".join(
        (
            _words("Object", OBJECT_WORDS),
            _words("Pair", PAIR_WORDS),
            _words("Field", FIELD_WORDS),
            _words("Happening", OUTCOME_WORDS),
            _words("Hop", HOP_WORDS),
            _words("Event", EVENT_WORDS),
            _words("Looked", LOOK_WORDS),
        )
    )


def _words(kind: str, words: Mapping[Word, str]) -> str:
    return table((kind, "Meaning"), [(code(word), sentence) for word, sentence in words.items()])
