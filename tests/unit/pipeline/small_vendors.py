"""Two small vendors, the rim and the middle between them, and a full sync: records wait in queues of their own key."""

import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipeline.agents.state import Output
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.matching import match_value
from schemas.records import (
    ChangeEvent,
    ConnectorRequest,
    DeadLetter,
    FieldPatch,
    Found,
    Origin,
    Receipt,
    StampedValue,
    StateCommand,
)
from schemas.runs import RunProgress
from schemas.topics import object_key
from schemas.values import FieldValue, System
from tests.unit.pipeline.middle import NOTHING_READ, Middle

RUN: Final = "0000000000001-aaaa"
OWNED: Final[Mapping[System, str]] = {"hubspot": "jobtitle", "userflow": "plan"}
WRITTEN: Final[Mapping[System, str]] = {"hubspot": "tier", "userflow": "title"}
REFUSED_BY_TARGET: Final = "no"
MOST_ATTEMPTS: Final = 10


@dataclass
class Held:
    """One object as its vendor holds it."""

    fields: dict[str, FieldValue]
    at_ms: int


@dataclass
class Counts:
    """What a full sync has counted at a step, summed over its parts."""

    rows: dict[str, RunProgress] = field(default_factory=dict)

    def of(self, step: str, attempt: int) -> Counter[str]:
        total: Counter[str] = Counter()
        for row in self.rows.values():
            if row.part.endswith(f"/{step}/{attempt}"):
                assert row.state == "completed"
                total.update(row.counts)
        return total


class SmallVendors:
    """Both vendors' objects, what is under way between them and the middle, and who was written."""

    def __init__(self, view: MappingView, shuffle: random.Random) -> None:
        self.view = view
        self.shuffle = shuffle
        self.middle = Middle(view)
        self.middle.view_as(view, crawled=NOTHING_READ)
        self.held: dict[System, dict[str, Held]] = {"hubspot": {}, "userflow": {}}
        self.at_ms = 1_600_000_000_000
        self.queues: dict[str, deque[Any]] = {}
        self.waiting: list[str] = []  # keys of queues that hold something, in any order
        self.values: dict[System, dict[str, list[str]]] = {"hubspot": defaultdict(list), "userflow": defaultdict(list)}
        self.patches: list[FieldPatch] = []
        self.letters: list[DeadLetter] = []
        self.requests: Counter[str] = Counter()
        self.counts = Counts()
        self.away: frozenset[System] = frozenset()

    def add(self, system: System, object_id: str, match: FieldValue, owned: FieldValue, written: FieldValue) -> None:
        fields = {OWNED[system]: owned, WRITTEN[system]: written}
        name = self.view.match_field(system)
        self.held[system][object_id] = Held({**fields, **({} if name == "id" else {name: match})}, self._now())
        self.values[system][self.value_of(system, object_id)].append(object_id)

    def value_of(self, system: System, object_id: str) -> str:
        stamped = {name: StampedValue(value, 0) for name, value in self.held[system][object_id].fields.items()}
        return match_value(self.view, stamped, system, object_id) or ""

    def holders(self, system: System, value: str) -> list[str]:
        """The objects that hold the match value; it never changes."""
        return self.values[system].get(value, [])

    def edit(self, system: System, object_id: str, owned: FieldValue) -> None:
        """Somebody changes the field that the system owns, and its webhook is on its way."""
        held = self.held[system][object_id]
        held.fields[OWNED[system]] = owned
        held.at_ms = self._now()
        self._changed(self._seen(system, object_id, "webhook"))

    def crawl(self, system: System, run_id: str = RUN) -> None:
        """The whole type is read, object by object in any order, and waits to be handled."""
        ids = list(self.held[system])
        self.shuffle.shuffle(ids)
        for object_id in ids:
            self._changed(self._seen(system, object_id, "crawl", run_id=run_id))

    def command(self, command: StateCommand) -> None:
        self._wait("partition-0", command)

    def some(self, steps: int) -> None:
        """Handle a number of records, each of any key, in the order of its key."""
        for _ in range(steps):
            if not self.waiting:
                return
            place = self.shuffle.randrange(len(self.waiting))
            key = self.waiting[place]
            record = self.queues[key].popleft()
            if not self.queues[key]:
                del self.queues[key]
                self.waiting[place] = self.waiting[-1]
                self.waiting.pop()
            self._handle(record)

    def _wait(self, key: str, record: Any) -> None:
        if key not in self.queues:
            self.queues[key] = deque()
            self.waiting.append(key)
        self.queues[key].append(record)

    def drain(self) -> None:
        """Handle all that waits, and all that it leads to."""
        for _ in range(1_000_000):
            if not self.waiting:
                return
            self.some(1_000)
        raise AssertionError("it never ends")

    def _handle(self, record: Any) -> None:
        match record:
            case ConnectorRequest():
                self._answer(record)
            case FieldPatch():
                self._write(record)
            case _:
                for output in self.middle.step(record).outputs:
                    self._route(output)

    def _route(self, output: Output) -> None:
        match output.record:
            case DeadLetter():
                self.letters.append(output.record)
            case RunProgress():
                self.counts.rows[output.key] = output.record
            case FieldPatch():
                self.patches.append(output.record)
                # the sink keeps the order of one object's writes
                self._wait(f"patch:{output.record.system}:{output.record.object_id}", output.record)
            case ConnectorRequest():
                self.requests[output.record.kind] += len(output.record.values)
                self._wait(f"request:{self.shuffle.random()}", output.record)
            case _:
                self._wait(output.key, output.record)

    def _answer(self, request: ConnectorRequest) -> None:
        system: System = "hubspot" if request.object_type == self.view.object_type("hubspot") else "userflow"
        if request.kind == "reread":
            for object_id in request.values:
                self._changed(self._seen(system, object_id, "lookup", run_id=request.run_id))
            return
        assert request.kind == "lookup"
        for value in request.values:
            ids = self.holders(system, value)
            for object_id in ids:
                seen = self._seen(system, object_id, "lookup", run_id=request.run_id)
                self._changed(replace(seen, found=Found(self.view.name, value, min(len(ids), 26))))
            if not ids and request.tell_missing:
                self._wait(f"receipt:{value}", self._missed(system, value, request))

    def _missed(self, system: System, value: str, request: ConnectorRequest) -> Receipt:
        names = (request.integration, request.connection, 0, self.view.name, value, system, request.object_type, "")
        return Receipt(*names, "missed", {}, run_id=request.run_id)

    def _write(self, patch: FieldPatch) -> None:
        """The sink: parked while the vendor is away, a value refused, or the answer to the write."""
        about = (patch.integration, patch.connection, patch.revision, patch.mapping, patch.match_value)
        target = (patch.system, patch.object_type, patch.object_id)
        if patch.system in self.away:
            self._receipt(Receipt(*about, *target, "parked", patch.fields, run_id=patch.run_id))
            return
        refused = {name: value for name, value in patch.fields.items() if value == REFUSED_BY_TARGET}
        if refused:
            self._receipt(Receipt(*about, *target, "refused", refused, "not_an_option", patch.run_id))
        sent = {name: value for name, value in patch.fields.items() if name not in refused}
        if sent:
            held = self.held[patch.system][patch.object_id]
            held.fields.update(sent)
            held.at_ms = self._now()
            seen = self._seen(patch.system, patch.object_id, "receipt", run_id=patch.run_id)
            fields = {name: replace(seen.fields[name], ours=True) for name in sent}
            self._changed(replace(seen, fields=fields, sent=sent))

    def _receipt(self, receipt: Receipt) -> None:
        self._wait(f"receipt:{receipt.match_value}", receipt)

    def _changed(self, change: ChangeEvent) -> None:
        key = object_key("acme", 1, change.system, change.object_type, change.object_id)
        self._wait(key, change)

    def _seen(self, system: System, object_id: str, origin: Origin, run_id: str | None = None) -> ChangeEvent:
        held = self.held[system].get(object_id)
        fields = held.fields if held is not None else {}
        at_ms = held.at_ms if held is not None and system == "hubspot" else self._now()
        return ChangeEvent(
            "acme",
            1,
            1,
            system,
            self.view.object_type(system),
            object_id,
            "upserted" if held is not None else "deleted",
            at_ms,
            0,
            origin,
            {name: StampedValue(value, at_ms) for name, value in fields.items()},
            run_id=run_id,
            bulk=run_id is not None,
        )

    def _now(self) -> int:
        self.at_ms += 10
        return self.at_ms


