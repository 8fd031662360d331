"""The request budget: limits kept whatever the network does, shares kept whoever competes."""

import asyncio
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from connectors.contract.errors import RateLimited
from connectors.http.budget import RequestBudget
from connectors.http.messages import Purpose, RateNotice
from connectors.http.rate_limits import AdaptiveRate, AdaptiveSettings, RollingWindow, WindowSettings
from connectors.hubspot.client import SEARCH_WINDOW, windowed_budget
from tests.unit.connectors.fake_clock import FakeClock

LIMIT = 110
INTERVAL_S = 10.0


@dataclass
class Vendor:
    """Counts requests over a rolling window, at a moment of its own between sending and answer."""

    clock: FakeClock
    random: random.Random
    latency_s: float = 0.3
    limit: int = LIMIT
    interval_s: float = INTERVAL_S
    arrivals: deque[float] = field(default_factory=deque)
    worst: int = 0
    served: Counter[Purpose] = field(default_factory=Counter)
    sent: list[tuple[float, Purpose]] = field(default_factory=list)

    async def request(self, budget: RequestBudget, purpose: Purpose) -> None:
        async with budget.slot(purpose) as slot:
            self.sent.append((self.clock.now, purpose))
            total = self.random.uniform(0, 2 * self.latency_s)
            before = self.random.uniform(0, total)
            await self.clock.sleep(before)
            used = self._count()
            await self.clock.sleep(total - before)
            self.served[purpose] += 1
            slot.follow(RateNotice(self.limit, max(0, self.limit - used), self.interval_s))

    def foreign(self, count: int) -> None:
        """Somebody else's requests, now."""
        self.arrivals.extend([self.clock.now] * count)

    def _count(self) -> int:
        self.arrivals.append(self.clock.now)
        while self.arrivals[0] <= self.clock.now - self.interval_s:
            self.arrivals.popleft()
        self.worst = max(self.worst, len(self.arrivals))
        return len(self.arrivals)


async def _ask_for_ever(vendor: Vendor, budget: RequestBudget, purpose: Purpose) -> None:
    while True:
        await vendor.request(budget, purpose)


async def run_for(clock: FakeClock, seconds: float, *asking: asyncio.Task[None]) -> None:
    await clock.advance(seconds)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


def askers(vendor: Vendor, budget: RequestBudget, purpose: Purpose, count: int) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(_ask_for_ever(vendor, budget, purpose)) for _ in range(count)]


@pytest.mark.parametrize("latency_s", [0.01, 0.3, 4.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_limit_holds_in_every_window(latency_s: float, seed: int) -> None:
    """Without a margin, so that it is the counting that keeps the limit."""
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(seed), latency_s)
    budget = RequestBudget(clock, RollingWindow(WindowSettings(margin=1.0)))
    asking = [task for purpose in COMPETING for task in askers(vendor, budget, purpose, 10)]
    await run_for(clock, 65.0, *asking)
    assert vendor.worst <= LIMIT
    if latency_s < 1.0:
        assert vendor.served.total() >= 65 / INTERVAL_S * LIMIT * 0.85


async def test_the_limit_holds_while_the_previous_owner_of_the_partition_still_counts() -> None:
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(4), latency_s=0.05)
    vendor.foreign(90)
    budget = RequestBudget(clock, RollingWindow())
    await run_for(clock, 30.0, *askers(vendor, budget, "bulk_read", 20))
    assert vendor.worst <= LIMIT
    assert vendor.served.total() > LIMIT


async def test_one_request_at_a_time_until_the_first_headers() -> None:
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(5), latency_s=1.0)
    budget = RequestBudget(clock, RollingWindow())
    asking = askers(vendor, budget, "live_read", 8)
    await clock.settle()
    assert len(vendor.sent) == 1
    await run_for(clock, 5.0, *asking)
    assert len(vendor.sent) > 8


async def test_competing_purposes_share_by_weight() -> None:
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(6), latency_s=0.1)
    budget = RequestBudget(clock, RollingWindow())
    asking = [task for purpose in COMPETING for task in askers(vendor, budget, purpose, 10)]
    await run_for(clock, 120.0, *asking)
    total = vendor.served.total()
    shares = {purpose: vendor.served[purpose] / total for purpose in COMPETING}
    assert shares == pytest.approx({"live_read": 0.4, "write": 0.4, "bulk_read": 0.2}, abs=0.06)


