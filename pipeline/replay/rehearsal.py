"""What a replay will write: the agents' own decisions over the rows of now, without Kafka.

Exact, since nothing is decided here: OBJECTS and PAIRS handle each record as the worker will, and every patch is taken
as written, so that a later record of the pair derives it no more. A system that has to be asked who else holds a match
value, as after an edit of the mapping, is taken to answer what is known.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from pipeline.agents.configuration import IntegrationView
from pipeline.agents.objects import Objects
from pipeline.agents.pairs import Pairs
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming
from pipeline.core.candidates import side
from pipeline.core.outcome import Outcome
from schemas.records import (
    ActivityEvent,
    ChangeEvent,
    ConnectorRequest,
    DeadLetter,
    FieldPatch,
    Found,
    MatchedChange,
    StampedValue,
    StateCommand,
    TimelineEvent,
)
from schemas.state import ObjectState, PairState
from schemas.topics import object_key, pair_key, requests_topic
from schemas.values import System

MOST_STEPS: Final = 10_000
"""What one record may lead to here; the worker goes on in slices."""

RowT = TypeVar("RowT")


class Rows(Generic[RowT]):
    """Rows kept as bytes, decoded when they are asked for."""

    def __init__(self, values: Mapping[str, bytes], decode: Callable[[bytes], RowT]) -> None:
        self._values = values
        self._decode = decode

    def get(self, key: str, /) -> RowT | None:
        value = self._values.get(key)
        return None if value is None else self._decode(value)

    def keys(self) -> Iterable[str]:
        return self._values.keys()


@dataclass(slots=True)
class Rehearsed:
    """What the records led to."""

    records: int = 0
    objects: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)  # objects whose records lead to a write, or a refusal
    outcomes: Counter[str] = field(default_factory=Counter)  # of records: written, refused, stale, equal
    targets: dict[str, set[tuple[str, str]]] = field(default_factory=dict)  # system -> type and id of what is written
    fields: int = 0
    refused: int = 0  # values that are refused for the first time
    events: int = 0
    requests: Counter[str] = field(default_factory=Counter)  # system -> reads

    def writes(self, system: str) -> int:
        """How many objects of the system are written."""
        return len(self.targets.get(system, ()))

    @property
    def written(self) -> int:
        return sum(map(len, self.targets.values()))


class Rehearsal:
    """Handles records one after the other."""

    def __init__(
        self,
        view: IntegrationView,
        objects: Rows[ObjectState],
        pairs: Rows[PairState],
        now_ms: int,
        event_hold_ms: int,
        lookup_interval_ms: int,
    ) -> None:
        self.found = Rehearsed()
        self._now_ms = now_ms
        self._objects = Objects(lambda _: view, lambda: now_ms, event_hold_ms)
        self._pairs = Pairs(lambda _: view, lambda: now_ms, event_hold_ms, lookup_interval_ms)
        self._object_rows: Overlay[ObjectState] = Overlay(objects)
        self._pair_rows: Overlay[PairState] = Overlay(pairs)

    def handle(self, key: str, record: ChangeEvent | ActivityEvent) -> None:
        """Handle one record to its end."""
        found, fields, refused = self.found, self.found.fields, self.found.refused
        found.records += 1
        found.objects.add(key)
        outcome = self._to_the_end(record)
        if found.fields > fields:
            found.outcomes["written"] += 1
        elif found.refused > refused:
            found.outcomes["refused"] += 1
        if (found.fields, found.refused) != (fields, refused):
            found.changed.add(key)
        else:
            found.outcomes["stale" if outcome == "stale" else "equal"] += 1

    def _to_the_end(self, record: Any) -> Outcome:
        waiting: deque[Any] = deque([record])
        first: Outcome | None = None
        for _ in range(MOST_STEPS):
            if not waiting:
                break
            effects = self._step(waiting.popleft())
            first = first or effects.outcome
            for output in effects.outputs:
                waiting += self._taken(output)
        return first or "equal"

    def _step(self, record: Any) -> Effects:
        incoming = Incoming("", 0, 0, "", b"", record)
        of_objects = isinstance(record, ChangeEvent | ActivityEvent)
        if of_objects or (isinstance(record, StateCommand) and record.stage == "objects"):
            return self._objects.decide(incoming, self._object_rows)
        return self._pairs.decide(incoming, self._pair_rows)

    def _taken(self, output: Output) -> Iterable[Any]:
        """Count what leaves for the rim; what goes on in the middle, and a patch's effect, is handled next."""
        match record := output.record:
            case MatchedChange() | StateCommand():
                return (record,)
            case FieldPatch():
                self.found.fields += len(record.fields)
                self.found.targets.setdefault(record.system, set()).add((record.object_type, record.object_id))
                return (self._answer(record),)
            case DeadLetter():
                self.found.refused += 1
            case TimelineEvent():
                self.found.events += 1
            case ConnectorRequest():
                self.found.requests[record.object_type] += len(record.values)
                if record.kind == "lookup" and record.tell_missing:
                    return self._holders(record, output.topic)
        return ()

    def _holders(self, request: ConnectorRequest, topic: str) -> Iterator[ChangeEvent]:
        """What a system will answer that is asked who holds match values: those who are known to."""
        system: System = "hubspot" if topic == requests_topic("hubspot") else "userflow"
        for value in request.values:
            pair = self._pair_rows.get(pair_key(request.integration, request.connection, request.mapping or "", value))
            held = side(pair, system) if pair is not None else {}
            for object_id in held:
                key = object_key(request.integration, request.connection, system, request.object_type, object_id)
                row = self._object_rows.get(key)
                if row is not None and row.present:
                    found = Found(request.mapping or "", value, len(held))
                    yield ChangeEvent(
                        integration=request.integration,
                        connection=request.connection,
                        revision=row.revision,
                        system=system,
                        object_type=request.object_type,
                        object_id=object_id,
                        operation="upserted",
                        at_ms=row.at_ms,
                        spread_ms=row.spread_ms,
                        origin="lookup",
                        fields=row.fields,
                        bulk=True,
                        found=found,
                    )

    def _answer(self, patch: FieldPatch) -> ChangeEvent:
        """What the target will answer to a write, as its sink tells it."""
        now_ms = self._now_ms
        return ChangeEvent(
            integration=patch.integration,
            connection=patch.connection,
            revision=patch.revision,
            system=patch.system,
            object_type=patch.object_type,
            object_id=patch.object_id,
            operation="upserted",
            at_ms=now_ms,
            spread_ms=0,
            origin="receipt",
            fields={name: StampedValue(value, now_ms, 0, True) for name, value in patch.fields.items()},
            sent=patch.fields,
        )
