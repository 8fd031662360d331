"""Records that may have ended a worker: those unfinished when it ended, which the next worker is given fewer at once.

Half as many at every end: the one that ends workers is alone in the end, and no innocent record is buried with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from connectors.kafka.consumer import Taken
from connectors.runtime.waiting import Waiting

MOST_ENDS: Final = 5  # so many workers of an integration may end while a record is under way, at the last one alone

Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""


class Suspects:
    """The suspects of one connector, by integration; `changed` is called when one more may be given to a worker."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._ends: dict[str, dict[Place, int]] = {}
        self._at_work: dict[str, set[Place]] = {}
        self._most: dict[str, int] = {}

    def ended(self, integration: str, left: Sequence[Waiting]) -> list[Waiting]:
        """A worker ended with these records unfinished; returns those that are to end too."""
        places, ends = list(map(_place, left)), self._ends.setdefault(integration, {})
        for place in places:
            ends[place] = ends.get(place, 0) + 1
        self._most[integration] = max(len(left) // 2, 1)
        self._at_work[integration] = set()
        if len(left) != 1 or ends[places[0]] < MOST_ENDS:
            return []
        del ends[places[0]]
        return list(left)

    def begin_anew(self, integration: str) -> None:
        """Another worker begins: nothing is at work."""
        self._at_work[integration] = set()

    def forget(self, integration: str) -> None:
        """Another process has its records, or it is no more."""
        for kept in (self._ends, self._at_work, self._most):
            kept.pop(integration, None)

    def given(self, integration: str, taken: Taken) -> Taken | None:
        """The record for the worker, of records offered in order; None: it waits for suspects before it."""
        ends, place = self._ends.get(integration), (taken.topic, taken.partition, taken.offset)
        if not ends:
            return taken
        at_work = self._at_work.setdefault(integration, set())
        if place not in ends:
            return None if at_work else taken
        if len(at_work) >= self._most[integration]:
            return None
        at_work.add(place)

        def finished() -> None:
            ends.pop(place, None)
            self._at_work.get(integration, set()).discard(place)
            taken.finished()
            self._changed()

        return replace(taken, finished=finished)


def _place(waiting: Waiting) -> Place:
    taken, _ = waiting
    return taken.topic, taken.partition, taken.offset
