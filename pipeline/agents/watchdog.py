"""Stops a worker that makes no progress while records wait: whatever the cause, a restart helps.

Faust has stopped committing or fetching for good after a rebalance or a broker's return (faust-streaming #596; decision
0010): the process lives and answers, and does nothing.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

from schemas.topics import TopicAndPartition

CHECK_EVERY_S: Final = 15.0
STILL_S: Final = 75.0  # longer than a rebalance, a step's deadline and the wait for a mapping revision together


class Watchdog:
    """Judges the progress of this worker's partitions; times are of one monotonic clock."""

    def __init__(self, still_s: float = STILL_S) -> None:
        self._still_s = still_s
        self._since: dict[TopicAndPartition, tuple[object, float]] = {}

    def stuck(self, waiting: Mapping[TopicAndPartition, object], now: float) -> list[TopicAndPartition]:
        """The partitions with waiting records and no progress for `still_s`; `waiting` gives each one's progress."""
        self._since = {
            place: self._since[place] if self._since.get(place, (None, 0.0))[0] == reached else (reached, now)
            for place, reached in waiting.items()
        }
        return [place for place, (_, since) in self._since.items() if now - since >= self._still_s]


def watch(
    look: Callable[[], Mapping[TopicAndPartition, object]],
    stop_process: Callable[[str], None],
    pause: Callable[[float], None],
) -> None:
    """Check for ever, on a thread of its own: an event loop that hangs would stop the checks too."""
    watchdog = Watchdog()
    while True:
        pause(CHECK_EVERY_S)
        stuck = watchdog.stuck(look(), time.monotonic())
        if stuck:
            places = ", ".join(f"{topic}[{partition}]" for topic, partition in sorted(stuck))
            stop_process(f"nothing was handled of {places} for {STILL_S:.0f} s though records wait there: start again")
