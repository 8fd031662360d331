"""State made again from what is retained: the agents' own decisions over every record they had handled, without Kafka.

OBJECTS and PAIRS handle each record as they did, at its time, over rows that begin empty. What goes on in the middle
is followed; what leaves for the rim is dropped, for what it led to is among the records.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors.kafka.partitioner import partition_of
from pipeline.agents.configuration import IntegrationView
from pipeline.agents.objects import Objects
from pipeline.agents.pairs import Pairs
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming
from schemas.records import ActivityEvent, ChangeEvent, MatchedChange, Receipt, StateCommand
from schemas.topics import OBJECTS_STATE, PAIRS_STATE, pair_key

MOST_STEPS: Final = 1_000_000
"""What one record may lead to: a command for all pairs goes on in slices."""
FROM_OUTSIDE: Final = frozenset({"rederive", "ask", "compare", "reread", "sweep"})
"""Commands that no agent gives; those that an agent gives follow from other records."""

TO_A_PARTITION: Final = "partition-"
"""How the keys of commands to whole partitions begin."""

Key = tuple[str, int]
"""A state topic and a partition of it."""


@dataclass(slots=True)
class KeptRows:
    """One partition's rows as bytes; `encode` and `decode` are the codec's for its topic."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    values: dict[str, bytes] = field(default_factory=dict)

    def get(self, key: str, /) -> Any:
        value = self.values.get(key)
        return None if value is None else self.decode(value)

    def keys(self) -> Iterable[str]:
        return list(self.values)

    def take(self, changed: Mapping[str, Any]) -> None:
        """Take over what a step changed."""
        for key, row in changed.items():
            if row is None:
                self.values.pop(key, None)
            else:
                self.values[key] = self.encode(row)


def from_outside(record: Any) -> bool:
    """Whether a record is to be handled for itself, and does not follow from another that is."""
    if isinstance(record, StateCommand):
        return record.kind in FROM_OUTSIDE and record.cursor is None
    return isinstance(record, ChangeEvent | ActivityEvent | Receipt)


class Rebuilding:
    """Handles records one after the other, in the order of their times."""

    def __init__(
        self,
        view: Callable[[str], IntegrationView | None],
        rows: Callable[[str], KeptRows],
        partitions: int,
        event_hold_ms: int,
        lookup_interval_ms: int,
    ) -> None:
        self._now_ms = 0
        self._partitions = partitions
        self._objects = Objects(view, lambda: self._now_ms, event_hold_ms)
        self._pairs = Pairs(view, lambda: self._now_ms, event_hold_ms, lookup_interval_ms)
        self.rows: dict[Key, KeptRows] = {
            (topic, number): rows(topic) for topic in (OBJECTS_STATE, PAIRS_STATE) for number in range(partitions)
        }
        self.handled = 0
        self.failed = 0  # records whose decision raised: then too they became dead letters and left no trace

    def handle(self, incoming: Incoming, at_ms: int) -> None:
        """Handle one record to its end; `at_ms` is when it was written."""
        if not from_outside(incoming.record):
            return
        self._now_ms = max(at_ms, self._now_ms)
        self.handled += 1
        for one in self._placed(incoming):
            self._to_the_end(one)

    def _placed(self, incoming: Incoming) -> Iterator[Incoming]:
        """The record where it is to be handled.

        Commands to whole partitions come one for each; their count may have been another one, so the first stands for
        all of them.
        """
        if not incoming.key.startswith(TO_A_PARTITION):
            yield incoming
        elif incoming.key == f"{TO_A_PARTITION}0":
            yield from (replace(incoming, partition=number) for number in range(self._partitions))

    def _to_the_end(self, incoming: Incoming) -> None:
        waiting: deque[Incoming] = deque([incoming])
        for _ in range(MOST_STEPS):
            if not waiting:
                return
            one = waiting.popleft()
            for effects in self._steps(one):
                for output in effects.outputs:
                    waiting += self._followed(output, one)

    def _steps(self, incoming: Incoming) -> Iterator[Effects]:
        record = incoming.record
        of_objects = isinstance(record, ChangeEvent | ActivityEvent)
        if of_objects or (isinstance(record, StateCommand) and record.stage == "objects"):
            yield self._step(self._objects, OBJECTS_STATE, incoming)
        else:
            yield self._step(self._pairs, PAIRS_STATE, incoming)

    def _step(self, stage: Objects | Pairs, topic: str, incoming: Incoming) -> Effects:
        rows = self.rows[topic, incoming.partition]
        trial: Overlay[Any] = Overlay(rows)
        try:
            effects = stage.decide(incoming, trial)
        except Exception:  # noqa: BLE001 - as in the step: whatever a decision raises became a dead letter then
            self.failed += 1
            return Effects((), "dead-lettered")
        rows.take(trial.changed)
        return effects

    def _followed(self, output: Output, after: Incoming) -> Iterator[Incoming]:
        record = output.record
        if isinstance(record, MatchedChange):
            key = pair_key(record.integration, record.connection, record.mapping, record.match_value)
        elif isinstance(record, StateCommand):
            key = output.key
        else:
            return
        number = output.partition if output.partition is not None else partition_of(key, self._partitions)
        yield Incoming(output.topic, number, after.offset, key, b"", record)


@dataclass(frozen=True, slots=True)
class Compared:
    """What was rebuilt of one state topic, against what is there."""

    rebuilt: int
    equal: int
    differ: int  # there is another row of the key
    new: int  # there was none
    lost: int  # there is a row, and nothing of it is retained
    kept: int = 0  # of what was erased: a row that refuses what is late


def compared(rebuilt: Mapping[str, bytes], present: Mapping[str, bytes], kept: int) -> Compared:
    """The figures of one topic. Pure."""
    both = rebuilt.keys() & present.keys()
    equal = sum(rebuilt[key] == present[key] for key in both)
    return Compared(
        len(rebuilt), equal, len(both) - equal, len(rebuilt) - len(both), len(present) - len(both) - kept, kept
    )
