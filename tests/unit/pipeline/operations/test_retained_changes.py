"""Changes over time, from offsets alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.operations.retained_changes import PARTS, Offsets, retained_changes
from schemas.topics import HUBSPOT_CHANGES, USERFLOW_CHANGES, TopicAndPartition

DAY_MS = 86_400_000
NOW_MS = 100 * DAY_MS
PLACES: Sequence[TopicAndPartition] = ((HUBSPOT_CHANGES, 0), (USERFLOW_CHANGES, 0), (USERFLOW_CHANGES, 1))


@dataclass
class Log:
    """Records by place, each at its time; what was before `begin` is no more."""

    times: dict[TopicAndPartition, list[int]]
    begin: int = 0

    def begin_offsets(self, topics: Sequence[str]) -> Offsets:
        return {place: min(self.begin, len(self.times.get(place, ()))) for place in PLACES}

    def end_offsets(self, topics: Sequence[str]) -> Offsets:
        return {place: len(self.times.get(place, ())) for place in PLACES}

    def offsets_at(self, topics: Sequence[str], at_ms: int) -> Offsets:
        found = {
            place: next((at for at, one in enumerate(self.times.get(place, ())) if one >= at_ms), -1)
            for place in PLACES
        }
        return {place: offset for place, offset in found.items() if offset >= 0}


def test_each_change_is_in_the_part_in_which_it_came() -> None:
    begin_ms = NOW_MS - 7 * DAY_MS
    first, last = [begin_ms + 1] * 3, [NOW_MS - 1] * 4
    log = Log({PLACES[0]: [*first, *last], PLACES[1]: [begin_ms + 7 * DAY_MS // 2 + 1]})
    told = retained_changes(log, NOW_MS, 7 * DAY_MS)
    assert len(told.parts) == PARTS and told.part_ms == 3 * 60 * 60 * 1000
    assert {at: number for at, number in enumerate(told.parts) if number} == {0: 3, PARTS // 2: 1, PARTS - 1: 4}


def test_what_retention_took_is_counted_nowhere() -> None:
    log = Log({PLACES[2]: [NOW_MS - 6 * DAY_MS, NOW_MS - 5 * DAY_MS, NOW_MS - 10]}, begin=2)
    told = retained_changes(log, NOW_MS, 7 * DAY_MS)
    assert sum(told.parts) == 1 and told.parts[-1] == 1


def test_nothing_retained_is_nothing_drawn() -> None:
    assert set(retained_changes(Log({}), NOW_MS, DAY_MS).parts) == {0}
