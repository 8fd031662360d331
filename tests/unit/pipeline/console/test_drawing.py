"""Pictures of numbers: each within its frame, named, and never of hostile text."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.console.drawing import histogram, spark

FIGURES = st.lists(st.integers(0, 10**9), min_size=2, max_size=60)


@given(FIGURES)
def test_every_point_of_a_line_is_within_its_frame(values: list[int]) -> None:
    drawn = spark(values, "rising")
    (line,) = re.findall(r'polyline class="ln" points="([^"]+)"', drawn)
    points = [tuple(map(float, point.split(","))) for point in line.split(" ")]
    assert len(points) == len(values) and all(0 <= x <= 96 and 0 <= y <= 24 for x, y in points)


@given(FIGURES)
def test_every_bar_stands_on_the_ground(values: list[int]) -> None:
    bars = re.findall(r'y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', histogram(values, "changes"))
    assert len(bars) == len(values)
    assert all(abs(float(top) + float(tall) - 80) < 0.11 and float(wide) > 0 for top, wide, tall in bars)


def test_what_a_picture_is_called_is_text() -> None:
    for drawn in (spark([1, 2], '"><script>'), histogram([1, 2], '"><script>')):
        assert "<script>" not in drawn and 'role="img"' in drawn and "&lt;script&gt;" in drawn
