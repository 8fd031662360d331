"""How many changes are retained, over time: what the brokers tell of offsets, without reading a record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

from schemas.topics import HUBSPOT_CHANGES, USERFLOW_CHANGES, TopicAndPartition

PARTS: Final = 56
TOPICS: Final = (HUBSPOT_CHANGES, USERFLOW_CHANGES)

Offsets = Mapping[TopicAndPartition, int]


class Brokers(Protocol):
    """What tells offsets."""

    def begin_offsets(self, topics: Sequence[str]) -> Offsets: ...

    def end_offsets(self, topics: Sequence[str]) -> Offsets: ...

    def offsets_at(self, topics: Sequence[str], at_ms: int) -> Offsets: ...


@dataclass(frozen=True, slots=True)
class RetainedChanges:
    """How many came in each part of a time, of every integration."""

    begin_ms: int
    end_ms: int
    parts: tuple[int, ...]

    @property
    def part_ms(self) -> int:
        return (self.end_ms - self.begin_ms) // len(self.parts)


def retained_changes(brokers: Brokers, now_ms: int, kept_ms: int) -> RetainedChanges:
    """The changes of both systems as far as they are kept. Offsets count the marks of transactions too. Blocks."""
    begin_ms = now_ms - kept_ms
    times = [begin_ms + kept_ms * part // PARTS for part in range(1, PARTS)]
    begins, ends = brokers.begin_offsets(TOPICS), brokers.end_offsets(TOPICS)
    # a partition that has no record as young is left out of the answer: all of its records are older
    met = [begins, *({**ends, **brokers.offsets_at(TOPICS, at_ms)} for at_ms in times), ends]
    totals = [sum(max(offsets[place], begins[place]) for place in ends) for offsets in met]
    return RetainedChanges(begin_ms, now_ms, tuple(max(0, after - before) for before, after in pairwise(totals)))
