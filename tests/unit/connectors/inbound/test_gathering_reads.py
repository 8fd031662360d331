"""Reads stand apart where calls are scarce, and what is told meanwhile shares the next one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from connectors.inbound.notifications import NotificationReader
from connectors.session.echoes import RecentWrites
from connectors.session.gathering import LONGEST_GATHER_S
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.inbound.test_notifications import Reader, Source
from tests.unit.connectors.session.contexts import context_of


@asynccontextmanager
async def reader(spent: float, read_size: int = 100) -> AsyncIterator[tuple[Reader, FakeClock]]:
    clock, source = FakeClock(), Source(held={str(id): ("new", 10) for id in range(10)}, read_size=read_size)
    context, told = context_of("hubspot", clock, source=source)
    half = NotificationReader(replace(context, account=replace(context.account, spent=lambda: spent)), RecentWrites())
    running = asyncio.create_task(half.run())
    try:
        yield Reader(source, context, half, told, asyncio.Event()), clock
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def reads_after(it: Reader, clock: FakeClock, seconds: float) -> int:
    await clock.advance(seconds)
    it.reading._dispatcher.wake()
    await clock.settle()
    return it.source.reads


@pytest.mark.parametrize(("spent", "reads"), [(0.1, 3), (1.0, 1)], ids=["ample", "scarce"])
async def test_news_that_come_one_by_one_share_a_read_where_calls_are_scarce(spent: float, reads: int) -> None:
    async with reader(spent) as (it, clock):
        for object_id in ("1", "2", "3"):
            await it.told(object_id, "new", 10)
            await reads_after(it, clock, 0.0)
        assert it.source.reads == reads
        assert await reads_after(it, clock, LONGEST_GATHER_S) == min(reads + 1, 3)
        assert len(it.finished) == 3


async def test_a_full_read_waits_for_none() -> None:
    async with reader(1.0, read_size=2) as (it, clock):
        for object_id in ("1", "2", "3"):
            await it.told(object_id, "new", 10)
        assert await reads_after(it, clock, 0.0) == 1
        await it.told("4", "new", 10)
        assert await reads_after(it, clock, 0.0) == 2
