"""The loop of every agent: nothing is acknowledged before it is committed, and what fails ends the process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pipeline.agents import loop as loop_module
from pipeline.agents.brake import FAILURES_IN_A_ROW
from pipeline.agents.loop import STEP_RECORDS, AgentLoop
from pipeline.agents.step import Incoming
from schemas.records import StateCommand
from schemas.traces import Handled
from tests.unit.pipeline.agents.stage import (
    Appending,
    Event,
    FakeStepDeps,
    FakeStream,
    OpenStream,
    batch,
    event,
    failing_of_three,
    letters,
    record,
    sent,
    until,
)


@asynccontextmanager
async def consuming(
    deps: FakeStepDeps, stream: FakeStream, traced: Handled | None = None
) -> AsyncIterator[AgentLoop[str]]:
    loop: AgentLoop[str] = AgentLoop(Appending(), replace(deps.deps(), traced=traced))
    task = asyncio.create_task(loop.consume(stream))
    try:
        yield loop
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _incoming(record: object) -> Incoming:
    return Incoming("sync.state-commands", 0, 0, "key", b"", record)


async def broken(_: int, __: float) -> AsyncIterator[Sequence[Event]]:
    raise ConnectionError("gone")
    yield []


async def unanswered(event: Event) -> None:
    raise ConnectionError("gone")


async def test_at_rest_it_tells_how_far_records_that_led_to_nothing_were_handled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_module, "SETTLE_S", 0.01)
    deps, stream = FakeStepDeps(), FakeStream([event(0, "a=1"), event(1, "nothing"), event(2, "nothing", 1)])
    async with consuming(deps, stream):
        await until(lambda: deps.log(0).offsets == {"hubspot.changes": 2} and bool(deps.log(1).offsets))
        commits = deps.log(0).commits
        await asyncio.sleep(0.05)
        assert deps.log(0).commits == commits, "it is told once"
    assert sorted(stream.acknowledged) == [0, 1, 2]


async def test_a_failure_to_tell_it_stops_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "SETTLE_S", 0.01)
    deps, stream = FakeStepDeps(), FakeStream([event(0, "nothing")])
    deps.log().failing = True
    async with consuming(deps, stream):
        await until(lambda: bool(deps.stopped))
    assert deps.stopped == ["objects: RuntimeError: fenced"]


class TestAgentLoop:
    async def test_who_traces_is_told_of_each_record_that_was_committed(self) -> None:
        deps, stream, told = FakeStepDeps(), FakeStream([event(0, "a=1"), event(1, "a=2")]), list[tuple[str, int]]()
        deps.log().may_commit.clear()
        async with consuming(deps, stream, lambda stage, _, offset, __, ___: told.append((stage, offset))):
            await until(deps.log().committing.is_set)
            assert told == []
            deps.log().may_commit.set()
            await until(lambda: stream.acknowledged == [0, 1])
        assert told == [("objects", 0), ("objects", 1)]

    async def test_records_are_acknowledged_after_their_commit(self) -> None:
        deps, stream = FakeStepDeps(), FakeStream([event(0, "a=1"), event(1, "a=2")])
        deps.log().may_commit.clear()
        async with consuming(deps, stream):
            await until(deps.log().committing.is_set)
            assert stream.acknowledged == []
            deps.log().may_commit.set()
            await until(lambda: stream.acknowledged == [0, 1])
        assert sent(deps) == ["1", "12"]

    async def test_order_within_a_partition_is_kept_and_partitions_have_a_log_each(self) -> None:
        batches = [
            [event(number, f"a={number};", number % 2) for number in range(start, start + 10)] for start in (0, 10)
        ]
        deps, stream = FakeStepDeps(), FakeStream(*batches)
        async with consuming(deps, stream):
            await until(lambda: len(stream.acknowledged) == 20)
        assert sent(deps, 0)[-1] == "".join(f"{number};" for number in range(0, 20, 2))
        assert sent(deps, 1)[-1] == "".join(f"{number};" for number in range(1, 20, 2))

    async def test_a_partition_that_stands_holds_no_other_one_up(self) -> None:
        deps, stream = FakeStepDeps(), FakeStream([event(0, "a=1", 0), event(0, "a=1", 1), event(1, "a=2", 1)])
        deps.log(0).may_commit.clear()
        async with consuming(deps, stream):
            await until(lambda: stream.acknowledged == [0, 1])
            assert sent(deps, 1) == ["1", "12"]
            deps.log(0).may_commit.set()
            await until(lambda: stream.acknowledged == [0, 1, 0])

    async def test_the_batches_that_wait_are_one_step_up_to_its_size(self) -> None:
        half = STEP_RECORDS // 2
        batches = [batch(*(record(n, "a=1") for n in range(start, start + half))) for start in (0, half, 2 * half)]
        deps, stream = FakeStepDeps(), FakeStream(batches)
        async with consuming(deps, stream):
            await until(lambda: stream.acknowledged == [*range(3 * half)])
        assert [number for *_, number in deps.counted] == [2 * half, half]

    async def test_bulk_behind_a_step_of_bulk_is_gathered_into_one_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loop_module, "GATHER_BULK_S", 3_600.0)
        monkeypatch.setattr(loop_module, "STEP_RECORDS", 3)  # a step that is full waits no longer
        deps, stream = FakeStepDeps(), OpenStream()
        async with consuming(deps, stream):
            for offset in range(3):  # the first is a step of its own; each other is taken before the next one comes
                await stream.events.put(event(offset, "bulk=1"))
                await until(lambda: stream.acknowledged == [0] and stream.events.empty())
            await stream.events.put(event(3, "bulk=1"))
            await until(lambda: stream.acknowledged == [0, 1, 2, 3])
        assert [number for *_, number in deps.counted] == [1, 3]

    async def test_a_live_record_waits_for_no_bulk_to_be_gathered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loop_module, "GATHER_BULK_S", 3_600.0)
        deps, stream = FakeStepDeps(), OpenStream()
        async with consuming(deps, stream):
            await stream.events.put(event(0, "bulk=1"))
            await until(lambda: stream.acknowledged == [0])
            await stream.events.put(event(1, "bulk=2"))
            await stream.events.put(event(2, "a=1"))
            await until(lambda: stream.acknowledged == [0, 1, 2])
            await stream.events.put(event(3, "bulk=3"))
            await until(lambda: stream.acknowledged == [0, 1, 2, 3])
        assert [number for *_, number in deps.counted] == [1, 2, 1]

    def test_a_command_for_all_state_waits_for_no_bulk(self) -> None:
        """Each slice of a full sync's work would begin so much later."""
        command = StateCommand("acme", 1, "pairs", "compare", bulk=True)
        change = SimpleNamespace(bulk=True)
        assert loop_module._is_bulk([_incoming(change), _incoming(change)])
        assert not loop_module._is_bulk([_incoming(change), _incoming(command)])

    async def test_bytes_that_are_no_record_are_acknowledged_with_their_letter(self) -> None:
        deps, stream = FakeStepDeps(), FakeStream([event(0, "malformed"), event(1, "a=1")])
        async with consuming(deps, stream):
            await until(lambda: stream.acknowledged == [0, 1])
        assert [letter.reason for letter in letters(deps)] == ["undecodable"]

    @pytest.mark.parametrize("text", ["newer", "registry answers nonsense"])
    async def test_a_record_this_build_cannot_judge_stops_the_process_unacknowledged(self, text: str) -> None:
        deps = await self.stopped([event(0, "a=1"), event(1, text)])
        assert deps.log().commits == 0

    async def test_a_commit_that_fails_stops_the_process_unacknowledged(self) -> None:
        deps = FakeStepDeps()
        deps.log().failing = True
        await self.stopped([event(0, "a=1")], deps)
        assert deps.stopped == ["objects: RuntimeError: fenced"]

    async def test_failures_without_end_stop_the_process_unacknowledged(self) -> None:
        await self.stopped([batch(*(record(n, failing_of_three(n)) for n in range(FAILURES_IN_A_ROW)))])

    async def test_a_stream_that_breaks_stops_the_process(self) -> None:
        deps, stream = FakeStepDeps(), FakeStream()
        stream.noack_take = broken  # type: ignore[method-assign] # the stream under test
        with pytest.raises(ConnectionError):
            await AgentLoop(Appending(), deps.deps()).consume(stream)
        assert deps.stopped == ["objects: ConnectionError: gone"]

    async def test_an_acknowledgement_that_fails_stops_the_process(self) -> None:
        deps, stream = FakeStepDeps(), FakeStream([event(0, "a=1")])
        stream.ack = unanswered  # type: ignore[method-assign] # the stream under test
        async with consuming(deps, stream):
            await until(lambda: bool(deps.stopped))
        assert deps.stopped == ["objects: ConnectionError: gone"]

    async def stopped(self, batch: list[Event], deps: FakeStepDeps | None = None) -> FakeStepDeps:
        deps, stream = deps or FakeStepDeps(), FakeStream(batch)
        async with consuming(deps, stream):
            await until(lambda: bool(deps.stopped))
        assert stream.acknowledged == []
        return deps

    async def test_release_lets_go_of_the_partitions_named(self) -> None:
        deps, stream = FakeStepDeps(), FakeStream([event(0, "a=1", 0), event(0, "a=1", 1)])
        async with consuming(deps, stream) as loop:
            await until(lambda: len(stream.acknowledged) == 2)
            await loop.release([1, 5])
        assert (deps.log(0).closed, deps.log(1).closed) == (0, 1)


async def test_it_tells_what_it_has_taken_and_handled() -> None:
    deps, stream = FakeStepDeps(), FakeStream([event(0, "a=1"), event(1, "a=2")])
    async with consuming(deps, stream) as loop:
        await until(lambda: stream.acknowledged == [0, 1])
        (place,) = loop.places()
        assert (place.stage, place.topic, place.partition) == ("objects", "hubspot.changes", 0)
        assert (place.next_offset, place.taken, place.finished, place.in_memory) == (2, 2, 2, ())
        await loop.release([0])
        assert loop.places() == ()
