"""Times as pages write them: whatever a record holds, no page fails for it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.console.asking import ZONE
from pipeline.console.rendering import environment
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


def test_a_time_by_itself_names_its_instant_and_within_a_text_is_text() -> None:
    made = environment().from_string("<p>{{ at }}</p>{{ 'at ' ~ at ~ name }}{{ st('ok', at) }}")
    written = made.render(at=clock(AT_MS, AT_MS), name="<b>\u202e")
    assert written.startswith('<p><time datetime="2026-11-26T13:33:20.000Z">13:33:20</time></p>at 13:33:20&lt;b&gt;')
    assert "\u202e" not in written and written.count("<time") == 2
