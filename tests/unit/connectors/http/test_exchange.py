"""One exchange with a vendor: what it waits for, what it measures, and that it measures once whatever happens."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from connectors.contract.errors import ConnectorError, Missing, RateLimited, Refused, Transient, UnknownResult
from connectors.contract.metrics import ApiMetrics
from connectors.contract.sink import OwnershipLost
from connectors.http.budget import RequestBudget
from connectors.http.exchange import Exchange
from connectors.http.messages import Call, Headers, RateNotice, Request, Response
from connectors.http.rate_limits import AdaptiveRate
from tests.unit.connectors.fake_clock import FakeClock

REQUEST = Request("PATCH", "/things/1", kind="write")


@dataclass
class Recorded:
    """An exchange on a transport that answers as told, with everything that it measured."""

    end: Response | Exception
    parsed: ConnectorError | None = None
    remaining: int | None = None
    called: list[tuple[str, int | None, float]] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    waited: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        moments: Iterator[float] = iter((7.0, 10.0, 10.0, 10.25))
        metrics = ApiMetrics(
            lambda *call: self.called.append(call),
            self.limits.append,
            self.left.append,
            lambda *waited: self.waited.append(waited),
        )
        budget = RequestBudget(FakeClock(), AdaptiveRate())
        self._exchange = Exchange(self, budget, metrics, self._notice, lambda: next(moments))

    async def send(self, _: Request) -> Response:
        if isinstance(self.end, Exception):
            raise self.end
        return self.end

    async def carry(self) -> str:
        return await self._exchange.carry(Call(REQUEST, self._parse, "write"), REQUEST)

    def _parse(self, _: Response) -> str:
        if self.parsed is not None:
            raise self.parsed
        return "read"

    def _notice(self, _: Headers) -> RateNotice | None:
        return None if self.remaining is None else RateNotice(100, self.remaining, 10.0)


async def test_an_answer_is_measured_by_purpose_status_and_time() -> None:
    recorded = Recorded(Response(207), remaining=96)
    assert await recorded.carry() == "read"
    assert recorded.called == [("write", 207, 0.25)]
    assert (recorded.limits, recorded.left) == ([], [96])
    assert recorded.waited == [("write", 3.0)]


@pytest.mark.parametrize("error", [Transient("not_connected"), UnknownResult("timed_out")])
async def test_a_request_without_answer_has_no_status(error: ConnectorError) -> None:
    recorded = Recorded(error)
    with pytest.raises(type(error)):
        await recorded.carry()
    assert recorded.called == [("write", None, 0.25)]


async def test_an_answer_that_is_too_large_keeps_its_status() -> None:
    recorded = Recorded(Refused("answer_too_large", status=200))
    with pytest.raises(Refused):
        await recorded.carry()
    assert recorded.called == [("write", 200, 0.25)]


async def test_a_request_that_was_not_sent_is_no_call() -> None:
    recorded = Recorded(OwnershipLost("hubspot"))
    with pytest.raises(OwnershipLost):
        await recorded.carry()
    assert recorded.called == []


async def test_a_limit_that_was_met_is_counted_by_its_name() -> None:
    recorded = Recorded(Response(429), RateLimited("search", wait_s=1.0, status=429))
    with pytest.raises(RateLimited):
        await recorded.carry()
    assert (recorded.called, recorded.limits) == ([("write", 429, 0.25)], ["search"])


async def test_an_answer_that_refuses_is_a_call_like_any_other() -> None:
    recorded = Recorded(Response(404), Missing("1", status=404))
    with pytest.raises(Missing):
        await recorded.carry()
    assert recorded.called == [("write", 404, 0.25)]
