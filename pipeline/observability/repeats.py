"""A library's repeated line is written once for each change of state: a broker that is away fills no disk."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

QUIET_S: Final = 60.0
"""Longer than any library's wait between two tries: after that without a line, the state has changed."""
_RDKAFKA: Final = "librdkafka"

log = logging.getLogger(__name__)

LineKey = tuple[str, str]
"""Logger and kind of line."""


@dataclass(slots=True)
class _Lasting:
    """A state that lasts: its first line was written, the others are counted. Times are `time.time` seconds."""

    first: float
    last: float
    left_out: int = 0


def start_timer(seconds: float, work: Callable[[], None]) -> None:
    """Call `work` later, on a thread that keeps no process alive."""
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()


class Repeats(logging.Filter):
    """Lets the first line of a kind through, then tells how long the state lasted once `quiet_s` pass without one."""

    def __init__(
        self,
        libraries: Collection[str],
        quiet_s: float = QUIET_S,
        *,
        call_later: Callable[[float, Callable[[], None]], None] = start_timer,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._libraries, self._quiet_s = frozenset(libraries), quiet_s
        self._call_later, self._now = call_later, now
        self._lasting: dict[LineKey, _Lasting] = {}
        self._lock = threading.Lock()  # any thread logs

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in self._libraries:
            return True
        key, moment = _key(record), self._now()
        with self._lock:
            lasting = self._lasting.get(key)
            if lasting is not None:
                lasting.last = moment
                lasting.left_out += 1
                return False
            self._lasting[key] = _Lasting(moment, moment)
        self._call_later(self._quiet_s, partial(self._look, key))
        return True

    def _look(self, key: LineKey) -> None:
        with self._lock:
            lasting = self._lasting[key]
            left_s = self._quiet_s - (self._now() - lasting.last)
            if left_s <= 0:
                del self._lasting[key]
        if left_s > 0:
            self._call_later(left_s, partial(self._look, key))
        elif lasting.left_out:
            lasted = lasting.last - lasting.first
            log.info("%s: quiet again; %d lines in %.0f s were left out", " ".join(key), lasting.left_out, lasted)


def _key(record: logging.LogRecord) -> LineKey:
    """The message without its arguments: few, and the same for every attempt."""
    message = str(record.msg)
    if record.name == _RDKAFKA:  # no arguments: `FAIL [rdkafka#consumer-1] [thrd:...]: ...`
        return record.name, message.partition(" ")[0]
    return record.name, message