async def test_a_live_read_waits_little_under_a_flood_of_bulk() -> None:
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(7), latency_s=0.1)
    budget = RequestBudget(clock, RollingWindow())
    bulk = askers(vendor, budget, "bulk_read", 30)
    await clock.advance(30.0)
    waits = []
    for _ in range(40):
        asked_at = clock.now
        live = asyncio.create_task(vendor.request(budget, "live_read"))
        while not live.done():
            await clock.advance(0.01)
        waits.append(next(at for at, purpose in reversed(vendor.sent) if purpose == "live_read") - asked_at)
        await clock.advance(0.3)
    await run_for(clock, 0.0, *bulk)
    assert max(waits) < 0.3


@pytest.mark.parametrize("limit", [100, 110, 190])
async def test_bulk_takes_what_live_leaves_and_live_goes_first(limit: int) -> None:
    """Bulk had 81 % of the ceiling; a live request beside it waits for the next place at most."""
    clock, seconds = FakeClock(), 120
    vendor = Vendor(clock, random.Random(17), latency_s=0.02, limit=limit)
    budget = RequestBudget(clock, RollingWindow())
    asking = [*askers(vendor, budget, "bulk_read", 4), *askers(vendor, budget, "bulk_write", 4)]
    await clock.advance(INTERVAL_S)  # the limit is known by then
    before, waits = vendor.served.total(), list[float]()
    purposes: tuple[Purpose, Purpose] = ("live_read", "write")
    for second in range(seconds):
        asked_at, purpose = clock.now, purposes[second % 2]
        live = asyncio.create_task(vendor.request(budget, purpose))
        await clock.advance(1.0)
        assert live.done()
        waits.append(next(at for at, sent in vendor.sent if sent == purpose and at >= asked_at) - asked_at)
    served = vendor.served.total() - before
    await run_for(clock, 0.0, *asking)
    assert served >= 0.95 * limit * seconds / INTERVAL_S
    assert max(waits) <= INTERVAL_S / limit + 2 * vendor.latency_s
    assert vendor.worst <= limit


@pytest.mark.parametrize("pauses_s", [0.0, 1.5, 4.0])
async def test_bulk_that_comes_and_goes_never_fills_the_window(pauses_s: float) -> None:
    """Four live requests a second waited up to a second for a place, once in each window that bulk had filled."""
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(19), latency_s=0.02, limit=190)
    budget = RequestBudget(clock, RollingWindow())

    async def rounds() -> None:
        while True:
            await asyncio.gather(*(vendor.request(budget, "bulk_write") for _ in range(60)))
            await clock.sleep(pauses_s)

    bulk, waits = asyncio.create_task(rounds()), list[float]()
    for number in range(240):
        asked_at, purpose = clock.now, COMPETING[number % 2]
        live = asyncio.create_task(vendor.request(budget, purpose))
        await clock.advance(0.25)
        while not live.done():
            await clock.advance(0.25)
        waits.append(next(at for at, sent in vendor.sent if sent == purpose and at >= asked_at) - asked_at)
    await run_for(clock, 0.0, bulk)
    assert max(waits) <= 0.1
    assert vendor.worst <= 190


async def test_bulk_catches_up_on_what_it_left_unused() -> None:
    """Sixty batches, a second after the sixty before: a sync reads, counts and writes, and its run ends sooner."""
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(23), latency_s=0.02, limit=190)
    budget = RequestBudget(clock, RollingWindow())
    await _asked_together(clock, vendor, budget, 60)
    await clock.advance(1.0)
    took_s = await _asked_together(clock, vendor, budget, 60)
    assert took_s <= 2.6  # 3.0 s at an even pace


async def _asked_together(clock: FakeClock, vendor: Vendor, budget: RequestBudget, number: int) -> float:
    """How long that many bulk requests take."""
    began = clock.now
    asking = [asyncio.create_task(vendor.request(budget, "bulk_write")) for _ in range(number)]
    while not all(task.done() for task in asking):
        await clock.advance(0.05)
    return clock.now - began


