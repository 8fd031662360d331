"""Rows with stamps from the future, from before vendors' clocks were believed within bounds: what is seen counts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.freshness import TOO_FAR_AHEAD_MS, believed
from pipeline.core.pairing import EMPTY, believed_pair
from schemas.records import Origin
from schemas.state import Candidate, ObjectState, PairState
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, gone, stamped, user, written
from tests.unit.pipeline.core.pair_in_step import in_step, title
from tests.unit.pipeline.middle import NOW_MS, Middle

IN_9998 = 253_370_764_800_000
LATEST_MS = NOW_MS + TOO_FAR_AHEAD_MS


def poisoned() -> Middle:
    """A pair that was seen once while both vendors' clocks stood in the year 9998."""
    middle = in_step()
    middle.feed(
        contact(IN_9998, {"jobtitle": "Odd", "tier": "pro"}, origin="lookup", spread_ms=999),
        written("userflow", USER, IN_9998, {"title": "Odd"}, spread_ms=999),
        user(IN_9998 + 5_000, {"title": "Odd", "plan": "pro"}, origin="crawl", spread_ms=999),
    )
    return middle


@pytest.mark.parametrize("origin", ["webhook", "lookup", "crawl"])
def test_everything_that_is_seen_later_counts(origin: Origin) -> None:
    middle = poisoned()
    assert middle.feed(contact(NOW_MS, {"jobtitle": "Prof", "tier": "pro"}, origin=origin)).wrote == title("Prof")
    middle.feed(written("userflow", USER, NOW_MS + 1, {"title": "Prof"}))
    assert middle.feed(user(NOW_MS + 2, {"title": "Prof", "plan": "free"})).wrote == [
        ("hubspot", CONTACT, {"tier": "free"})
    ]


def test_a_deletion_counts_too() -> None:
    middle = poisoned()
    middle.feed(gone("userflow", USER, NOW_MS))
    assert middle.pair(EMAIL).userflow == {}


def test_a_full_sync_leaves_no_such_stamp() -> None:
    middle = poisoned()
    middle.feed(contact(NOW_MS, {"jobtitle": "Odd", "tier": "pro"}, origin="crawl", run_id="run-1"))
    middle.feed(user(NOW_MS, {"title": "Odd", "plan": "pro"}, origin="crawl", run_id="run-1", spread_ms=999))
    pair = middle.pair(EMAIL)
    candidates = [*pair.hubspot.values(), *pair.userflow.values()]
    rows: list[Candidate | ObjectState] = [*middle.objects.values(), *candidates]
    ends = [row.at_ms + row.spread_ms for row in rows]
    ends += [known.at_ms + known.spread_ms for row in rows for known in row.fields.values()]
    assert max(ends) <= LATEST_MS


def test_events_and_rewrites_of_the_future_hold_nothing_up() -> None:
    odd = replace(
        EMPTY,
        rewrites={"userflow.title": (5, IN_9998), "userflow.other": (IN_9998,)},
        streamed={"a": 7, "b": IN_9998},
        streamed_until_ms=IN_9998,
    )
    healed = believed_pair(odd, LATEST_MS)
    assert (healed.rewrites, healed.streamed_until_ms) == ({"userflow.title": (5,)}, 7)


_STAMPS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2 * LATEST_MS), max_size=3)


@given(_STAMPS, st.integers(0, 2 * LATEST_MS))
def test_what_is_believed_stays_as_it_is(times: dict[str, int], latest_ms: int) -> None:
    fields = {name: stamped(name, at_ms) for name, at_ms in times.items()}
    healed = believed(fields, latest_ms)
    assert {name: known.value for name, known in healed.items()} == {name: name for name in times}
    assert all(known.at_ms <= latest_ms for known in healed.values())
    assert all(healed[name] is known for name, known in fields.items() if known.at_ms <= latest_ms)
    assert believed(healed, latest_ms) is healed
    state = PairState(1, {CONTACT: Candidate(1, 0, fields)}, {})
    assert believed_pair(believed_pair(state, latest_ms), latest_ms) == believed_pair(state, latest_ms)
