"""The step of every agent: read state, decide, commit outputs and state in one transaction.

Nothing escapes it. A record that cannot be handled becomes a dead letter in the same transaction; a transaction that
fails ends the process before anything is acknowledged, and the restart handles the records again.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from pipeline.agents.brake import Brake
from pipeline.agents.metrics import StepMetrics
from pipeline.agents.rows import MemoryRows, Rows
from pipeline.agents.state import Output, Overlay, RowStore, StateLog, StoreFailed
from pipeline.core.outcome import Outcome
from schemas.codec import Unencodable
from schemas.letters import letter_about, place_of, without_value
from schemas.making import made_quickly
from schemas.records import DeadLetter
from schemas.redrives import Redriven
from schemas.registry import UnknownSchema
from schemas.topics import DEAD_LETTERS
from schemas.traces import Handled

log = logging.getLogger(__name__)

REVISION_WAIT_S: Final = 30.0
COMMIT_WITHIN_S: Final = 30.0  # after which the brokers abort a transaction
DECIDED_AT_ONCE: Final = 100  # records, which block the event loop: some 50 us each
SLOW_RESTORE_S: Final = 1.0
LOOK_FOR_LOST_S: Final = 5.0  # between two questions to the brokers, while a step's input jumps
ROWS_KEPT_S: Final = 60.0  # a rebalance takes and gives back; and far less than compaction keeps a deletion

RowT = TypeVar("RowT")
T = TypeVar("T")


Decide = Callable[["Incoming", Overlay[RowT]], "Effects"]


class StepFailed(RuntimeError):
    """The step could not be committed: this process must end without acknowledging."""


@made_quickly
@dataclass(frozen=True, slots=True)
class Incoming:
    """One record as the agent got it; `record` is decoded, or the reason why it could not be."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    record: Any
    redriven: Redriven | None = None  # it was published again from its dead letter


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Takes the place of a record whose bytes cannot be decoded."""

    detail: str


@dataclass(frozen=True, slots=True)
class Copied:
    """Takes the place of a record that was handled as what it is a copy of: nothing follows from it."""


@made_quickly
@dataclass(frozen=True, slots=True)
class Effects:
    """The result of handling one record; its state changes are in the overlay."""

    outputs: tuple[Output, ...]
    outcome: Outcome
    mapping: str | None = None
    expired: int = 0  # held events that waited too long and end unmatched


Needed = tuple[str, int, int]
"""An integration, its connection and its revision."""

Gap = tuple[str, int, int | None]
"""A topic, and the offsets from and to which records may have been lost; None: to wherever they begin now."""


class Stage(Protocol[RowT]):
    """The part that differs between agents: the revision a record needs, and the decision."""

    name: str

    @property
    def topics(self) -> Sequence[str]:
        """The topics that it consumes."""

    def needs(self, record: Any) -> Needed | None:
        """The configuration a record was made under, or None."""

    def decide(self, incoming: Incoming, overlay: Overlay[RowT]) -> Effects:
        """The decision for one record; changes go into the overlay."""

    def try_out(self) -> object:
        """Decide records made up for this: raises where our code fails at any record."""


@dataclass(frozen=True, slots=True)
class StepDeps:
    """The loop's dependencies, wired in `pipeline/app.py`."""

    logical: Callable[[str], str]  # a topic's name on the brokers -> its name in code and records
    decode: Callable[[str, bytes], Any]  # raises MalformedRecord; anything else, as UnknownSchema, ends the process
    open_log: Callable[[str, int], StateLog]  # (stage name, partition)
    wait_for: Callable[[str, int, int, float], Awaitable[None]]  # integration, connection, revision, seconds
    metrics: StepMetrics
    executor: Executor
    now_ms: Callable[[], int]
    stop_process: Callable[[str], None]  # ends the process at once; the message says what to do
    lost: Callable[[str, int, int, int], None]  # records gone before they were read: topic, partition, from, to; blocks
    # (partition, topics) -> per topic the offset behind the last record that this worker's group acknowledged; blocks
    acknowledged: Callable[[int, Sequence[str]], Mapping[str, int]]
    commit_within_s: float = COMMIT_WITHIN_S
    open_rows: Callable[[str, int], RowStore] = lambda *_: MemoryRows()  # (stage name, partition); blocks
    traced: Handled | None = None  # told of each record that was handled; None: nobody wants to know


