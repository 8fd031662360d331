"""Which observation is newer: a table of orders, then what a merge makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.freshness import Merged, Order, merge, order
from schemas.records import Origin, StampedValue
from tests.unit.pipeline.core.given import stamped

NEWER, OLDER, OVERLAPPING = Order.NEWER, Order.OLDER, Order.OVERLAPPING

ORDERS = [
    ("exact, later", (1_000, 0), (1_001, 0), NEWER),
    ("exact, earlier", (1_000, 0), (999, 0), OLDER),
    ("exact, the same millisecond", (1_000, 0), (1_000, 0), OVERLAPPING),
    ("the next second", (1_000, 999), (2_000, 999), NEWER),
    ("the second before", (2_000, 999), (1_000, 999), OLDER),
    ("the same second", (1_000, 999), (1_000, 999), OVERLAPPING),
    ("exact within the known second", (1_000, 999), (1_437, 0), OVERLAPPING),
    ("exact at the end of the known second", (1_000, 999), (1_999, 0), OVERLAPPING),
    ("exact after the known second", (1_000, 999), (2_000, 0), NEWER),
    ("a second around the known millisecond", (1_437, 0), (1_000, 999), OVERLAPPING),
    ("a second that ended before", (2_000, 0), (1_000, 999), OLDER),
]


@pytest.mark.parametrize(("known", "seen", "expected"), [row[1:] for row in ORDERS], ids=[row[0] for row in ORDERS])
def test_order(known: tuple[int, int], seen: tuple[int, int], expected: Order) -> None:
    assert order(*known, *seen) is expected


stamps = st.tuples(st.integers(0, 50), st.integers(0, 20))


@given(stamps, stamps)
def test_order_is_antisymmetric(a: tuple[int, int], b: tuple[int, int]) -> None:
    mirrored = {NEWER: OLDER, OLDER: NEWER, OVERLAPPING: OVERLAPPING}
    assert order(*a, *b) is mirrored[order(*b, *a)]


def merged(known: StampedValue, seen: StampedValue, origin: Origin = "webhook") -> Merged:
    return merge({"plan": known}, {"plan": seen}, origin)


def test_a_stale_value_does_not_replace_a_newer_one() -> None:
    found = merged(stamped("pro", 2_000), stamped("free", 1_000))
    assert found.fields["plan"].value == "pro"
    assert found.stale == {"plan"}
    assert not (found.changed or found.unsettled)


def test_a_newer_value_replaces_the_known_one() -> None:
    found = merged(stamped("pro", 1_000), stamped("free", 2_000))
    assert found.fields["plan"] == stamped("free", 2_000)
    assert found.changed == {"plan"}


def test_two_values_of_one_second_keep_the_known_one_and_ask() -> None:
    found = merged(stamped("pro", 1_000, 999), stamped("free", 1_437))
    assert found.fields["plan"] == stamped("pro", 1_000, 999)
    assert found.unsettled == {"plan"}
    assert not found.changed


def test_fields_are_judged_one_by_one() -> None:
    known = {"plan": stamped("pro", 2_000), "seats": stamped(5, 1_000)}
    seen = {"plan": stamped("free", 1_500), "seats": stamped(6, 1_500), "city": stamped("Rome", 1)}
    found = merge(known, seen, "webhook")
    assert {name: field.value for name, field in found.fields.items()} == {"plan": "pro", "seats": 6, "city": "Rome"}
    assert found.changed == {"seats", "city"}
    assert found.stale == {"plan"}


def test_an_equal_value_moves_the_stamp_and_changes_nothing() -> None:
    found = merged(stamped(42, 1_000), stamped(42.0, 3_000))
    assert found.fields["plan"] == stamped(42, 3_000)
    assert not (found.changed or found.stale or found.unsettled)


def test_an_equal_older_value_does_not_make_the_known_one_look_older() -> None:
    assert merged(stamped("pro", 3_000), stamped("pro", 1_000)).fields["plan"] == stamped("pro", 3_000)


class TestOurOwnWrites:
    """The sink writes one object once at a time, so two answers of one second are told in order."""

    def test_the_second_answer_of_a_second_replaces_the_first(self) -> None:
        found = merged(stamped("a", 1_000, 999, ours=True), stamped("b", 1_000, 999, ours=True), "receipt")
        assert found.fields["plan"].value == "b"

    def test_an_answer_and_the_write_of_somebody_else_in_one_second_are_not_guessed(self) -> None:
        found = merged(stamped("a", 1_000, 999, ours=True), stamped("b", 1_400))
        assert found.unsettled == {"plan"}

    def test_the_first_answer_told_again_is_stale_where_the_sink_counted_on(self) -> None:
        """A later write within the same second has a stamp that ends later."""
        found = merged(stamped("b", 1_000, 1_000, ours=True), stamped("a", 1_000, 999, ours=True), "receipt")
        assert found.fields["plan"].value == "b"
        assert found.stale == {"plan"}


class TestTheSameMillisecond:
    """HubSpot's notifications and reads carry milliseconds: a read that names the same one shows what came of it."""

    def test_a_read_settles_it(self) -> None:
        assert merged(stamped("a", 1_000), stamped("b", 1_000), "lookup").fields["plan"].value == "b"

    @pytest.mark.parametrize("origin", ["webhook", "crawl", "journal", "poll", "receipt"])
    def test_nothing_else_does(self, origin: Origin) -> None:
        assert merged(stamped("a", 1_000), stamped("b", 1_000), origin).unsettled == {"plan"}


@given(st.permutations([(at_ms, f"value {at_ms}") for at_ms in (10, 20, 30, 40)]))
def test_arrival_order_does_not_matter(observations: list[tuple[int, str]]) -> None:
    known: dict[str, StampedValue] = {}
    for at_ms, value in observations:
        known = dict(merge(known, {"plan": stamped(value, at_ms)}, "webhook").fields)
    assert known["plan"] == stamped("value 40", 40)
