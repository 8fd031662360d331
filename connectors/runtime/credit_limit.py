"""How much bulk may be unfinished in the worker: as much as it finishes in the time that a live change bears to wait.

A live change waits behind whatever stands in its partition. How long that is shows in how fast it is finished, less
what the road takes for a record that waits behind nothing: two fetches, two gathered steps, two transactions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LIVE_BEARS_S: Final = 0.15
"""What a live change may wait behind bulk in the worker's stages together."""

MOST_ROAD_S: Final = 0.15
"""What the road itself is taken to need at most: a worker that is busy from the first look on is no long road."""

ROOM_S: Final = 0.09  # below it the limit grows: between the two it stays
EVERY_S: Final = 0.2  # between two judgements: a step frees its records at once, so less says little
LEAST_RECORDS: Final = 100  # a page
MOST_RECORDS: Final = 5_000
GROWTH: Final = 1.25
SHRINKAGE: Final = 0.7


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the worker at one look: records that wait for it, and those it has finished since ever."""

    unfinished: int
    finished: int


class CreditLimit:
    """The limit, and what it is judged by."""

    def __init__(self, start: int) -> None:
        self.records = start
        self._before: tuple[float, Mapping[str, Stage]] | None = None
        self._late_s = MOST_ROAD_S  # what records took of late: a single look sees bursts
        self._road_s = MOST_ROAD_S  # the least of that

    def looked(self, stages: Mapping[str, Stage], now: float) -> None:
        """Judge the limit by what the stages have finished since the last judgement; `now` in seconds."""
        if self._before is None:
            self._before = (now, stages)
            return
        then, before = self._before
        if now - then < EVERY_S:
            return
        self._before = (now, stages)
        waits_s = sum(
            _waits_s(stage, stage.finished - before[name].finished, now - then)
            for name, stage in stages.items()
            if name in before
        )
        if sum(stage.unfinished for stage in stages.values()) * 2 < self.records:
            return  # something else holds bulk up: a vendor, or there is none
        self._late_s += (waits_s - self._late_s) / 2
        self._road_s = min(self._road_s, self._late_s)
        behind_s = self._late_s - self._road_s
        if behind_s > LIVE_BEARS_S:
            self.records = max(LEAST_RECORDS, int(self.records * SHRINKAGE))
        elif behind_s < ROOM_S:
            self.records = min(MOST_RECORDS, int(self.records * GROWTH))


def _waits_s(stage: Stage, finished: int, within_s: float) -> float:
    """How long what waits now takes at the pace of late; what nothing is finished of has waited all that time."""
    if not stage.unfinished:
        return 0.0
    return within_s * stage.unfinished / finished if finished > 0 else within_s
