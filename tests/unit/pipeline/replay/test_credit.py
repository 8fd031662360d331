"""A replay waits behind live changes, says that it waits, and gives up where nothing moves."""

from collections.abc import Iterator

import pytest

from pipeline.replay.credit import STALLED_S, TOLD_EVERY_S, Credit, NothingMoves


class Road:
    """What is unfinished downstream at each look; looking takes a second."""

    def __init__(self, counts: Iterator[int]) -> None:
        self._counts = counts
        self.now = 0.0
        self.slept = 0
        self.told: list[int] = []

    def outstanding(self) -> int:
        self.now += 1.0
        return next(self._counts)

    def sleep(self, _: float) -> None:
        self.slept += 1

    def credit(self) -> Credit:
        return Credit(self.outstanding, 300, self.told.append, lambda: self.now, self.sleep)


def test_where_there_is_room_nothing_waits() -> None:
    road = Road(iter([299]))
    road.credit().wait()
    assert (road.slept, road.told) == (0, [])


def test_it_goes_on_once_there_is_room_and_tells_meanwhile() -> None:
    road = Road(iter(range(330, 200, -1)))
    road.credit().wait()
    assert road.slept == 31 and len(road.told) == 31 // (int(TOLD_EVERY_S) + 1)


def test_slow_is_not_stalled() -> None:
    road = Road(iter([300 + left for left in range(20, -1, -1) for _ in range(int(STALLED_S) // 2)] + [1]))
    road.credit().wait()
    assert road.now > 10 * STALLED_S / 2


def test_where_nothing_ends_it_gives_up_and_says_so() -> None:
    road = Road(iter([400] * 10_000))
    with pytest.raises(NothingMoves, match="400 records wait downstream"):
        road.credit().wait()
    assert road.now <= STALLED_S + 5