async def test_a_burst_of_writes_leaves_room_for_live_reads() -> None:
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(11), latency_s=0.1)
    budget = RequestBudget(clock, RollingWindow())
    writing = askers(vendor, budget, "write", 30)
    await clock.advance(5.0)
    reading = [asyncio.create_task(vendor.request(budget, "live_read")) for _ in range(5)]
    await clock.advance(0.5)
    assert all(read.done() for read in reading)
    await run_for(clock, 0.0, *writing)


async def test_a_burst_of_bulk_writes_leaves_room_for_live_ones() -> None:
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(13), latency_s=0.1)
    budget = RequestBudget(clock, RollingWindow())
    bulk = [task for purpose in ("bulk_read", "bulk_write") for task in askers(vendor, budget, purpose, 30)]
    await clock.advance(30.0)
    waits = []
    for _ in range(20):
        live = asyncio.create_task(vendor.request(budget, "write"))
        asked_at = clock.now
        while not live.done():
            await clock.advance(0.01)
        waits.append(next(at for at, purpose in reversed(vendor.sent) if purpose == "write") - asked_at)
        await clock.advance(0.5)
    await run_for(clock, 0.0, *bulk)
    assert max(waits) < 0.3


async def test_bulk_alone_uses_most_of_the_window_evenly() -> None:
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(8), latency_s=0.1)
    budget = RequestBudget(clock, RollingWindow())
    await run_for(clock, 60.0, *askers(vendor, budget, "bulk_read", 30))
    assert vendor.served.total() >= 60 / INTERVAL_S * LIMIT * 0.75
    bulk = [at for at, _ in vendor.sent if at > clock.now - 3 * INTERVAL_S]
    assert max(later - at for at, later in pairwise(bulk)) < 1.0


async def test_searches_are_counted_apart_and_stay_below_five_a_second() -> None:
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(9), latency_s=0.1, limit=5, interval_s=1.0)
    budget = RequestBudget(clock, RollingWindow(), RollingWindow(SEARCH_WINDOW))
    await run_for(clock, 20.0, *askers(vendor, budget, "search", 9))
    assert vendor.worst <= 4
    assert vendor.served["search"] >= 40


async def test_a_refused_burst_pauses_its_own_lane_only() -> None:
    clock = FakeClock()
    budget = windowed_budget(clock)
    async with budget.slot("live_read") as slot:
        slot.limited(RateLimited("burst", wait_s=10.0))
    async with budget.slot("search"):
        pass
    waiting = asyncio.create_task(take_and_go(budget, "live_read"))
    await clock.advance(9.9)
    assert not waiting.done()
    await clock.advance(0.2)
    assert waiting.done()


async def test_the_daily_limit_pauses_searches_too() -> None:
    clock = FakeClock()
    budget = windowed_budget(clock)
    async with budget.slot("live_read") as slot:
        slot.limited(RateLimited("daily", wait_s=900.0))
    searching = asyncio.create_task(take_and_go(budget, "search"))
    await clock.advance(899.0)
    assert not searching.done()
    await clock.advance(2.0)
    assert searching.done()


