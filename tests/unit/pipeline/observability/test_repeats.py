"""What a library says again and again is told at the beginning and at the end of a state."""

import logging
from collections.abc import Callable

import pytest

from pipeline.observability.repeats import Repeats


class Moments:
    """A clock and its timers, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, seconds: float, work: Callable[[], None]) -> None:
        self._timers.append((self.now + seconds, work))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self._timers if timer[0] <= end]:
            timer = min(due, key=lambda one: one[0])
            self._timers.remove(timer)
            self.now = max(self.now, timer[0])
            timer[1]()
        self.now = end


def line(message: str, *args: object, name: str = "librdkafka") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, message, args, None)


def test_a_state_has_one_line_when_it_begins_and_one_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    moments = Moments()
    repeats = Repeats(("librdkafka",), 60, call_later=moments.call_later, now=lambda: moments.now)
    through = []

    with caplog.at_level(logging.INFO):
        for number in range(600):
            through.append(repeats.filter(line(f"FAIL [rdkafka#consumer-{number % 7}] refused")))
            moments.advance(1)
        assert through.count(True) == 1 and through[0]
        assert caplog.messages == []
        moments.advance(60)
        assert caplog.messages == ["librdkafka FAIL: quiet again; 599 lines in 599 s were left out"]
        assert repeats.filter(line("FAIL [rdkafka#consumer-1] refused"))


def test_a_line_that_came_once_needs_no_end(caplog: pytest.LogCaptureFixture) -> None:
    moments = Moments()
    repeats = Repeats(("aiokafka",), 60, call_later=moments.call_later, now=lambda: moments.now)

    with caplog.at_level(logging.INFO):
        assert repeats.filter(line("node %d away", 1, name="aiokafka.conn"))
        moments.advance(1_000)
        assert repeats.filter(line("node %d away", 2, name="aiokafka.conn"))

    assert caplog.messages == []


def test_kinds_of_lines_are_states_of_their_own_and_ours_are_never_left_out() -> None:
    moments = Moments()
    repeats = Repeats(("librdkafka",), 60, call_later=moments.call_later, now=lambda: moments.now)

    assert repeats.filter(line("FAIL [a] x"))
    assert repeats.filter(line("REQTMOUT [a] x"))
    assert not repeats.filter(line("FAIL [b] y"))
    assert all(repeats.filter(line("same", name="pipeline.app")) for _ in range(3))
