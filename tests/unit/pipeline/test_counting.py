"""A count is told with its word in the number that it has."""

import pytest

from pipeline.counting import counted


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 patches"), (1, "1 patch"), (2, "2 patches"), (1_500, "1,500 patches")]
)
def test_a_count_is_told_with_its_word(count: int, told: str) -> None:
    assert counted(count, "patch", "patches") == told


def test_a_word_without_another_plural_takes_an_s() -> None:
    assert (counted(1, "record"), counted(2, "record")) == ("1 record", "2 records")
