"""What was read is told with what its reads waited for: each try, each repeat, and its own time in the queue."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from connectors.contract.associations import AssociatedFields
from connectors.contract.errors import Transient
from connectors.contract.source import AssociatedNews, Gone, ReadPurpose, Seen
from connectors.http.meter import waiting_for_a_place, waiting_for_an_answer
from connectors.inbound.fan_out import FanOuts
from connectors.inbound.lookups import Lookups
from connectors.inbound.notifications import NotificationReader
from connectors.inbound.read_queue import REPEATS_S
from connectors.inbound.run_parts import AskedTally
from connectors.session.echoes import RecentWrites
from schemas.records import Cause, ChangeEvent, ConnectorRequest, StateCommand
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.inbound import test_fan_out, test_lookups, test_notifications
from tests.unit.connectors.session.contexts import Told, context_of

CAUSE = Cause("hubspot.notifications", 0, 7, 1_000_000, 100)
PLACE_S, ANSWER_S = 0.1, 0.2


async def request(clock: FakeClock) -> None:
    with waiting_for_a_place():
        await clock.sleep(PLACE_S)
    with waiting_for_an_answer():
        await clock.sleep(ANSWER_S)


@dataclass
class Source(test_notifications.Source):
    """A system with a limit: a request waits for its place, then for the answer."""

    clock: FakeClock | None = None

    async def read(self, object_type: str, ids: Sequence[str], purpose: ReadPurpose) -> Sequence[Seen | Gone]:
        assert self.clock is not None
        await request(self.clock)
        return await super().read(object_type, ids, purpose)


@asynccontextmanager
async def reader(scarce: float = 0.0) -> AsyncIterator[tuple[test_notifications.Reader, FakeClock, Source]]:
    clock = FakeClock()
    source = Source(held={str(id): ("new", 10) for id in range(10)}, clock=clock, read_size=1)
    context, told = context_of("hubspot", clock, source=source)
    half = NotificationReader(replace(context, account=replace(context.account, spent=lambda: scarce)), RecentWrites())
    running = asyncio.create_task(half.run())
    try:
        yield test_notifications.Reader(source, context, half, told, asyncio.Event()), clock, source
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def passing(it: test_notifications.Reader, clock: FakeClock, seconds: float) -> None:
    """So much time, in turns short enough for the dispatcher's waits."""
    for _ in range(round(seconds / 0.05)):
        await clock.advance(0.05)
        it.reading._dispatcher.wake()
        await clock.settle()


def spent(told: Told) -> list[tuple[str, int, int]]:
    """Object, and what its cause says of the time of reads and of limits."""
    changes = [one for one in told.published if isinstance(one, ChangeEvent)]
    return [(one.object_id, one.caused_by.read_ms, one.caused_by.budget_ms) for one in changes if one.caused_by]


async def test_a_read_is_told_with_what_it_waited_for() -> None:
    async with reader() as (it, clock, _):
        await it.told("1", "new", 10)
        await passing(it, clock, 0.5)
        assert spent(it.heard) == [("1", 200, 100)]


async def test_each_try_counts_and_a_repeat_because_the_read_lagged_but_not_the_time_between() -> None:
    async with reader() as (it, clock, source):
        source.error = Transient("http_503")
        await it.told("1", "newer", 20)
        await passing(it, clock, 0.4)
        source.error = None
        await passing(it, clock, 0.5)
        source.held["1"] = ("newer", 20)
        await passing(it, clock, REPEATS_S[0] + 1.0)
        early, last = spent(it.heard)
        assert early == ("1", 200, 100)  # the value that was notified, published as the first try failed
        assert last == ("1", 600, 300)


async def test_what_queues_behind_reads_that_take_every_place_waits_for_what_they_wait_for() -> None:
    async with reader() as (it, clock, _):
        for object_id in ("1", "2", "3", "4"):
            await it.told(object_id, "new", 10)
        await passing(it, clock, 1.0)
        assert spent(it.heard) == [("1", 200, 100), ("2", 200, 100), ("3", 200, 100), ("4", 400, 200)]


async def test_a_lookup_adds_to_what_the_change_that_asked_brought() -> None:
    clock = FakeClock()

    class Slow(test_lookups.Source):
        async def look_up(self, *asked: object) -> Sequence[Seen]:
            await request(clock)
            return await super().look_up(*asked)  # type: ignore[arg-type]

    context, told = context_of("hubspot", clock, source=Slow({"7": "ada@example.com"}))
    tasks: list[asyncio.Task[None]] = []
    lookups = Lookups(context, lambda work: tasks.append(asyncio.create_task(work)), AskedTally(context))
    asked = ConnectorRequest("acme", 1, "lookup", "contacts", ("ada@example.com",), "email", "m", by_email=True)
    lookups.take(asked, CAUSE, lambda: None)
    await clock.advance(5.0)
    await asyncio.gather(*tasks)
    assert spent(told) == [("7", 300, 100)]


async def test_a_fan_out_tells_every_reader_what_reading_took() -> None:
    clock = FakeClock()

    class Slow(test_fan_out.Source):
        async def shown(self, *asked: object) -> Sequence[AssociatedFields]:
            await request(clock)
            return await super().shown(*asked)  # type: ignore[arg-type]

    source = Slow({"c": ("Acme", 10)}, {"c": ["1", "2"]})
    source.gate.set()
    context, told = context_of("hubspot", clock, source=source)

    async def command(_: StateCommand) -> None:
        raise AssertionError("nothing is gone")

    fan_outs = FanOuts(context, source, command)
    running = asyncio.create_task(fan_outs.run())
    await fan_outs.take(AssociatedNews("companies", "c", "changed", 10), CAUSE, lambda: None)
    await clock.advance(5.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert spent(told) == [("1", 300, 100), ("2", 300, 100)]


async def test_reads_that_stand_apart_because_the_limit_is_short_wait_for_it() -> None:
    async with reader(scarce=1.0) as (it, clock, source):
        source.read_size = 10
        await it.told("1", "new", 10)
        await passing(it, clock, 0.5)
        await it.told("2", "new", 10)
        await passing(it, clock, 2.0)
        first, second = spent(it.heard)
        assert first == ("1", 200, 100)
        assert second[:2] == ("2", 200)
        assert 100 + 500 <= second[2] <= 100 + 550
