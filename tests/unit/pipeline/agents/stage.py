"""What a step's tests put around it: a state log, a stream and a stage that do as they are told."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from pipeline.agents.state import Output, Overlay
from pipeline.agents.step import Effects, Incoming, Needed, StepDeps
from pipeline.core.outcome import Outcome
from schemas.codec import MalformedRecord, RecordTooLarge
from schemas.records import DeadLetter
from schemas.registry import UnknownSchema

DEADLINE_S = 5.0
NOW_MS = 1_700_000_000_000
EXECUTOR = ThreadPoolExecutor(4, "step-tests")


@dataclass(frozen=True)
class Stored:
    key: str
    value: bytes | None
    next_offset: int


class FakeLog:
    """One partition's compacted topic in memory, shared by every owner of the partition."""

    def __init__(self) -> None:
        self.topic: list[tuple[str, bytes | None]] = []
        self.outputs: list[Output] = []
        self.offsets: dict[str, int] = {}
        self.first: dict[str, int] | None = {}  # per topic the first offset that is still there; None: nobody tells
        self.opened = 0
        self.closed = 0
        self.commits = 0
        self.failing = False
        self.most_bytes = 1_000_000  # of an output or a row
        self.most_letter_bytes = 1_000_000
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.committing = threading.Event()

    def open(self) -> None:
        self.opened += 1

    def restore(self, offset: int) -> Iterator[Stored]:
        for place in range(offset, len(self.topic)):
            yield Stored(*self.topic[place], place + 1)

    def handled(self, topics: Sequence[str]) -> Mapping[str, int]:
        return {topic: offset for topic, offset in self.offsets.items() if topic in topics}

    def starts(self, topics: Sequence[str]) -> Mapping[str, int]:
        return {} if self.first is None else {topic: self.first.get(topic, 0) for topic in topics}

    def commit(
        self, outputs: Sequence[Output], rows: Mapping[str, Any], handled: Mapping[str, int]
    ) -> Mapping[str, bytes | None]:
        self.committing.set()
        assert self.may_commit.wait(10), "nobody let the commit go on"
        if self.failing:
            raise RuntimeError("fenced")
        for told in [*(output.record for output in outputs), *rows.values()]:
            if isinstance(told, str) and len(told) > self.most_bytes:
                raise RecordTooLarge(f"{len(told)} bytes")
            if isinstance(told, DeadLetter) and len(told.value) > self.most_letter_bytes:
                raise RecordTooLarge("a letter")
        self.commits += 1
        self.outputs += outputs
        self.offsets |= handled
        written = {key: None if row is None else row.encode() for key, row in rows.items()}
        self.topic += written.items()
        return written

    def decode(self, value: bytes) -> str:
        return value.decode()

    def close(self) -> None:
        self.closed += 1


class Appending:
    """A stage whose rows are texts: a record `key=x` appends x to the row and sends the row on; `nothing` does so."""

    name = "objects"
    topics = ("hubspot.changes", "sync.state-commands")

    def __init__(self) -> None:
        self.revisions: dict[str, int] = {}
        self.decided: list[str] = []
        self.broken = False  # raises at any record

    def try_out(self) -> None:
        if self.broken:
            raise LookupError("at any record")

    def needs(self, record: Any) -> Needed | None:
        return ("acme", 1, self.revisions[record]) if record in self.revisions else None

    def decide(self, incoming: Incoming, overlay: Overlay[str]) -> Effects:
        self.decided.append(incoming.record)
        if self.broken:
            raise LookupError("at any record")
        if incoming.record == "nothing":
            return Effects((), "equal")
        key, _, text = incoming.record.partition("=")
        row = (overlay.get(key) or "") + text.removesuffix("!")
        overlay.put(key, row)
        if text.endswith("!"):
            raise LookupError("a value that must not be logged")
        return Effects((Output("sync.matches", key, row),), "derived")


@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Batch:
    records: Sequence[Record]
    topic: str = "ours.hubspot.changes"


@dataclass
class Event:
    message: Batch