async def test_a_wait_of_a_year_is_cut_to_what_is_set_and_told(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    budget = windowed_budget(clock, longest_wait_s=900.0, name="acme: HubSpot")
    async with budget.slot("live_read") as slot:
        slot.limited(RateLimited("daily", wait_s=31_536_000.0))
    waiting = [asyncio.create_task(take_and_go(budget, purpose)) for purpose in ("search", "live_read", "control")]
    await clock.advance(899.0)
    assert not any(task.done() for task in waiting)
    await clock.advance(2.0)
    assert all(task.done() for task in waiting)
    assert "acme: HubSpot asks for a wait of 3.15e+07 s: 900 s are kept" in caplog.text


async def test_an_interval_of_years_ends_no_calls(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    budget = windowed_budget(clock, longest_wait_s=900.0)
    for _ in range(2):
        async with budget.slot("live_read") as slot:
            slot.follow(RateNotice(limit=2, remaining=0, interval_s=99_999_999.999))
        await clock.advance(901.0)
    waiting = asyncio.create_task(take_and_go(budget, "control"))
    await clock.advance(901.0)
    assert waiting.done()
    assert caplog.text.count("asks for a wait") == 1


async def test_a_cancelled_wait_gives_its_turn_to_the_next() -> None:
    clock = FakeClock()
    budget = RequestBudget(clock, AdaptiveRate(AdaptiveSettings(in_flight=1)))
    async with budget.slot("write"):
        first = asyncio.create_task(take_and_go(budget, "write"))
        second = asyncio.create_task(take_and_go(budget, "write"))
        await clock.settle()
        first.cancel()
        await clock.settle()
        assert first.cancelled()
        assert not second.done()
    await clock.settle()
    assert second.done()


async def test_a_cancellation_in_the_moment_of_the_turn_gives_the_place_back() -> None:
    clock = FakeClock()
    budget = RequestBudget(clock, AdaptiveRate(AdaptiveSettings(in_flight=1)))
    async with budget.slot("write"):
        first = asyncio.create_task(take_and_go(budget, "write"))
        await clock.settle()
    first.cancel()
    await clock.settle()
    assert first.cancelled()
    await asyncio.wait_for(take_and_go(budget, "write"), timeout=5)


async def test_a_request_that_fails_frees_its_place() -> None:
    clock = FakeClock()
    budget = RequestBudget(clock, AdaptiveRate(AdaptiveSettings(in_flight=1)))
    with pytest.raises(ZeroDivisionError):
        async with budget.slot("write"):
            raise ZeroDivisionError
    await asyncio.wait_for(take_and_go(budget, "write"), timeout=5)


async def test_a_flood_with_no_vendor_limit_is_served_at_once() -> None:
    clock = FakeClock()
    vendor = Vendor(clock, random.Random(10), latency_s=0.02, limit=1_000_000)
    budget = RequestBudget(clock, RollingWindow(WindowSettings(in_flight=50)))
    await run_for(clock, 2.0, *askers(vendor, budget, "live_read", 50))
    assert vendor.served.total() > 3_000


async def take_and_go(budget: RequestBudget, purpose: Purpose) -> None:
    async with budget.slot(purpose):
        pass


COMPETING: tuple[Purpose, ...] = ("live_read", "write", "bulk_read")


async def test_the_vital_signs_say_what_is_used_and_what_waits() -> None:
    clock = FakeClock()
    budget = windowed_budget(clock, WindowSettings(limit=100, in_flight=1))
    async with budget.slot("live_read") as slot:
        slot.follow(RateNotice(100, 90, INTERVAL_S, day_limit=625_000, day_remaining=600_000))
        waits = asyncio.create_task(_one(budget, "write"))
        await asyncio.sleep(0)
        general, search = budget.vitals("acme", "hubspot")
        assert (general.integration, general.system, general.limit, search.limit) == (
            *("acme", "hubspot", "general"),
            "search",
        )
        assert (general.ceiling, general.interval_ms, general.found) == (99, 10_000, False)
        assert (general.used, general.others, general.waiting) == ({"live_read": 1}, 9, {"write": 1})
        assert (general.day_ceiling, general.day_left, general.paused_ms) == (625_000, 600_000, 0)
        assert (search.used, search.waiting, search.day_ceiling) == ({}, {}, None)
    await waits
    assert budget.vitals("acme", "hubspot")[0].waiting == {}
    await clock.advance(2 * INTERVAL_S)
    assert budget.vitals("acme", "hubspot")[0].used == {}


async def _one(budget: RequestBudget, purpose: Purpose) -> None:
    async with budget.slot(purpose):
        pass


async def test_a_rate_that_is_felt_for_tells_what_left_lately() -> None:
    clock = FakeClock()
    budget = RequestBudget(clock, AdaptiveRate(AdaptiveSettings(start_per_s=8)))
    for _ in range(3):
        await _one(budget, "write")
    (told,) = budget.vitals("acme", "userflow")
    assert (told.ceiling, told.interval_ms, told.found, told.used) == (80, 10_000, True, {"write": 3})
    async with budget.slot("write") as slot:
        slot.limited(RateLimited("burst", wait_s=30.0))
    (told,) = budget.vitals("acme", "userflow")
    assert (told.ceiling, told.paused_ms) == (40, 30_000)
    await clock.advance(11)
    (told,) = budget.vitals("acme", "userflow")
    assert (told.used, told.paused_ms) == ({}, 19_000)