class FullSync:
    """The coordinator's part; `meanwhile` goes on beside each of its steps."""

    def __init__(
        self,
        world: SmallVendors,
        listed: Iterable[System],
        run_id: str = RUN,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.world, self.listed, self.run_id, self.meanwhile = world, tuple(listed), run_id, meanwhile
        self.whole = frozenset(f"{system}.{world.view.object_type(system)}" for system in self.listed)

    def begin(self) -> None:
        """The listed types are read, and wait to be handled."""
        for system in self.listed:
            self.world.crawl(system, self.run_id)

    def read(self) -> None:
        """Handle what was read, and ask the systems that are not listed."""
        self.world.drain()
        for system in OTHER:
            if system not in self.listed:
                self.command("ask", "ask", system=system)
                self.meanwhile()
                self.world.drain()
        self.world.middle.view_as(self.world.view, crawled=self.whole)

    def command(self, kind: str, step: str, attempt: int = 1, system: System | None = None) -> None:
        self.world.command(
            StateCommand(
                "acme",
                1,
                "pairs",
                kind,  # type: ignore[arg-type]
                self.world.view.name,
                run_id=self.run_id,
                step=step,  # type: ignore[arg-type]
                attempt=attempt,
                system=system,
                whole=tuple(self.whole),
            )
        )

    def step(self, step: str, attempt: int = 1) -> Counter[str]:
        self.command("compare", step, attempt)
        self.meanwhile()
        self.world.drain()
        return self.world.counts.of(step, attempt)

    def complete(self) -> Counter[str]:
        """The counts of the last confirmation, after which nothing is open."""
        self.step("count")
        self.step("write")
        for attempt in range(1, MOST_ATTEMPTS):
            counts = self.step("confirm", attempt)
            if not counts["open"]:
                return counts
        raise AssertionError("pairs stay open")
