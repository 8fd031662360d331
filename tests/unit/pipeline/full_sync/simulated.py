"""Connectors and workers that do what a run's commands ask, at once, or never, or twice: rows in memory."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.full_sync.commands import commands_of
from pipeline.full_sync.decide import decide
from pipeline.full_sync.rows import Run, runs_of
from pipeline.full_sync.situation import PASSES, Command, RoadSeen, Situation
from schemas.configuration import ConnectorState, IntegrationSettings, SystemSettings
from schemas.records import ConnectorRequest, ObjectMapping, StateCommand
from schemas.runs import OPEN, FullSyncRun, RunProgress
from schemas.values import System

RUN = "0000000000001-aaaa"
PEOPLE = ObjectMapping(
    "acme", 1, 1, "people", "contacts", "users", "email", "email", "refuse", (), match_hubspot_unique=True
)
FIRMS = ObjectMapping("acme", 1, 1, "firms", "companies", "companies", "domain", "id", "refuse", ())
SECTION = SystemSettings("x")
SETTINGS = IntegrationSettings(1, 1, 1, "active", "a", "done", None, "", SECTION, SECTION)
COUNTED = {"pairs": 10, "equal": 4, "written": 5, "refused": 1, "written.hubspot": 3, "written.userflow": 4}


def requested(**changes: Any) -> RunProgress:
    """The row of a run that a person asked for."""
    return replace(RunProgress(RUN, "acme", "run", "requested", 1, 1, full_sync=FullSyncRun()), **changes)


@dataclass
class Acting:
    """One run, its rows, and whoever answers its commands."""

    mappings: Mapping[str, ObjectMapping] = field(default_factory=lambda: {"people": PEOPLE, "firms": FIRMS})
    sizes: Mapping[str, int] = field(default_factory=dict)  # `<system>.<type>` -> objects; 1,000 where none is named
    told: Mapping[str, int] = field(default_factory=dict)  # totals that lag behind the sizes
    failing: Mapping[str, str] = field(default_factory=dict)  # part -> why it fails
    counted: Mapping[str, int] = field(default_factory=lambda: dict(COUNTED))
    open_for: int = 0  # confirmations that find a pair that is not in step yet
    deaf: frozenset[str] = frozenset()  # kinds of commands that nobody answers
    rests: int = 0  # times that a partition's writing rests
    read_before: Mapping[str, int] = field(default_factory=dict)
    rows: dict[str, RunProgress] = field(default_factory=lambda: {RUN: requested()})
    settings: IntegrationSettings | None = SETTINGS
    connectors: dict[System, ConnectorState] = field(default_factory=dict)
    now_ms: int = 1_000
    log: list[str] = field(default_factory=list)  # steps and commands in their order
    whole: dict[str, tuple[str, ...]] = field(default_factory=dict)  # type -> the mappings it was read whole for
    most_emptied: float = 0.2
    superseded_by: str | None = None
    emitting: int = 0  # hops that find a record of the run
    requests: list[RunProgress] = field(default_factory=list)  # successors
    answering: str = RUN  # the run whose part tells

    @property
    def run(self) -> Run:
        return runs_of(self.rows)[RUN]

    @property
    def row(self) -> RunProgress:
        return self.rows[RUN]

    def situation(self) -> Situation:
        run = self.run
        road = None
        if run.full_sync.step in PASSES:
            emitted = self.emitting > 0 and bool(run.full_sync.ends)
            self.emitting -= emitted
            road = RoadSeen({"sync.matches[0]": self.now_ms}, emitted=emitted)
        return Situation(
            self.now_ms,
            2,
            self.most_emptied,
            self.settings,
            self.mappings,
            self.connectors,
            self.read_before,
            road,
            self.superseded_by,
        )

    def move(self, *, loses: bool = False) -> bool:
        """One decision and, unless the scheduler dies before, the commands of a step that began; whether it moved."""
        before = self.run
        move = decide(before, self.situation())
        self.now_ms += 100
        if move is None:
            return False
        if move.successor is not None:
            self.requests.append(move.successor)
        self.rows[RUN] = move.row
        after = self.run
        began = (after.full_sync.step, after.full_sync.step_at_ms) != (
            before.full_sync.step,
            before.full_sync.step_at_ms,
        )
        if began and move.row.state == "running":
            self.log.append(after.full_sync.step)
            if not loses:
                self.send()
        return began or move.row.state not in OPEN or after.full_sync.ends != before.full_sync.ends

    def send(self, *, silent_ms: int = 0) -> None:
        """What the step needs and has not been answered is asked for, as a scheduler does that takes over."""
        for command in commands_of(self.run, self.situation(), silent_ms=silent_ms):
            self.answer(command)

    def ended(self, within: int = 300) -> RunProgress:
        """The run's last row."""
        for _ in range(within):
            if self.row.state not in OPEN:
                return self.row
            if not self.move():
                self.now_ms += 1_000
        raise AssertionError(f"the run does not end: {self.log[-20:]}, {self.row}")

    def until(self, good: Callable[[RunProgress], bool], within: int = 300) -> RunProgress:
        """The run's row once it is so."""
        for _ in range(within):
            if good(self.row):
                return self.row
            if not self.move():
                self.now_ms += 1_000
        raise AssertionError(f"it does not come so far: {self.log[-20:]}, {self.row}")

    def put(self, part: str, **changes: Any) -> None:
        """A part tells its row."""
        key, now_ms = f"{self.answering}/{part}", self.now_ms
        row = self.rows.get(key) or RunProgress(self.answering, "acme", part, "running", now_ms, now_ms)
        self.rows[key] = replace(row, **{"updated_at_ms": self.now_ms, **changes})

    def answer(self, command: Command) -> None:
        record = command.record
        self.answering = record.run_id or RUN
        if isinstance(record, ConnectorRequest):
            self._connector(command.topic.partition(".")[0], record)
        elif isinstance(record, StateCommand):
            self._worker(command.partition or 0, record)

    def _connector(self, system: str, request: ConnectorRequest) -> None:
        name = f"{system}.{request.object_type}"
        self.log.append(f"{request.kind} {name}")
        if request.kind == "whole":
            self.whole[name] = request.values
        if request.kind in self.deaf or request.kind == "whole":
            return
        part = f"{name}/total" if request.kind == "count" else name
        if part in self.failing:
            return self.put(part, state="failed", reason=self.failing[part])
        size = self.sizes.get(name, 1_000)
        told = (
            -1 if system == "userflow" and size > 100 else self.told.get(name, size)
        )  # no more than a page of them is counted
        figure = {"expected": told} if request.kind == "count" else {"read": size}
        self.put(part, state="completed", calls=1, **figure)

    def _worker(self, partition: int, command: StateCommand) -> None:
        object_key = (command.object_key or "").split(":")
        place = f"{object_key[2]}.{object_key[3]}" if command.kind == "sweep" else command.mapping
        self.log.append(f"{command.step} {place}")
        if command.step in self.deaf:
            return
        part = f"{command.stage}/{partition}/{place}/{command.step}/{command.attempt}"
        if command.step == "write" and self.rests > 0:
            self.rests -= 1
            return self.put(part, state="running", cursor=f"after {self.rests}", counts=command.counts)
        counts = {} if command.step in ("ask", "sweep") else dict(self.counted)
        if command.step == "confirm" and command.attempt <= self.open_for:
            counts["open"] = 1
        self.put(part, state="completed", cursor=None, counts=counts)


def crashing(acting: Acting, seed: int, moves: int = 200) -> RunProgress:
    """The run's end under schedulers that die between a row and its commands, and ask again for what was answered."""
    chance = random.Random(seed)
    for _ in range(moves):
        if acting.row.state not in OPEN:
            return acting.row
        moved = acting.move(loses=chance.random() < 0.3)
        if chance.random() < 0.3 or not moved:
            acting.send()
        if not moved:
            acting.now_ms += 1_000
    return acting.ended()
