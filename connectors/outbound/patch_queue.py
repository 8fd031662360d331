"""Patches of one integration, coalesced per target: the later value wins per field, one write in flight per target."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.contract.sink import Write
from connectors.http.meter import Meter, Stopwatch
from schemas.records import FieldPatch
from schemas.values import FieldValue

MOST_FIELDS: Final = 10_000

Target = tuple[str, str]
"""Object type and id."""


@dataclass(slots=True, eq=False)
class QueuedPatch:
    """A patch until every one of its fields has an end; then `finished` is called."""

    patch: FieldPatch
    finished: Callable[[], None]
    waits: Stopwatch
    open_fields: set[str] = field(default_factory=set)

    def end(self, name: str) -> None:
        if name in self.open_fields:
            self.open_fields.discard(name)
            if not self.open_fields:
                self.finished()


@dataclass(frozen=True, slots=True)
class Superseded:
    """A field whose patch was overtaken before it was written."""

    held: QueuedPatch
    name: str
    value: FieldValue


@dataclass(slots=True, eq=False)
class _Waiting:
    fields: dict[str, QueuedPatch] = field(default_factory=dict)
    in_flight: dict[str, QueuedPatch] | None = None
    # a bulk patch that replaces a live one keeps the live priority
    live: bool = False
    live_in_flight: bool = False


class PatchQueue:
    """Patches that wait to be written, and writes under way."""

    def __init__(self, meter: Meter, written: Callable[[FieldPatch, str], bool] = lambda _, __: False) -> None:
        """`meter` says what holds up what is queued.

        `written` says whether a field of a patch repeats what was written just before, its answer on its way.
        """
        self._meter = meter
        self._written = written
        self._targets: dict[Target, _Waiting] = {}
        self._fields = 0

    @property
    def full(self) -> bool:
        return self._fields >= MOST_FIELDS

    def ready(self, enough: int, *, live_only: bool) -> Mapping[str, int]:
        """How many targets of each object type could be taken; one that has `enough` ends the count."""
        counts: Counter[str] = Counter()
        for object_type, _ in self._ready(live_only):
            counts[object_type] += 1
            if counts[object_type] >= enough:
                break
        return counts

    def oldest_cause_ms(self, object_type: str) -> int | None:
        """When the first cause of the target that waits longest came here; None where the record names none."""
        first = next((target for target in self._ready(live_only=False) if target[0] == object_type), None)
        held = self._targets[first].fields.values() if first is not None else ()
        return min((one.patch.caused_by.at_ms for one in held if one.patch.caused_by is not None), default=None)

    def outside(self, patch: FieldPatch, finished: Callable[[], None]) -> QueuedPatch:
        """A patch that is not in the queue."""
        return QueuedPatch(patch, finished, Stopwatch(self._meter), set(patch.fields))

    def add(self, patch: FieldPatch, finished: Callable[[], None]) -> tuple[QueuedPatch, list[Superseded]]:
        """Take a patch; fields that it overtakes end as superseded.

        Equal repeats of what is in flight, or was just written, are dropped: the answer has its pair decide again.
        """
        held = self.outside(patch, finished)
        target = self._targets.setdefault((patch.object_type, patch.object_id), _Waiting())
        target.live = target.live or not patch.bulk
        superseded = []
        for name, value in patch.fields.items():
            before = target.fields.pop(name, None)
            if before is not None:
                self._fields -= 1
                if before.patch.fields[name] != value:
                    superseded.append(Superseded(before, name, before.patch.fields[name]))
                before.end(name)
            if self._repeats(target, patch, name):
                held.end(name)
            else:
                self._fields += 1
                target.fields[name] = held
        if not patch.fields:
            finished()
        self._forget_if_idle((patch.object_type, patch.object_id))
        return held, superseded

    def take(
        self, most: int, object_type: str | None = None, *, live_only: bool = False, meter: Meter | None = None
    ) -> list[Write]:
        """Writes for different targets of one type, live ones first, oldest first; None is the type of the first.

        `meter` says what their call waits for.
        """
        ready = sorted(self._ready(live_only), key=lambda target: not self._targets[target].live)
        of_type = object_type or (ready[0][0] if ready else "")
        chosen = [target for target in ready if target[0] == of_type][:most]
        return [self._start(target, meter or self._meter) for target in chosen]

    def _ready(self, live_only: bool) -> Iterator[Target]:
        for target, waiting in self._targets.items():
            if waiting.fields and waiting.in_flight is None and (waiting.live or not live_only):
                yield target

    def held(self, write: Write) -> Mapping[str, QueuedPatch]:
        """The patches behind the fields of a write that is under way."""
        waiting = self._targets.get((write.object_type, write.object_id))
        return (waiting.in_flight if waiting else None) or {}

    def end(self, write: Write, names: Iterable[str]) -> None:
        """These fields of a write have an outcome; the target is free once none is left."""
        target = (write.object_type, write.object_id)
        waiting = self._targets.get(target)
        if waiting is None or waiting.in_flight is None:
            return
        for name in names:
            held = waiting.in_flight.pop(name, None)
            if held is not None:
                held.end(name)
        if not waiting.in_flight:
            waiting.in_flight = None
            self._forget_if_idle(target)

    def put_back(self, writes: Sequence[Write]) -> None:
        """Writes under way wait again; fields that a later patch holds keep the later value."""
        for write in writes:
            waiting = self._targets.get((write.object_type, write.object_id))
            if waiting is None or waiting.in_flight is None:
                continue
            for name, held in waiting.in_flight.items():
                if name in waiting.fields:
                    held.end(name)
                else:
                    held.waits.go_on(self._meter)
                    waiting.fields[name] = held
                    self._fields += 1
            waiting.in_flight = None
            waiting.live = waiting.live or waiting.live_in_flight

    def drop(self, mapping: str, object_type: str, object_id: str) -> list[QueuedPatch]:
        """Take out a mapping's patches of an object; a write under way goes on. Returns them, ended."""
        waiting = self._targets.get((object_type, object_id))
        if waiting is None:
            return []
        dropped = {name: held for name, held in waiting.fields.items() if held.patch.mapping == mapping}
        waiting.fields = {name: held for name, held in waiting.fields.items() if name not in dropped}
        self._fields -= len(dropped)
        for name, held in dropped.items():
            held.end(name)
        self._forget_if_idle((object_type, object_id))
        return list({id(held): held for held in dropped.values()}.values())

    def drain(self) -> list[tuple[QueuedPatch, str]]:
        """Empty the queue but for writes under way; each field with its patch, its outcome still to be published."""
        drained = []
        for target, waiting in list(self._targets.items()):
            drained += [(held, name) for name, held in waiting.fields.items()]
            waiting.fields, waiting.live = {}, False
            self._forget_if_idle(target)
        self._fields = 0
        return drained

    def _repeats(self, target: _Waiting, patch: FieldPatch, name: str) -> bool:
        flying = (target.in_flight or {}).get(name)
        if flying is None:
            return self._written(patch, name)
        return flying.patch.fields[name] == patch.fields[name]

    def _start(self, target: Target, meter: Meter) -> Write:
        waiting = self._targets[target]
        for held in waiting.fields.values():
            held.waits.go_on(meter)
        waiting.in_flight, waiting.fields = waiting.fields, {}
        waiting.live_in_flight, waiting.live = waiting.live, False
        self._fields -= len(waiting.in_flight)
        fields = {name: held.patch.fields[name] for name, held in waiting.in_flight.items()}
        return Write(target[0], target[1], fields, bulk=not waiting.live_in_flight)

    def _forget_if_idle(self, target: Target) -> None:
        waiting = self._targets[target]
        if not waiting.fields and waiting.in_flight is None:
            del self._targets[target]
