"""What was written here lately: echoes need no read, and answers of one second keep their order."""

from connectors.contract.source import News
from connectors.session.echoes import REMEMBERED_WRITES, RecentWrites
from schemas.records import StampedValue


def told(value: str, at_ms: int) -> News:
    return News("contacts", "1", "upserted", {"plan": StampedValue(value, at_ms)}, at_ms, 0, complete=False)


def test_an_echo_is_the_value_and_time_of_our_write() -> None:
    writes = RecentWrites()
    writes.wrote("contacts", "1", "plan", "pro", 100)
    assert writes.echoed(told("pro", 100))
    assert not writes.echoed(told("free", 100))
    assert not writes.echoed(told("pro", 101))
    assert not writes.echoed(News("contacts", "1", "upserted", {}, 100, 0, complete=False))


def test_only_so_many_writes_are_remembered() -> None:
    writes = RecentWrites()
    writes.wrote("contacts", "1", "plan", "pro", 100)
    for number in range(REMEMBERED_WRITES):
        writes.wrote("contacts", f"other {number}", "plan", "pro", 100)
    assert not writes.echoed(told("pro", 100))


def test_the_second_answer_of_one_second_ends_later() -> None:
    writes = RecentWrites()
    ends = [5_000 + writes.spread_ms("users", "u", 5_000, 999) for _ in range(3)]
    assert ends == [5_999, 6_000, 6_001]
    assert writes.spread_ms("users", "other", 5_000, 999) == 999
    assert writes.spread_ms("users", "u", 9_000, 999) == 999


def test_an_exact_answer_stays_exact() -> None:
    writes = RecentWrites()
    assert [writes.spread_ms("contacts", "1", 5_000, 0) for _ in range(2)] == [0, 0]
