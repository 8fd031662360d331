"""Both agents' decisions on one table, without Kafka: feed records in, collect what leaves for the rim."""

from collections import deque
from collections.abc import Mapping
from typing import Any, TypeVar

from pipeline.agents.configuration import IntegrationView
from pipeline.agents.objects import Objects
from pipeline.agents.pairs import Pairs
from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming
from pipeline.core.mapping import MappingView
from pipeline.core.outcome import Outcome
from schemas.erasures import Erasure, ErasurePart
from schemas.records import (
    ActivityEvent,
    ChangeEvent,
    ConnectorRequest,
    DeadLetter,
    FieldPatch,
    MatchedChange,
    StateCommand,
    TimelineEvent,
)
from schemas.runs import RunProgress
from schemas.state import ObjectState, PairState
from schemas.topics import pair_key
from schemas.values import FieldValue

NOW_MS = 1_700_000_000_000
HOLD_MS = 900_000
LOOKUP_INTERVAL_MS = 900_000
MOST_STEPS = 10_000
ALL_READ = frozenset({"hubspot.contacts", "userflow.users"})
NOTHING_READ: frozenset[str] = frozenset()

RowT = TypeVar("RowT")


def take_over(overlay: Overlay[RowT], rows: dict[str, RowT]) -> None:
    """What a step changed becomes the rows, as after its commit."""
    for key, row in overlay.changed.items():
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row


class Middle:
    """OBJECTS and PAIRS with their state; records between them are handled at once, in order."""

    def __init__(self, *views: MappingView) -> None:
        self.objects: dict[str, ObjectState] = {}
        self.pairs: dict[str, PairState] = {}
        self.commands: list[StateCommand] = []
        self.matches: list[MatchedChange] = []
        self.now_ms = NOW_MS
        self.view_as(*views)

    def view_as(
        self, *views: MappingView, connection: int = 1, connected: bool = True, crawled: frozenset[str] = ALL_READ
    ) -> None:
        """Put mappings in force, as an apply does."""
        by_name = {view.name: view for view in views}
        revision = max(view.record.revision for view in views)
        view = IntegrationView(connection, revision, connected, by_name, crawled)
        self._objects = Objects(lambda integration: view, lambda: self.now_ms, HOLD_MS)
        self._pairs = Pairs(lambda integration: view, lambda: self.now_ms, HOLD_MS, LOOKUP_INTERVAL_MS)

    def feed(self, *records: Any) -> "Left":
        """Handle records to the end; returns everything that left for connectors, and how each step ended."""
        gone = Left()
        for record in records:
            self._run(record, gone)
        return gone

    def _run(self, record: Any, gone: "Left") -> None:
        waiting: deque[Any] = deque([record])
        for _ in range(MOST_STEPS):
            if not waiting:
                return
            effects = self.step(waiting.popleft())
            gone.outcomes.append(effects.outcome)
            gone.expired += effects.expired
            for output in effects.outputs:
                if isinstance(output.record, MatchedChange | StateCommand):
                    waiting.append(output.record)
                else:
                    gone.take(output)
        raise AssertionError(f"one record led to more than {MOST_STEPS} steps")

    def step(self, record: Any) -> Effects:
        """Handle one record; what it leads to is not handled."""
        of_objects = isinstance(record, ChangeEvent | ActivityEvent)
        to_objects = of_objects or (isinstance(record, StateCommand) and record.stage == "objects")
        if isinstance(record, StateCommand):
            self.commands.append(record)
        if isinstance(record, MatchedChange):
            self.matches.append(record)
        incoming = Incoming("topic", 0, 0, "key", b"", record)
        return self._in_objects(incoming) if to_objects else self._in_pairs(incoming)

    def _in_objects(self, incoming: Incoming) -> Effects:
        overlay: Overlay[ObjectState] = Overlay(self.objects)
        effects = self._objects.decide(incoming, overlay)
        take_over(overlay, self.objects)
        return effects

    def _in_pairs(self, incoming: Incoming) -> Effects:
        overlay: Overlay[PairState] = Overlay(self.pairs)
        effects = self._pairs.decide(incoming, overlay)
        take_over(overlay, self.pairs)
        return effects

    def pair(self, match_value: str, mapping: str = "people") -> PairState:
        return self.pairs[pair_key("acme", 1, mapping, match_value)]


class Left:
    """What left the middle; lookups apart from other requests."""

    def __init__(self) -> None:
        self.patches: list[FieldPatch] = []
        self.requests: list[ConnectorRequest] = []
        self.lookups: list[ConnectorRequest] = []
        self.letters: list[DeadLetter] = []
        self.outcomes: list[Outcome] = []
        self.events: list[TimelineEvent] = []
        self.expired = 0
        self.erasures: dict[str, Erasure] = {}
        self.rows: dict[str, RunProgress] = {}

    def take(self, output: Output) -> None:
        match output.record:
            case FieldPatch():
                self.patches.append(output.record)
            case ConnectorRequest(kind="lookup"):
                self.lookups.append(output.record)
            case ConnectorRequest():
                self.requests.append(output.record)
            case RunProgress():
                self.rows[output.key] = output.record
            case TimelineEvent():
                self.events.append(output.record)
            case DeadLetter():
                self.letters.append(output.record)
            case ErasurePart(erasure=Erasure() as erasure):
                self.erasures[output.key] = erasure
            case other:
                raise AssertionError(f"{type(other).__name__} left for {output.topic}")

    @property
    def wrote(self) -> list[tuple[str, str, Mapping[str, FieldValue]]]:
        """Per patch: system, object id, fields."""
        return [(patch.system, patch.object_id, patch.fields) for patch in self.patches]

    @property
    def rereads(self) -> list[tuple[str, tuple[str, ...], int]]:
        return [(request.object_type, request.values, request.delay_ms) for request in self.requests]

    @property
    def reported(self) -> list[tuple[str | None, str]]:
        return [(letter.field, letter.reason) for letter in self.letters]

    @property
    def nothing(self) -> bool:
        """Nobody was written, read again or reported."""
        return not (self.patches or self.requests or self.letters)
