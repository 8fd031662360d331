"""The times and waits that answers tell: believed within bounds, and none raises."""

import hypothesis
import hypothesis.strategies as st
import pytest

from connectors.http.answers import retry_after_s
from connectors.http.messages import Headers, Response
from connectors.http.skew import ClockSkew
from tests.unit.connectors.http.listening import DATE_MS

DAY_MS = 24 * 3_600_000


@pytest.mark.parametrize("ahead_ms", [-DAY_MS - 1, DAY_MS + 1, 8_000 * 365 * DAY_MS])
def test_a_date_beyond_a_day_of_our_clock_is_none(ahead_ms: int) -> None:
    headers = Headers([("Date", "Tue, 15 Nov 2022 08:12:31 GMT")])
    assert Response(200, headers, received_ms=DATE_MS - ahead_ms).observed is None
    assert Response(200, headers, received_ms=DATE_MS - (DAY_MS if ahead_ms > 0 else -DAY_MS)).observed is not None


def test_a_time_that_an_answer_tells_is_believed_up_to_a_day_ahead_and_however_old() -> None:
    response = Response(200, received_ms=DATE_MS)
    assert response.believed(0) == 0
    assert response.believed(DATE_MS + DAY_MS) == DATE_MS + DAY_MS
    assert response.believed(DATE_MS + DAY_MS + 1) is None
    assert response.believed(None) is None


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        ([], 0),
        ([600_000] * 4, 0),
        ([600_000] * 5, 600_000),
        ([-900_100, -600_000, -700_000, -700_000, -700_000], -600_000),
        ([600_000, 600_000, 0, 600_000, 600_000], 0),
        ([600_000, -600_000, 600_000, 600_000, 600_000], 0),
        ([200_000] * 9, 0),
        ([0, *[90_000_000] * 5], 90_000_000),
    ],
)
def test_a_skew_is_told_where_it_lasts(ahead: list[int], told: int) -> None:
    skew = ClockSkew()
    for one in ahead:
        skew.note(one)
        skew.note(None)
    assert skew.lasting_ms == told


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Tue, 99 Nov 2022",
        "Thu, 26 Nov 10000 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -9999",
        "Thu, 01 Jan 1900 00:00:00 GMT",
        "1" * 5_000,
        f"Thu, 26 Nov {'9' * 400} 00:00:00 GMT",
        f"Thu, 26 Nov 2026 00:00:00 {' ' * 35}+0130",  # its first 64 characters are another instant
    ],
)
def test_no_observation_without_a_usable_date(date: str) -> None:

    assert Response(200, Headers([("Date", date)])).observed is None


@hypothesis.given(st.text(max_size=80) | st.from_regex(r"\w{3}, \d+ Nov \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_no_date_whatsoever_raises(date: str) -> None:
    observed = Response(200, Headers([("Date", date)])).observed
    assert observed is None or 0 <= observed.latest_ms <= 253_402_300_799_999


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        ("3", 3.0),
        (" 3 ", 3.0),
        ("-3", 0.0),
        ("1.5", 1.5),
        ("9" * 400, None),
        ("9" * 5_000, None),
        ("9" * 400 + ".5", None),
        ("1e9", None),
        ("inf", None),
        ("x", None),
        ("", None),
        ("Tue, 15 Nov 2022 08:12:41 GMT", 10.0),
        ("Tue, 15 Nov 2022 08:12:30 GMT", 0.0),
        ("Thu, 26 Nov 10000 00:00:00 GMT", None),
    ],
)
def test_a_wait_is_one_that_a_clock_can_count(told: str, wait_s: float | None) -> None:
    headers = Headers([("retry-after", told), ("DATE", "Tue, 15 Nov 2022 08:12:31 GMT")])
    assert retry_after_s(Response(429, headers)) == wait_s


def test_a_date_to_wait_for_counts_by_the_answers_own_clock_only() -> None:
    headers = Headers([("Retry-After", "Tue, 15 Nov 2022 08:12:41 GMT")])
    assert retry_after_s(Response(429, headers, received_ms=DATE_MS)) is None
