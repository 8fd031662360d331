"""What work waits for: a place in the limits, then the system; no moment counts twice."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract.errors import Transient
from connectors.contract.metrics import ApiMetrics
from connectors.http.budget import RequestBudget
from connectors.http.exchange import Exchange
from connectors.http.messages import Call, Request, Response
from connectors.http.meter import Meter, QueueMeter, Spent, Stopwatch, waiting_for_a_place, waiting_for_an_answer
from connectors.http.rate_limits import AdaptiveRate, AdaptiveSettings
from tests.unit.connectors.fake_clock import FakeClock

REQUEST = Request("GET", "/things/1")


class Vendor:
    """A system that answers after a quarter of a second, or breaks off."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.broken = False

    async def send(self, _: Request) -> Response:
        await self.clock.sleep(0.25)
        if self.broken:
            raise Transient("connection_lost")
        return Response(200)


async def ask(exchange: Exchange) -> None:
    await exchange.carry(Call(REQUEST, lambda _: None, "live_read"), REQUEST)


async def spent_on(clock: FakeClock, exchange: Exchange, calls: int) -> Spent:
    meter = Meter(clock.monotonic)
    with meter.measuring():
        asked = asyncio.gather(*(ask(exchange) for _ in range(calls)), return_exceptions=True)
    await clock.advance(10.0)
    await asked
    return meter.spent()


def rate(clock: FakeClock) -> RequestBudget:
    """One request a second."""
    return RequestBudget(clock, AdaptiveRate(AdaptiveSettings(start_per_s=1.0, max_per_s=1.0, burst=1)))


async def test_requests_that_go_together_count_once_as_long_as_the_last_of_them_waits() -> None:
    clock = FakeClock()
    exchange = Exchange(Vendor(clock), rate(clock), ApiMetrics())
    await ask_once(clock, exchange)
    assert await spent_on(clock, exchange, 1) == Spent(0.0, 0.25)
    together = await spent_on(clock, exchange, 3)
    assert [together.budget_s, together.system_s] == pytest.approx([2.0, 0.25])


async def ask_once(clock: FakeClock, exchange: Exchange) -> None:
    """Nobody measures this one."""
    asked = asyncio.create_task(ask(exchange))
    await clock.advance(10.0)
    await asked


async def test_a_request_without_an_answer_counts_as_long_as_it_was_waited_for() -> None:
    clock, vendor = FakeClock(), Vendor(FakeClock())
    vendor.clock, vendor.broken = clock, True
    assert await spent_on(clock, Exchange(vendor, rate(clock), ApiMetrics()), 1) == Spent(0.0, 0.25)


@pytest.mark.parametrize(
    ("full", "saving", "counted"),
    [(False, False, Spent()), (True, False, Spent(1.0, 1.0)), (False, True, Spent(3.0)), (True, True, Spent(3.0))],
)
def test_what_is_queued_waits_for_calls_that_take_every_place_and_for_whoever_saves(
    full: bool, saving: bool, counted: Spent
) -> None:
    clock = FakeClock()
    queue = QueueMeter(clock.monotonic)
    queue.held_up(full=full, saving=saving)
    call = Meter(clock.monotonic, queue)
    with call.measuring():
        with waiting_for_a_place():
            clock.now += 1.0
        with waiting_for_an_answer():
            clock.now += 1.0
    clock.now += 1.0
    assert queue.spent() == counted
    assert call.spent() == Spent(1.0, 1.0)


@given(st.lists(st.tuples(st.sampled_from(["queued", "asked", "switch", "full"]), st.floats(0.0, 10.0)), max_size=30))
def test_a_stopwatch_never_counts_more_than_passed(steps: list[tuple[str, float]]) -> None:
    clock = FakeClock()
    queue = QueueMeter(clock.monotonic)
    meters, watch = [queue, Meter(clock.monotonic, queue)], Stopwatch(queue)
    for number, (step, seconds) in enumerate(steps):
        match step:
            case "queued":
                meters[1].note(queued=1 if number % 3 else 2)
            case "asked":
                meters[1].note(asked=1)
            case "full":
                queue.held_up(full=number % 2 == 0, saving=number % 3 == 0)
            case _:
                watch.go_on(meters[number % 2])
        clock.now += seconds
    spent = watch.spent()
    assert spent.budget_s >= 0 <= spent.system_s
    assert spent.budget_s + spent.system_s <= clock.now - 1_000.0 + 1e-6
