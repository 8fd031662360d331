"""A written change is told with the parts of its way: each patch's own waits, and every try of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from connectors.contract.errors import ConnectorError, RateLimited, Transient
from connectors.contract.sink import Answered, Write, WriteResult
from connectors.http.meter import waiting_for_a_place, waiting_for_an_answer
from connectors.outbound.patch_writer import PatchWriter
from connectors.session.echoes import RecentWrites
from schemas.records import Cause, ChangeEvent, FieldPatch
from schemas.spent import Parts
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import Told, context_of

CAUSE = Cause("hubspot.notifications", 0, 1, 999_900, 40, 5)  # a tenth of a second before the clock begins
TURN_MS = 50


@dataclass
class Sink:
    """A system with a limit: a request waits for its place, then for the answer."""

    clock: FakeClock
    place_s: float = 0.1
    answer_s: float = 0.2
    errors: list[ConnectorError] = field(default_factory=list)  # what the next tries end with
    batch_size: int = 1
    in_flight: int = 1

    async def write(self, writes: Sequence[Write], may_write: Callable[[], bool]) -> Sequence[WriteResult]:
        with waiting_for_a_place():
            await self.clock.sleep(self.place_s)
        with waiting_for_an_answer():
            await self.clock.sleep(self.answer_s)
        if self.errors:
            raise self.errors.pop(0)
        return [Answered(write, dict(write.fields), 1_000, 999) for write in writes]


@dataclass
class Writing:
    """A writing half under test, and what it measured."""

    clock: FakeClock
    sink: Sink
    half: PatchWriter
    told: Told
    parts: list[Parts]

    async def take(self, object_id: str, cause: Cause = CAUSE) -> None:
        await self.half.take(patch(object_id, cause), lambda: None)
        await self.clock.settle()

    async def after(self, seconds: float) -> list[Parts]:
        """What was measured once so much time has passed, in turns short enough for the dispatcher's waits."""
        for _ in range(round(seconds * 1_000 / TURN_MS)):
            await self.clock.advance(TURN_MS / 1_000)
            self.half._dispatcher.wake()
            await self.clock.settle()
        return self.parts


def patch(object_id: str, cause: Cause) -> FieldPatch:
    return FieldPatch("acme", 1, 1, "m", object_id, "userflow", "users", object_id, {"a": 1}, caused_by=cause)


@asynccontextmanager
async def writing(spent: float = 0.0, skew_ms: int = 0) -> AsyncIterator[Writing]:
    clock, parts = FakeClock(), list[Parts]()
    sink = Sink(clock)
    context, told = context_of(
        "userflow",
        clock,
        sink=sink,
        now_ms=lambda: round(clock.now * 1000) + skew_ms,
        visible=lambda bulk, found: parts.append(found),
    )
    half = PatchWriter(replace(context, account=replace(context.account, spent=lambda: spent)), RecentWrites())
    running = asyncio.create_task(half.run())
    try:
        yield Writing(clock, sink, half, told, parts)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_the_change_brought_along_and_what_the_write_waited_for() -> None:
    async with writing() as it:
        await it.take("u1")
        assert await it.after(0.5) == [Parts(pairstream=55, read=40, budget=105, write=200)]
        (told,) = (one for one in it.told.published if isinstance(one, ChangeEvent))
        assert told.caused_by is not None
        assert (told.caused_by.read_ms, told.caused_by.budget_ms, told.caused_by.write_ms) == (40, 105, 200)


async def test_each_try_counts() -> None:
    async with writing() as it:
        it.sink.errors = [Transient("http_503"), Transient("http_503")]
        await it.take("u1")
        (parts,) = await it.after(2.0)
        assert (parts.read, parts.budget, parts.write) == (40, 305, 600)


async def test_a_patch_that_queues_behind_others_waits_for_what_they_wait_for_from_its_own_time_on() -> None:
    async with writing() as it:
        await it.take("u1")
        await it.after(0.05)
        await it.take("u2")
        first, second = await it.after(1.0)
        assert (first.budget, first.write) == (105, 200)
        assert (second.budget, second.write) == (5 + 50 + 100, 200 + 200)


async def test_a_rate_limit_that_was_met_is_waited_for_as_one() -> None:
    async with writing() as it:
        it.sink.errors = [RateLimited("burst", wait_s=1.0)]
        await it.take("u1")
        (parts,) = await it.after(3.0)
        assert parts.write == 400
        assert 5 + 100 + 1_000 + 100 <= parts.budget <= 5 + 100 + 1_000 + 100 + TURN_MS


@pytest.mark.parametrize(("spent", "budget"), [(0.0, 5), (1.0, 5 + 500)], ids=["ample", "scarce"])
async def test_calls_that_stand_apart_because_the_limit_is_short_wait_for_it(spent: float, budget: int) -> None:
    async with writing(spent) as it:
        it.sink.place_s, it.sink.batch_size = 0.0, 10
        await it.take("u1")
        await it.after(0.5)
        await it.take("u2")
        _, second = await it.after(1.5)
        assert second.write == 200
        assert budget <= second.budget <= budget + TURN_MS


async def test_a_machine_whose_clock_is_behind_tells_no_negative_part() -> None:
    async with writing(skew_ms=-250) as it:
        await it.take("u1")
        assert await it.after(0.5) == [Parts(0, 0, 0, 150)]