class PartitionStep(Generic[RowT]):
    """One partition of one agent: its rows, its transactional log, one step at a time."""

    def __init__(self, stage: Stage[RowT], partition: int, deps: StepDeps) -> None:
        self._stage = stage
        self._partition = partition
        self._deps = deps
        self._rows: Rows[RowT] | None = None
        self._handled: dict[str, int] = {}
        self._told: dict[str, int] = {}  # the part of it that transactions have committed
        self._log: StateLog | None = None
        self._lock = asyncio.Lock()
        self._brake = Brake(stage.try_out)
        self._released_at = 0.0
        self._suspects: list[Gap] = []
        self._looked_at = 0.0

    async def run(self, batch: Sequence[Incoming]) -> None:
        """Handle the records in order and commit; raises StepFailed."""
        async with self._lock:
            try:
                await self._step(batch)
            except BaseException:
                # a step that was cut off may have committed, so its rows must be caught up before they are used
                self._let_go()
                raise

    async def _step(self, batch: Sequence[Incoming]) -> None:
        state_log, rows = await self._taken_over()
        fresh = self._fresh(batch)
        await self._look_for_lost(self._skipped(fresh))
        await self._catch_up(fresh)
        started = time.monotonic()
        try:
            await self._handle(fresh, state_log, rows, self._decide)
        except Unencodable:
            for incoming in fresh:
                await self._handle_alone(incoming, state_log, rows)
        self._deps.metrics.step(self._stage.name, time.monotonic() - started)

    async def _handle(
        self, batch: Sequence[Incoming], state_log: StateLog, rows: Rows[RowT], decide: Decide[RowT]
    ) -> None:
        """Decide in order, commit, then take over what changed. Raises Unencodable, nothing committed."""
        overlay, effects = Overlay(rows), list[Effects]()
        for start in range(0, len(batch), DECIDED_AT_ONCE):
            if start:
                await asyncio.sleep(0)  # a live change of another partition waits for no whole step of bulk
            effects += [decide(incoming, overlay) for incoming in batch[start : start + DECIDED_AT_ONCE]]
        outputs = [output for effect in effects for output in effect.outputs]
        handled = {incoming.topic: incoming.offset + 1 for incoming in batch}
        if outputs or overlay.changed:
            written = await self._committed(lambda: state_log.commit(outputs, overlay.changed, handled))
            self._told |= handled
            rows.apply(overlay.changed, written)
        self._handled |= handled
        self._count(effects, batch)

    async def _handle_alone(self, incoming: Incoming, state_log: StateLog, rows: Rows[RowT]) -> None:
        """Handle one record of a batch in which some outputs are too large for a message, so that the others go on."""
        try:
            await self._handle([incoming], state_log, rows, self._decide)
        except Unencodable as error:
            effects = self._dead_letter(incoming, error.reason, str(error))
            try:
                await self._handle([incoming], state_log, rows, lambda *_: effects)
            except Unencodable:
                letters = (without_value(output.record) for output in effects.outputs)
                short = tuple(Output(DEAD_LETTERS, letter.key, letter) for letter in letters)
                await self._handle([incoming], state_log, rows, lambda *_: replace(effects, outputs=short))

    def _fresh(self, batch: Sequence[Incoming]) -> Sequence[Incoming]:
        """Skip records handled before a crash but not acknowledged. Decided again on newer state, an object that left a
        pair would join it again, and its old values would be written to the other side."""
        fresh = [incoming for incoming in batch if incoming.offset >= self._handled.get(incoming.topic, 0)]
        if len(fresh) < len(batch):
            # after a crash a few; where somebody set offsets back to replay, it must not look like a silent loss
            left_out = len(batch) - len(fresh)
            log.info(
                "%s[%d]: %d records were handled before (decision 0010)", self._stage.name, self._partition, left_out
            )
        return fresh

    def _skipped(self, batch: Sequence[Incoming]) -> Sequence[Gap]:
        """Where this batch goes on too late: one marker may stand between two records, more may be a loss."""
        first = {incoming.topic: incoming.offset for incoming in reversed(batch)}
        for topic, offset in first.items():
            handled = self._handled.get(topic, offset)
            if offset - handled > 1:
                self._suspects.append((topic, handled, offset))
        if not self._suspects or time.monotonic() - self._looked_at < LOOK_FOR_LOST_S:
            return ()
        suspects, self._suspects, self._looked_at = self._suspects, [], time.monotonic()
        return suspects

    async def _look_for_lost(self, gaps: Sequence[Gap]) -> None:
        """Report records that retention deleted before they were handled, so that a full sync heals the loss.

        A look may come days after the gap: what retention deleted behind it was handled. What silent brokers do not
        tell is asked again: whoever works on needs an answer from them sooner.
        """
        state_log = self._log
        if state_log is None or not gaps:
            return
        starts = await self._blocking(lambda: state_log.starts(tuple({topic for topic, *_ in gaps})))
        for topic, begin, end in gaps:
            if topic not in starts:
                if end is None:  # asked later, what is handled until then would be told as lost
                    raise StepFailed(f"{self._stage.name}[{self._partition}]: the brokers do not tell what was lost")
                self._suspects.append((topic, begin, end))
                continue
            start = starts[topic] if end is None else min(starts[topic], end)
            if start > begin:
                await self._blocking(partial(self._deps.lost, topic, self._partition, begin, start))

    @property
    def reached(self) -> int:
        """Grows with every row that is restored and every record that is handled; may be asked on any thread."""
        rows = self._rows
        return (rows.next_offset if rows is not None else 0) + sum(dict(self._handled).values())

    @property
    def handled(self) -> Mapping[str, int]:
        """The offset behind the last handled record of each topic; may be asked on any thread."""
        return dict(self._handled)

    async def settle(self) -> None:
        """Commit how far records were handled that led to nothing: at rest, readers of lag find none.

        Raises StepFailed.
        """
        async with self._lock:
            state_log = self._log
            handled = {topic: at for topic, at in self._handled.items() if at > self._told.get(topic, 0)}
            if state_log is not None and handled:
                await self._committed(lambda: state_log.commit([], {}, handled))
                self._told |= handled

    async def release(self) -> None:
        """Give the partition up once a running step has ended; rows are kept and caught up if it returns."""
        async with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None
            self._released_at = time.monotonic()

    def drop_left_rows(self) -> None:
        """Free the rows of a partition that did not come back: memory is for what this worker owns."""
        if self._log is None and not self._lock.locked() and time.monotonic() - self._released_at > ROWS_KEPT_S:
            self._close_rows()

    def _close_rows(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    async def _taken_over(self) -> tuple[StateLog, Rows[RowT]]:
        if self._log is not None and self._rows is not None:
            return self._log, self._rows
        return await self._take_over()

    async def _take_over(self) -> tuple[StateLog, Rows[RowT]]:
        if time.monotonic() - self._released_at > ROWS_KEPT_S:
            self._close_rows()
        state_log = self._deps.open_log(self._stage.name, self._partition)
        started = time.monotonic()
        await self._blocking(state_log.open)
        if self._rows is None:
            store = await self._blocking(lambda: self._deps.open_rows(self._stage.name, self._partition))
            self._rows = Rows(store)
        rows = self._rows
        count = await self._blocking(lambda: rows.restore(state_log))
        handled = await self._blocking(lambda: state_log.handled(self._stage.topics))
        # a recreated state topic is filled again from all retained records
        self._handled = dict(handled) if rows.next_offset else {}
        self._told = dict(handled)
        took_s = time.monotonic() - started
        self._deps.metrics.restored(self._stage.name, self._partition, took_s)
        level = logging.INFO if took_s > SLOW_RESTORE_S else logging.DEBUG
        log.log(level, "%s[%d]: %d state rows restored", self._stage.name, self._partition, count)
        self._log = state_log
        # records that led to nothing are acknowledged, but no transaction says that they were handled
        seen = await self._blocking(lambda: self._deps.acknowledged(self._partition, tuple(handled)))
        self._looked_at = time.monotonic()
        await self._look_for_lost([(topic, max(at, seen.get(topic, 0)), None) for topic, at in handled.items()])
        return state_log, rows

    async def _catch_up(self, batch: Sequence[Incoming]) -> None:
        """Wait until this process has the newest mapping revisions that the records name."""
        newest: dict[str, tuple[int, int]] = {}
        for incoming in batch:
            known = not isinstance(incoming.record, Undecodable | Copied)
            needed = self._stage.needs(incoming.record) if known else None
            if needed is not None:
                newest[needed[0]] = max(needed[1:], newest.get(needed[0], (0, 0)))
        waits = [self._deps.wait_for(name, *wanted, REVISION_WAIT_S) for name, wanted in newest.items()]
        if len(waits) == 1:  # almost every step, and almost none has to wait: no task is made for it
            await waits[0]
        else:
            await asyncio.gather(*waits)

    def _decide(self, incoming: Incoming, overlay: Overlay[RowT]) -> Effects:
        if isinstance(incoming.record, Undecodable):
            return self._dead_letter(incoming, "undecodable", incoming.record.detail)
        if isinstance(incoming.record, Copied):
            return Effects((), "equal")
        trial = Overlay(overlay)
        try:
            effects = self._stage.decide(incoming, trial)
        except (StoreFailed, UnknownSchema) as error:  # of rows: a dead letter would blame the record for them
            raise StepFailed(str(error)) from error
        except Exception as error:  # noqa: BLE001 - whatever a decision raises must become a dead letter, not a lost record
            return self._failed(incoming, error)
        self._brake.passed()
        overlay.changed.update(trial.changed)
        return effects

    def _failed(self, incoming: Incoming, error: Exception) -> Effects:
        if why := self._brake.raised(getattr(incoming.record, "integration", "")):
            raise StepFailed(f"{self._stage.name}: {why}") from error
        return self._dead_letter(incoming, "step_failed", place_of(error))

    def _dead_letter(self, incoming: Incoming, reason: str, detail: str) -> Effects:
        letter = letter_about(incoming, self._stage.name, reason, detail, self._deps.now_ms(), about=incoming.record)
        log.warning(
            "%s: %s[%d]@%d became a dead letter: %s (%s)",
            self._stage.name,
            incoming.topic,
            incoming.partition,
            incoming.offset,
            reason,
            detail,
        )
        return Effects((Output(DEAD_LETTERS, letter.key, letter),), "dead-lettered")

    def _count(self, effects: Sequence[Effects], batch: Sequence[Incoming]) -> None:
        totals: dict[tuple[str, str | None, Outcome], int] = defaultdict(int)
        for effect, incoming in zip(effects, batch, strict=True):
            if isinstance(incoming.record, Copied):
                continue
            integration = getattr(incoming.record, "integration", "")
            totals[integration, effect.mapping, effect.outcome] += 1
            if effect.expired:
                totals[integration, effect.mapping, "unmatched"] += effect.expired
            for output in effect.outputs:
                if isinstance(output.record, DeadLetter):
                    self._deps.metrics.dead_letter(output.record.stage, output.record.reason)
        for (integration, mapping, outcome), number in totals.items():
            self._deps.metrics.outcome(self._stage.name, integration, mapping, outcome, number)

    async def _committed(self, commit: Callable[[], Mapping[str, bytes | None]]) -> Mapping[str, bytes | None]:
        """Commit within a deadline of our own: librdkafka's does not hold for offsets in a transaction
        (confluentinc/librdkafka#5456), and a broker killed meanwhile would block the partition for ever."""
        try:
            async with asyncio.timeout(self._deps.commit_within_s):
                return await self._blocking(commit)
        except TimeoutError:
            place, within_s = f"{self._stage.name}[{self._partition}]", self._deps.commit_within_s
            raise StepFailed(f"{place}: the brokers did not answer within {within_s:.0f} s") from None

    async def _blocking(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._deps.executor, work)
