"""A webhook that overtakes the answer to the write it tells of waits for it, and costs no read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from connectors.contract.sink import Write
from connectors.inbound.notifications import NotificationReader
from connectors.session.echoes import ECHO_APART_MS, ECHO_WITHIN_S, RecentWrites
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.inbound.test_notifications import Reader, Source
from tests.unit.connectors.session.contexts import context_of

OURS = Write("contacts", "7", {"title": "ours"})
AT_MS = 10


@asynccontextmanager
async def reader() -> AsyncIterator[tuple[Reader, RecentWrites]]:
    source, writes = Source(held={"7": ("ours", AT_MS)}), RecentWrites()
    context, told = context_of("hubspot", FakeClock(), source=source)
    half = NotificationReader(context, writes)
    running = asyncio.create_task(half.run())
    try:
        yield Reader(source, context, half, told, asyncio.Event()), writes
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def after(it: Reader, seconds: float) -> None:
    clock = it.context.clock
    assert isinstance(clock, FakeClock)
    await clock.advance(seconds)
    it.reading._dispatcher.wake()
    await clock.settle()


async def test_an_echo_that_comes_before_the_answer_costs_no_read() -> None:
    async with reader() as (it, writes):
        writes.began(OURS)
        await it.told("7", "ours", AT_MS)
        await after(it, 0.0)
        assert (it.source.reads, it.finished) == (0, [])
        writes.ended(OURS)
        writes.wrote(OURS, OURS.fields, AT_MS)
        await after(it, ECHO_WITHIN_S)
        assert (it.source.reads, it.finished, it.titles()) == (0, ["ours"], ["ours"])


async def test_nobody_waits_for_the_echo_of_a_bulk_write() -> None:
    """As live changes the echoes of a full sync's writes ended the gathering of its bulk, one transaction for each."""
    for write, early in (
        (OURS, True),
        (OURS, False),
        (replace(OURS, bulk=True), True),
        (replace(OURS, bulk=True), False),
    ):
        async with reader() as (it, writes):
            writes.began(write)
            if early:
                await it.told("7", "ours", AT_MS)
            writes.wrote(write, write.fields, AT_MS)
            writes.ended(write)
            if not early:
                await it.told("7", "ours", AT_MS)
            await after(it, ECHO_WITHIN_S)
            assert it.source.reads == 0
            assert [one.bulk for one in it.published] == [write.bulk]


@pytest.mark.parametrize("early", [True, False])
async def test_the_echo_of_a_bulk_write_tells_nothing_where_the_system_says_whose_it_is(early: bool) -> None:
    """The answer to the write told its values: one record in four of a full sync that writes was such an echo."""
    for write, ours, told in (
        (replace(OURS, bulk=True), True, []),
        (replace(OURS, bulk=True), False, ["ours"]),  # it may be somebody else's equal edit
        (OURS, True, ["ours"]),
    ):
        async with reader() as (it, writes):
            it.source.ours = ours
            writes.began(write)
            if early:
                await it.told("7", "ours", AT_MS)
            writes.wrote(write, write.fields, AT_MS)
            writes.ended(write)
            if not early:
                await it.told("7", "ours", AT_MS)
            await after(it, ECHO_WITHIN_S)
            assert (it.source.reads, it.titles(), it.finished) == (0, told, ["ours"])


async def test_our_own_value_at_another_time_is_read() -> None:
    async with reader() as (it, writes):
        it.source.ours = True
        writes.wrote(replace(OURS, bulk=True), OURS.fields, AT_MS - 1 - ECHO_APART_MS)
        await it.told("7", "ours", AT_MS)
        await after(it, 0.0)
        assert (it.source.reads, it.titles(), it.finished) == (1, ["ours"], ["ours"])


async def test_somebody_elses_equal_edit_is_read_once_the_answer_shows_that_it_was_another() -> None:
    async with reader() as (it, writes):
        writes.began(OURS)
        await it.told("7", "ours", AT_MS)
        writes.ended(OURS)
        writes.wrote(OURS, OURS.fields, AT_MS - 1 - ECHO_APART_MS)
        await after(it, ECHO_WITHIN_S)
        assert (it.source.reads, it.finished) == (1, ["ours"])


async def test_somebody_elses_edit_meanwhile_is_read_at_once_and_the_echo_with_it() -> None:
    async with reader() as (it, writes):
        writes.began(OURS)
        await it.told("7", "ours", AT_MS)
        it.source.held["7"] = ("theirs", AT_MS + 1)
        await it.told("7", "theirs", AT_MS + 1)
        await after(it, 0.0)
        assert (it.source.reads, it.finished) == (1, ["ours", "theirs"])