class FakeStream:
    """Faust's stream: gives its events in batches, then waits as long as the test does."""

    def __init__(self, *batches: Sequence[Event]) -> None:
        self._batches = batches
        self.acknowledged: list[int] = []
        self.stays_open = asyncio.Event()

    async def noack_take(self, _: int, __: float) -> AsyncIterator[Sequence[Event]]:
        for batch in self._batches:
            yield batch
        await self.stays_open.wait()

    async def ack(self, event: Event) -> None:
        self.acknowledged += [record.offset for record in event.message.records]


class OpenStream(FakeStream):
    """The same, but its events come when the test gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.events: asyncio.Queue[Event] = asyncio.Queue()

    async def noack_take(self, _: int, __: float) -> AsyncIterator[Sequence[Event]]:
        while True:
            yield [await self.events.get()]


class BulkText(str):
    """A record that says that nobody waits for it."""

    bulk = True


class TextOf(str):
    """A record of an integration: what stands before its colon."""

    @property
    def integration(self) -> str:
        return self.partition(":")[0]


def failing_of_three(number: int) -> str:
    """The text of one of a row of records that raise, of three integrations in turn."""
    return f"{'abc'[number % 3]}:x=1!"


def event(offset: int, text: str, partition: int = 0) -> Event:
    return batch(record(offset, text, partition))


def batch(*records: Record) -> Event:
    return Event(Batch(records))


def record(offset: int, text: str, partition: int = 0) -> Record:
    return Record("ours.hubspot.changes", partition, offset, b"key", text.encode())


@dataclass
class FakeStepDeps:
    """Everything a step gets from outside, recorded."""

    logs: dict[int, FakeLog] = field(default_factory=dict)
    counted: list[tuple[str, str | None, Outcome, int]] = field(default_factory=list)
    letters: list[tuple[str, str]] = field(default_factory=list)
    steps: list[tuple[str, float]] = field(default_factory=list)
    restores: list[tuple[str, int]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    lost: list[tuple[str, int, int, int]] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)
    waited: list[tuple[str, int, float]] = field(default_factory=list)
    known: asyncio.Event = field(default_factory=asyncio.Event)
    commit_within_s: float = 10.0

    def __post_init__(self) -> None:
        self.known.set()

    def log(self, partition: int = 0) -> FakeLog:
        return self.logs.setdefault(partition, FakeLog())

    def deps(self) -> StepDeps:
        return StepDeps(
            logical=lambda topic: topic.removeprefix("ours."),
            decode=self._decode,
            open_log=lambda stage, partition: self.log(partition),
            wait_for=self._wait_for,
            metrics=self,
            executor=EXECUTOR,
            now_ms=lambda: NOW_MS,
            stop_process=self.stopped.append,
            lost=lambda *lost: self.lost.append(lost),
            acknowledged=lambda partition, topics: self.acknowledged,
            commit_within_s=self.commit_within_s,
        )

    def outcome(self, stage: str, integration: str, mapping: str | None, outcome: Outcome, number: int) -> None:
        self.counted.append((stage, mapping, outcome, number))

    def dead_letter(self, stage: str, reason: str) -> None:
        self.letters.append((stage, reason))

    def step(self, stage: str, seconds: float) -> None:
        self.steps.append((stage, seconds))

    def restored(self, stage: str, partition: int, seconds: float) -> None:
        assert seconds >= 0
        self.restores.append((stage, partition))

    def _decode(self, topic: str, data: bytes) -> str:
        if data == b"malformed":
            raise MalformedRecord("cut")
        if data == b"newer":
            raise UnknownSchema("upgrade this process")
        if data == b"registry answers nonsense":
            raise ValueError("no JSON")
        if b":" in data:
            return TextOf(data.decode())
        return BulkText(data.decode()) if data.startswith(b"bulk") else data.decode()

    async def _wait_for(self, integration: str, connection: int, revision: int, within_s: float) -> None:
        self.waited.append((integration, revision, within_s))
        await self.known.wait()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.001)


def sent(deps: FakeStepDeps, partition: int = 0) -> list[object]:
    return [output.record for output in deps.log(partition).outputs if output.topic == "sync.matches"]


def letters(deps: FakeStepDeps) -> list[DeadLetter]:
    return [output.record for output in deps.log().outputs if isinstance(output.record, DeadLetter)]
