"""The words for a place on a topic."""

from collections.abc import Iterable, Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.operations.positions import NoPosition, Position, duration_ms, offsets, position
from schemas.topics import TopicAndPartition

NOW_MS: Final = 1_800_000_000_000
HOUR_MS: Final = 3_600_000


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("earliest", Position()),
        ("latest", Position(end=True)),
        ("offset:88213", Position(offset=88213)),
        ("-24h", Position(at_ms=NOW_MS - 24 * HOUR_MS)),
        ("24h", Position(at_ms=NOW_MS - 24 * HOUR_MS)),
        ("90m", Position(at_ms=NOW_MS - 90 * 60_000)),
        ("P1DT2H", Position(at_ms=NOW_MS - 26 * HOUR_MS)),
        ("PT30M", Position(at_ms=NOW_MS - 30 * 60_000)),
        ("2026-11-25T00:00Z", Position(at_ms=1_795_564_800_000)),
        ("2026-11-25", Position(at_ms=1_795_564_800_000)),
        ("2026-11-25T01:00:00.250+01:00", Position(at_ms=1_795_564_800_250)),
    ],
)
def test_words_of_kafkas_tools(word: str, meant: Position) -> None:
    assert position(word, NOW_MS) == meant


@pytest.mark.parametrize("word", ["", "yesterday", "offset:", "offset:-1", "offset:²", "P", "PT", "-24", "24 h", "h"])
def test_anything_else_is_refused_with_the_words(word: str) -> None:
    with pytest.raises(NoPosition, match="earliest"):
        position(word, NOW_MS)


@pytest.mark.parametrize(
    "word", [f"-{'9' * 5_000}d", f"P{'9' * 5_000}D", f"offset:{'9' * 5_000}", "-9999999999d", "-٣d"]
)
def test_a_number_that_fits_into_no_topic_is_no_place(word: str) -> None:
    with pytest.raises(NoPosition, match="earliest"):
        position(word, NOW_MS)


@pytest.mark.parametrize("word", ["0001-01-01", "-999999999w", "1969-12-31T23:59:59.999Z"])
def test_what_was_before_any_record_is_no_end_of_the_topic(word: str) -> None:
    """Kafka takes -1 as the end and -2 as the beginning."""
    assert position(word, NOW_MS) == Position(at_ms=0)


@given(st.text(max_size=12))
def test_no_text_raises_anything_else(word: str) -> None:
    try:
        position(word, NOW_MS)
    except NoPosition as error:
        assert "Fix: write" in str(error)


@given(st.integers(0, 10_000), st.sampled_from(["ms", "s", "m", "h", "d", "w"]))
def test_a_duration_is_the_same_with_and_without_its_minus(number: int, unit: str) -> None:
    assert duration_ms(f"{number}{unit}") == duration_ms(f"-{number}{unit}") is not None


class Brokers:
    """Two partitions; offsets 10 to 20 of the first are retained, 5 to 5 of the second."""

    def begin_offsets(self, topics: Iterable[str]) -> Mapping[TopicAndPartition, int]:
        return {("t", 0): 10, ("t", 1): 5}

    def end_offsets(self, topics: Iterable[str]) -> Mapping[TopicAndPartition, int]:
        return {("t", 0): 20, ("t", 1): 5}

    def offsets_at(self, topics: Iterable[str], at_ms: int) -> Mapping[TopicAndPartition, int]:
        return {("t", 0): 15}  # the second has no record as young


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (Position(), (10, 5)),
        (Position(end=True), (20, 5)),
        (Position(at_ms=1), (15, 5)),
        (Position(offset=12), (12, 5)),
        (Position(offset=3), (10, 5)),
        (Position(offset=99), (20, 5)),
    ],
)
def test_a_place_is_within_what_is_retained(where: Position, found: tuple[int, int]) -> None:
    assert tuple(offsets(where, ["t"], Brokers()).values()) == found
