"""A rate that a vendor does not name: found by trying, kept away from, never lost to an outage."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from connectors.contract.errors import RateLimited
from connectors.http.budget import RequestBudget
from connectors.http.rate_limits import AdaptiveRate, AdaptiveSettings
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.http.test_budget import COMPETING, Vendor, askers, run_for, take_and_go


async def test_an_unknown_limit_is_found_and_then_kept_away_from() -> None:
    clock = FakeClock()
    rate = AdaptiveRate()
    budget = RequestBudget(clock, rate)
    vendor = SilentVendor(clock, per_s=12.0)
    asking = [asyncio.create_task(vendor.ask_for_ever(budget)) for _ in range(8)]
    await clock.advance(60.0)
    refused_early = vendor.refused
    await run_for(clock, 200.0, *asking)
    assert refused_early >= 1
    assert vendor.refused - refused_early <= 3
    assert vendor.served >= 260 * 7


async def test_bulk_is_not_held_back_for_ever_by_a_rate_that_others_use_up() -> None:
    clock = FakeClock()
    budget = RequestBudget(clock, AdaptiveRate(AdaptiveSettings(max_per_s=8.0)))
    vendor = Vendor(clock, random.Random(12), latency_s=0.02, limit=1_000_000, interval_s=1.0)
    asking = [task for purpose in (*COMPETING, "bulk_write") for task in askers(vendor, budget, purpose, 4)]
    await run_for(clock, 60.0, *asking)
    assert vendor.served["bulk_read"] + vendor.served["bulk_write"] >= 50
    assert vendor.served["write"] > vendor.served["bulk_write"] * 4


async def test_refusals_of_one_moment_halve_the_rate_once() -> None:
    clock = FakeClock()
    rate = AdaptiveRate(AdaptiveSettings(start_per_s=16.0))
    for _ in range(4):
        rate.throttled(None, sent_at=clock.now, now=clock.now + 0.1)
    assert rate.per_s == 8.0


async def test_an_outage_that_looks_like_a_limit_leaves_no_slow_vendor_behind() -> None:
    clock = FakeClock()
    rate = AdaptiveRate(AdaptiveSettings(start_per_s=32.0))
    budget = RequestBudget(clock, rate)
    vendor = SilentVendor(clock, per_s=0.0)
    asking = [asyncio.create_task(vendor.ask_for_ever(budget)) for _ in range(8)]
    await clock.advance(30.0)
    assert (vendor.served, rate.per_s) == (0, 1.0)
    vendor.per_s = 1_000.0
    await clock.advance(15.0)
    assert rate.per_s >= 16.0
    await run_for(clock, 20.0, *asking)
    assert rate.per_s == pytest.approx(32.0 * 0.9)


async def test_an_unused_rate_does_not_grow() -> None:
    clock = FakeClock()
    rate = AdaptiveRate()
    budget = RequestBudget(clock, rate)
    for _ in range(20):
        await take_and_go(budget, "live_read")
        await clock.advance(2.0)
    assert rate.per_s == 8.0


async def test_the_rate_stays_between_its_bounds() -> None:
    clock = FakeClock()
    rate = AdaptiveRate(AdaptiveSettings(start_per_s=2.0, max_per_s=3.0))
    budget = RequestBudget(clock, rate)
    vendor = SilentVendor(clock, per_s=1_000.0)
    await run_for(clock, 30.0, *[asyncio.create_task(vendor.ask_for_ever(budget)) for _ in range(8)])
    assert rate.per_s == 3.0
    for second in range(10):
        rate.throttled(1.0, sent_at=clock.now + second, now=clock.now + second)
    assert rate.per_s == 1.0


@dataclass
class SilentVendor:
    """Refuses beyond a rate, tells no numbers."""

    clock: FakeClock
    per_s: float
    served: int = 0
    refused: int = 0
    _recent: deque[float] = field(default_factory=deque)

    async def ask_for_ever(self, budget: RequestBudget) -> None:
        while True:
            async with budget.slot("write") as slot:
                await self.clock.sleep(0.05)
                while self._recent and self._recent[0] <= self.clock.now - 1.0:
                    self._recent.popleft()
                if len(self._recent) >= self.per_s:
                    self.refused += 1
                    slot.limited(RateLimited("unknown"))
                else:
                    self._recent.append(self.clock.now)
                    self.served += 1
                await self.clock.sleep(0.05)
