"""The watchdog: a worker that stands still before waiting records is ended, and no other."""

import pytest

from pipeline.agents.watchdog import CHECK_EVERY_S, STILL_S, Watchdog, watch

HERE, THERE = ("hubspot.changes", 0), ("sync.matches", 1)


class Ended(Exception):
    """The process would be gone."""


def test_a_partition_that_got_no_further_is_stuck() -> None:
    dog = Watchdog(60.0)
    assert dog.stuck({HERE: 7, THERE: 1}, 0.0) == []
    assert dog.stuck({HERE: 7, THERE: 2}, 59.0) == []
    assert dog.stuck({HERE: 7, THERE: 3}, 60.0) == [HERE]


@pytest.mark.parametrize("between", [{}, {HERE: 8}, {THERE: 1}], ids=["nothing waits", "it got on", "given away"])
def test_what_moves_or_has_nothing_before_it_is_not(between: dict[tuple[str, int], int]) -> None:
    dog = Watchdog(60.0)
    dog.stuck({HERE: 7}, 0.0)
    dog.stuck(between, 30.0)
    assert dog.stuck({HERE: 7}, 80.0) == []


def test_the_process_is_ended_with_the_place_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def pause(seconds: float) -> None:
        nonlocal now
        assert seconds == CHECK_EVERY_S
        now += seconds

    looks = 0

    def look() -> dict[tuple[str, int], object]:
        nonlocal looks
        looks += 1
        if looks == 2:
            return {}
        return {HERE: 7}

    def stop_process(message: str) -> None:
        raise Ended(message)

    monkeypatch.setattr("pipeline.agents.watchdog.time.monotonic", lambda: now)
    with pytest.raises(Ended, match=r"hubspot\.changes\[0\] for 75 s"):
        watch(look, stop_process, pause)
    # brokers that are away say nothing of the worker: it counts from their return
    assert now == 3 * CHECK_EVERY_S + STILL_S
