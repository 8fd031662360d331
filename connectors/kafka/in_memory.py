"""What a process has taken and not ended, by place and integration, with the ages of the first causes."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from connectors.kafka.consumer import Taken
from schemas.topics import TopicAndPartition
from schemas.vitals import Held, PlaceVitals, held, summed


class RecordsInMemory:
    """Counts what is taken and what ends; all of it on one loop."""

    def __init__(self, stage: Callable[[str], str]) -> None:
        """`stage` names the stage that takes a topic."""
        self._stage = stage
        self._held: dict[TopicAndPartition, dict[int, Held]] = {}
        self._next: dict[TopicAndPartition, int] = {}
        self._taken: dict[TopicAndPartition, int] = defaultdict(int)
        self._finished: dict[TopicAndPartition, int] = defaultdict(int)

    def begun(self, taken: Taken, record: Any) -> Taken:
        """The same record, remembered until it is finished."""
        place = (taken.topic, taken.partition)
        there = self._held.setdefault(place, {})
        there[taken.offset] = held(record, taken.offset)
        self._next[place] = taken.offset + 1
        self._taken[place] += 1

        def finished() -> None:
            if there.pop(taken.offset, None) is not None:
                self._finished[place] += 1
            taken.finished()

        return replace(taken, finished=finished)

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions belong to another process now."""
        gone = set(partitions)
        for place in [place for place in self._held if place[1] in gone]:
            del self._held[place]
            self._next.pop(place, None)

    def places(self) -> tuple[PlaceVitals, ...]:
        """Every place of which something was taken."""
        return tuple(
            PlaceVitals(
                self._stage(place[0]),
                place[0],
                place[1],
                self._next.get(place, 0),
                self._taken[place],
                self._finished[place],
                summed(list(there.values())),
            )
            for place, there in sorted(self._held.items())
        )


def stage_of(topic: str) -> str:
    """The stage in a connector that takes a topic: `hubspot sink`."""
    system, _, kind = topic.partition(".")
    return f"{system} {'source' if kind in ('notifications', 'requests') else 'sink'}"
