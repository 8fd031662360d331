"""A burst of patches leaves in few full batches; a single one, and the first of a quiet account, leave at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from connectors.contract.sink import Answered, Write, WriteResult
from connectors.outbound.patch_writer import PatchWriter
from connectors.session.echoes import RecentWrites
from connectors.session.gathering import GATHER_S, LONGEST_GATHER_S
from schemas.records import Cause, FieldPatch
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import context_of

BATCH, BURST, PER_S, ANSWERS_IN_S = 100, 1_000, 500, 0.02
MOST_CALLS = 25


class BatchSink:
    """Takes batches of a hundred, two at once, and answers each after a while."""

    batch_size, in_flight = BATCH, 2

    def __init__(self, clock: FakeClock, answers_in_s: float) -> None:
        self.batches: list[list[str]] = []
        self._clock, self._answers_in_s = clock, answers_in_s

    async def write(self, writes: Sequence[Write], may_write: Callable[[], bool]) -> Sequence[WriteResult]:
        self.batches.append([write.object_id for write in writes])
        if self._answers_in_s:
            await self._clock.sleep(self._answers_in_s)
        return [Answered(write, dict(write.fields), 1_000, 0) for write in writes]


def patch(object_id: str, object_type: str = "contacts", caused_by: Cause | None = None) -> FieldPatch:
    return FieldPatch(
        integration="acme",
        connection=1,
        revision=1,
        mapping="contacts-users",
        match_value=object_id,
        system="hubspot",
        object_type=object_type,
        object_id=object_id,
        fields={"title": "new"},
        caused_by=caused_by,
    )


class Writing:
    """The writing half on a clock that stands still until a test moves it."""

    def __init__(self, spent: float, answers_in_s: float) -> None:
        self.clock = FakeClock()
        self.sink = BatchSink(self.clock, answers_in_s)
        context, _ = context_of("hubspot", self.clock, sink=self.sink)
        self._context = replace(context, account=replace(context.account, spent=lambda: spent))
        self.writer = PatchWriter(self._context, RecentWrites())
        self.finished = 0

    async def take(self, *ids: str, object_type: str = "contacts", caused_s_ago: float = 0.0) -> None:
        caused_by = Cause("userflow.notifications", 0, 1, self._context.now_ms() - int(caused_s_ago * 1000))
        for object_id in ids:
            await self.writer.take(patch(object_id, object_type, caused_by), self._one_finished)
        await self.clock.settle()

    async def after(self, seconds: float) -> list[int]:
        """The sizes of all batches once so much time has passed."""
        await self.clock.advance(seconds)
        self.writer._dispatcher.wake()
        await self.clock.settle()
        return [len(batch) for batch in self.sink.batches]

    def _one_finished(self) -> None:
        self.finished += 1


@asynccontextmanager
async def writing(spent: float = 0.0, answers_in_s: float = 0.0) -> AsyncIterator[Writing]:
    half = Writing(spent, answers_in_s)
    running = asyncio.create_task(half.writer.run())
    try:
        yield half
    finally:
        running.cancel()


async def test_the_first_patch_of_a_quiet_account_leaves_at_once_and_what_follows_it_shares_a_call() -> None:
    async with writing() as half:
        await half.take("1")
        assert await half.after(0.0) == [1]
        await half.take("2", "3", "4")
        assert await half.after(GATHER_S / 2) == [1]
        assert await half.after(GATHER_S / 2) == [1, 3]


async def test_a_single_patch_waits_for_none_where_calls_are_ample() -> None:
    async with writing() as half:
        for number in range(5):
            await half.take(str(number))
        assert await half.after(0.0) == [1, 1, 1, 1, 1]


async def test_a_single_patch_waits_for_company_where_calls_are_scarce() -> None:
    async with writing(spent=0.9) as half:
        await half.take("1")
        await half.take("2")
        assert await half.after(LONGEST_GATHER_S * 0.9) == [1]
        await half.take("3")
        assert await half.after(LONGEST_GATHER_S * 0.1) == [1, 2]


async def test_a_full_batch_leaves_at_once_and_one_type_does_not_wait_for_another() -> None:
    async with writing() as half:
        await half.take("1")
        await half.take(*map(str, range(2, 2 + BATCH)))
        assert await half.after(0.0) == [1, BATCH]
        await half.take("7", "8", object_type="companies")
        assert len(await half.after(0.0)) == 3


async def test_a_single_patch_just_behind_a_call_of_several_waits_for_company_and_later_for_none() -> None:
    async with writing() as half:
        await half.take("1", "2")
        assert await half.after(0.0) in ([2], [1, 1])
        await half.take("3", "4")
        assert (await half.after(GATHER_S))[-1] == 2
        await half.take("5")
        so_far = len(await half.after(GATHER_S / 2))
        await half.take("6")
        assert (await half.after(GATHER_S / 2))[so_far - 1 :] == [2, 2]
        await half.after(GATHER_S)
        await half.take("7")
        assert (await half.after(0.0))[-1] == 1


async def test_patches_that_are_late_already_wait_a_tenth_of_that_for_company() -> None:
    async with writing() as half:
        await half.take("1")
        await half.take("2", "3", caused_s_ago=5.0)
        assert await half.after(0.4) == [1]
        await half.take("4")
        assert await half.after(0.2) == [1, 3]


async def test_a_burst_of_a_thousand_patches_takes_few_calls() -> None:
    async with writing(answers_in_s=ANSWERS_IN_S) as half:
        for number in range(BURST):
            await half.take(str(number))
            await half.after(1 / PER_S)
        await half.after(GATHER_S)
        sizes = await half.after(ANSWERS_IN_S)
        assert sum(sizes) == half.finished == BURST
        assert len(sizes) <= MOST_CALLS
