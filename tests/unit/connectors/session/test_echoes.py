"""What was written here lately: echoes need no read, repeats no call, and answers of one second keep their order."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from connectors.contract.sink import Write
from connectors.contract.source import News
from connectors.session.echoes import ECHO_APART_MS, REMEMBERED_WRITES, WRITES_OF_A_FIELD, RecentWrites
from schemas.records import FieldPatch, StampedValue
from schemas.values import FieldValue


def told(value: str, at_ms: int) -> News:
    return News("contacts", "1", "upserted", {"plan": StampedValue(value, at_ms)}, at_ms, 0, complete=False)


def write(value: str, object_id: str = "1") -> Write:
    return Write("contacts", object_id, {"plan": value})


def patch(value: FieldValue, known_until_ms: Mapping[str, int]) -> FieldPatch:
    return FieldPatch(
        integration="acme",
        connection=1,
        revision=1,
        mapping="contacts-users",
        match_value="ada@example.com",
        system="hubspot",
        object_type="contacts",
        object_id="1",
        fields={"plan": value},
        known_until_ms=known_until_ms,
    )


def test_an_echo_is_the_value_of_our_write_at_about_its_time() -> None:
    writes = RecentWrites()
    writes.wrote(write("pro"), {"plan": "pro"}, 100)
    assert writes.echoed(told("pro", 100))
    assert not writes.echoed(told("free", 100))
    assert writes.echoed(told("pro", 101))
    assert not writes.echoed(told("pro", 101 + ECHO_APART_MS))
    assert not writes.echoed(News("contacts", "1", "upserted", {}, 100, 0, complete=False))


def test_the_echo_of_a_bulk_write_is_bulk_unless_it_may_be_the_echo_of_a_live_one_too() -> None:
    writes = RecentWrites()
    writes.wrote(replace(write("pro"), bulk=True), {"plan": "pro"}, 100)
    assert writes.echoed_bulk(told("pro", 100))
    writes.wrote(write("pro"), {"plan": "pro"}, 101)
    assert not writes.echoed_bulk(told("pro", 100))


def test_the_echo_of_a_write_is_known_after_the_next_one_and_only_the_last_is_repeated() -> None:
    writes = RecentWrites()
    for at_ms, value in ((100, "first"), (5_000, "second")):
        writes.wrote(write(value), {"plan": value}, at_ms)
    assert writes.echoed(told("first", 100))
    assert writes.echoed(told("second", 5_000))
    assert not writes.echoed(told("first", 5_000))
    assert not writes.repeats(patch("first", {"plan": 99}), "plan")
    assert writes.repeats(patch("second", {"plan": 99}), "plan")
    for number in range(WRITES_OF_A_FIELD):
        writes.wrote(write(f"later {number}"), {"plan": f"later {number}"}, 9_000)
    assert not writes.echoed(told("second", 5_000))


def test_an_echo_of_a_write_under_way_may_be_one_until_the_write_has_ended() -> None:
    writes = RecentWrites()
    assert not writes.may_echo(told("pro", 100))
    writes.began(write("pro"))
    assert writes.may_echo(told("pro", 100))
    assert not writes.may_echo(told("free", 100))
    writes.ended(write("pro"))
    assert not writes.may_echo(told("pro", 100))


def test_only_so_many_writes_are_remembered() -> None:
    writes = RecentWrites()
    writes.wrote(write("pro"), {"plan": "pro"}, 100)
    for number in range(REMEMBERED_WRITES):
        writes.wrote(write("pro", f"other {number}"), {"plan": "pro"}, 100)
    assert not writes.echoed(told("pro", 100))


@pytest.mark.parametrize(
    ("value", "known_until_ms", "repeats"),
    [
        ("sent", {"plan": 99}, True),
        ("stored", {"plan": 99}, True),
        ("another", {"plan": 99}, False),
        ("sent", {"plan": 100}, False),
        ("sent", {"plan": 101}, False),
        ("sent", {}, False),
    ],
    ids=["sent again", "stored form", "another value", "knows the answer", "knows a later value", "knew nothing"],
)
def test_a_patch_repeats_a_write_whose_answer_its_pair_did_not_know(
    value: str, known_until_ms: Mapping[str, int], repeats: bool
) -> None:
    writes = RecentWrites()
    writes.wrote(write("sent"), {"plan": "stored"}, 100)
    assert writes.repeats(patch(value, known_until_ms), "plan") is repeats


def test_true_does_not_repeat_one() -> None:
    writes = RecentWrites()
    writes.wrote(Write("contacts", "1", {"plan": True}), {"plan": True}, 100)
    assert not writes.repeats(patch(1, {"plan": 99}), "plan")


def test_the_second_answer_of_one_second_ends_later() -> None:
    writes = RecentWrites()
    ends = [5_000 + writes.spread_ms("users", "u", 5_000, 999) for _ in range(3)]
    assert ends == [5_999, 6_000, 6_001]
    assert writes.spread_ms("users", "other", 5_000, 999) == 999
    assert writes.spread_ms("users", "u", 9_000, 999) == 999


def test_an_exact_answer_stays_exact() -> None:
    writes = RecentWrites()
    assert [writes.spread_ms("contacts", "1", 5_000, 0) for _ in range(2)] == [0, 0]
