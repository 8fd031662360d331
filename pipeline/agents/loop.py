"""The loop of every agent: take without acknowledging, run each partition's step, then acknowledge.

A step that fails ends the process before anything is acknowledged, and the restart handles the records again.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

from pipeline.agents.lane import Lane, Room
from pipeline.agents.step import Copied, Incoming, PartitionStep, Stage, StepDeps, Undecodable
from schemas.codec import MalformedRecord
from schemas.copies import handled_by, is_copy
from schemas.records import StateCommand
from schemas.redrives import redriven
from schemas.topics import TopicAndPartition
from schemas.vitals import InMemory, PlaceVitals, summed

STEP_RECORDS: Final = 1_000
WITHIN_S: Final = 1.0
SETTLE_S: Final = 5.0  # without a record: an agent is at rest
GATHER_BULK_S: Final = 0.05
"""From the beginning of a step of bulk alone to the next: each step is a transaction, and small ones cost as much as
full ones. No live record waits for it (decision 0040)."""

RowT = TypeVar("RowT")


class AgentLoop(Generic[RowT]):
    """All partitions of one agent in this process."""

    def __init__(self, stage: Stage[RowT], deps: StepDeps) -> None:
        self._stage = stage
        self._deps = deps
        self._partitions: dict[int, PartitionStep[RowT]] = {}
        self._under_way: dict[int, Sequence[Incoming]] = {}  # by partition, the records of the step that runs now
        self._queued: dict[TopicAndPartition, int] = defaultdict(int)  # records not yet decoded
        self._taken: dict[TopicAndPartition, int] = defaultdict(int)
        self._finished: dict[TopicAndPartition, int] = defaultdict(int)

    async def consume(self, stream: Any) -> None:
        """Faust's stream (untyped by Faust): take without acknowledging, run each partition's step, then acknowledge.

        Each of its events is a batch of records. Taking goes on while steps run, so what a step handles is as large
        as the backlog: one record when idle, and never a wait. Each partition has a lane and goes at its own pace.
        """
        lanes, steps, room = dict[int, Lane](), list["asyncio.Task[None]"](), Room()
        try:
            async for events in stream.noack_take(1, WITHIN_S):
                for event in events:
                    self._arrived(event, 1)
                    number = event.message.records[0].partition
                    if number not in lanes:
                        lanes[number] = Lane(room)
                        steps.append(asyncio.create_task(self._steps(stream, number, lanes[number])))
                    await lanes[number].put(event)
        except Exception as error:
            # Faust would start this agent again beside a step still under way, whose rows are not in memory yet
            self._deps.stop_process(f"{self._stage.name}: {type(error).__name__}: {error}")
            raise
        finally:
            for task in steps:
                task.cancel()

    async def _steps(self, stream: Any, number: int, lane: Lane) -> None:
        step, gather_until = self._partition(number), 0.0
        while True:
            try:
                events, records = await self._gathered(lane, step, gather_until)
                self._under_way[number] = records
                began, began_ns = time.monotonic(), time.time_ns()
                await step.run(records)
                gather_until = began + GATHER_BULK_S if _is_bulk(records) else 0.0
                self._under_way.pop(number)
                if self._deps.traced is not None:
                    for one in records:
                        place = (one.topic, one.partition)
                        self._deps.traced(self._stage.name, place, one.offset, one.record, began_ns)
                for event in events:
                    self._arrived(event, -1)
                    await stream.ack(event)
            except Exception as error:
                self._deps.stop_process(f"{self._stage.name}: {type(error).__name__}: {error}")
                raise

    async def _gathered(
        self, lane: Lane, step: PartitionStep[RowT], gather_until: float
    ) -> tuple[list[Any], list[Incoming]]:
        """The events of the next step and their records: what waits, and bulk until that time if all of it is bulk."""
        events = [await _next(lane, step)]
        records = self._decoded(events[0])
        bulk = _is_bulk(records)
        while len(records) < STEP_RECORDS:
            if lane.empty and not (bulk and await lane.more(gather_until - time.monotonic())):
                break
            events.append(lane.get_now())
            more = self._decoded(events[-1])
            bulk = bulk and _is_bulk(more)
            records += more
        return events, records

    async def release(self, partitions: Iterable[int]) -> None:
        """Called when Faust gives partitions back, after the steps of what was taken from them."""
        gone = set(partitions)
        for number in gone:
            if number in self._partitions:
                await self._partitions[number].release()
        for place in [place for place in self._taken if place[1] in gone]:
            for counted in (self._taken, self._finished, self._queued):
                counted.pop(place, None)

    def reached(self, number: int) -> int:
        """How far the partition of that number has got; may be asked on any thread."""
        step = self._partitions.get(number)
        return step.reached if step is not None else 0

    def places(self) -> tuple[PlaceVitals, ...]:
        """What this process has taken and handled, for its vital signs; may be asked on any thread."""
        under_way: dict[TopicAndPartition, list[tuple[int, Any]]] = defaultdict(list)
        for records in list(self._under_way.values()):
            for one in records:
                under_way[one.topic, one.partition].append((one.offset, one.record))
        handled = {number: step.handled for number, step in dict(self._partitions).items()}
        return tuple(
            PlaceVitals(
                self._stage.name,
                place[0],
                place[1],
                handled.get(place[1], {}).get(place[0], 0),
                number,
                self._finished.get(place, 0),
                _in_memory(under_way.get(place, ()), self._queued.get(place, 0)),
            )
            for place, number in sorted(dict(self._taken).items())
        )

    def _arrived(self, event: Any, sign: int) -> None:
        """A batch of records came, or (-1) has been handled."""
        topic, records = event.message.topic, event.message.records
        place, number = (self._deps.logical(topic), records[0].partition), len(records)
        if sign < 0 and place not in self._taken:
            return  # its partition was given back meanwhile
        self._queued[place] += sign * number
        (self._taken if sign > 0 else self._finished)[place] += number

    def _partition(self, number: int) -> PartitionStep[RowT]:
        if number not in self._partitions:
            self._partitions[number] = PartitionStep(self._stage, number, self._deps)
        return self._partitions[number]

    def _decoded(self, event: Any) -> list[Incoming]:
        topic = self._deps.logical(event.message.topic)
        return [self._incoming(topic, record) for record in event.message.records]

    def _incoming(self, topic: str, message: Any) -> Incoming:
        record: Any
        try:
            left_out = is_copy(message.headers) or handled_by(message.headers, self._stage.name)
            record = Copied() if left_out else self._deps.decode(topic, message.value or b"")
        except MalformedRecord as error:
            record = Undecodable(str(error))
        key = (message.key or b"").decode(errors="replace")
        again = redriven(message.headers)
        return Incoming(topic, message.partition, message.offset, key, message.value or b"", record, again)


def _is_bulk(records: Iterable[Incoming]) -> bool:
    """Whether nobody waits for any of them; for a command for all state its run does, and the next comes after it."""
    return all(getattr(one.record, "bulk", False) and not isinstance(one.record, StateCommand) for one in records)


async def _next(lane: Lane, step: PartitionStep[RowT]) -> Any:
    """The next batch; while there is none, the step tells how far it is, and frees what is not ours any more."""
    while True:
        try:
            async with asyncio.timeout(SETTLE_S):
                return await lane.get()
        except TimeoutError:
            await step.settle()
            step.drop_left_rows()


def _in_memory(under_way: Sequence[tuple[int, Any]], queued: int) -> tuple[InMemory, ...]:
    """The records of a step by integration; those that wait for the next are not decoded yet: nobody's."""
    left = queued - len(under_way)
    return (*summed(under_way), *((InMemory("", left, 0),) if left > 0 else ()))
