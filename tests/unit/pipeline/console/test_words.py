"""Times as pages write them: whatever a record holds, no page fails for it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.console.asking import ZONE
from pipeline.console.words import clock, instant
from tests.unit.pipeline.console.fixtures import AT_MS

LAST_MS = 253_402_300_799_999
"""The end of the year 9999 in UTC, which is over in Tokyo."""


@given(st.integers(-(2**63), 2**63 - 1))
@example(LAST_MS)
@example(-62_135_596_800_000)
def test_any_time_is_written(at_ms: int) -> None:
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        held = ZONE.set(zone)
        assert clock(at_ms, AT_MS) and instant(at_ms)
        ZONE.reset(held)


@pytest.mark.parametrize("at_ms", [LAST_MS + 1, -(2**63)])
def test_what_no_calendar_has_is_the_number_that_it_is(at_ms: int) -> None:
    assert clock(at_ms, AT_MS) == instant(at_ms) == f"{at_ms} ms"
