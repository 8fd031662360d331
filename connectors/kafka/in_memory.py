"""What a process has taken and not ended, by place and integration, with the ages of the first causes."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from connectors.kafka.consumer import Taken
from schemas.topics import TopicAndPartition
from schemas.traces import Handled
from schemas.vitals import PlaceVitals, summed


@dataclass(slots=True)
class _Place:
    """Counts of one partition; `records` by offset, as they were decoded: what they tell is looked at when asked."""

    records: dict[int, Any] = field(default_factory=dict)
    next_offset: int = 0
    taken: int = 0
    finished: int = 0


class RecordsInMemory:
    """Counts what is taken and what ends; all of it on one loop."""

    def __init__(self, stage: Callable[[str], str], traced: Handled | None = None) -> None:
        """`stage` names the stage that takes a topic; `traced` is told of each record that ends."""
        self._stage = stage
        self._traced = traced
        self._places: dict[TopicAndPartition, _Place] = {}

    def begun(self, taken: Taken, record: Any) -> Taken:
        """The same record, remembered until it is finished."""
        topic, number, offset = taken.topic, taken.partition, taken.offset
        place = self._places.get((topic, number))
        if place is None:
            place = self._places[topic, number] = _Place()
        place.records[offset] = record
        place.next_offset = offset + 1
        place.taken += 1
        end, records = taken.finished, place.records
        if self._traced is not None:
            end = self._telling(self._traced, taken, record, end)

        def finished() -> None:
            if records.pop(offset, None) is not None:
                place.finished += 1
            end()

        return Taken(topic, number, offset, taken.key, taken.value, finished, taken.redriven)

    def _telling(self, traced: Handled, taken: Taken, record: Any, end: Callable[[], None]) -> Callable[[], None]:
        began_ns, stage = time.time_ns(), self._stage(taken.topic)

        def told() -> None:
            traced(stage, (taken.topic, taken.partition), taken.offset, record, began_ns)
            end()

        return told

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions belong to another process now."""
        gone = set(partitions)
        for place in [place for place in self._places if place[1] in gone]:
            del self._places[place]

    def places(self) -> tuple[PlaceVitals, ...]:
        """Every place of which something was taken."""
        return tuple(
            PlaceVitals(
                self._stage(topic),
                topic,
                number,
                place.next_offset,
                place.taken,
                place.finished,
                summed(place.records.items()),
            )
            for (topic, number), place in sorted(self._places.items())
        )


def stage_of(topic: str) -> str:
    """The stage in a connector that takes a topic: `hubspot sink`."""
    system, _, kind = topic.partition(".")
    return f"{system} {'source' if kind in ('notifications', 'requests') else 'sink'}"
