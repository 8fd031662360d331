"""Sends calls to one Userflow environment: waits for the budget, adds the key, reads the answer; never retries."""

import time
from collections.abc import Callable
from typing import Literal, TypeVar

from connectors.clock import Clock
from connectors.contract.metrics import ApiMetrics
from connectors.http.budget import LONGEST_WAIT_S, Budget, RequestBudget
from connectors.http.exchange import Exchange
from connectors.http.messages import Call, Transport, VendorInterval
from connectors.http.observed import Observed, observed
from connectors.http.rate_limits import AdaptiveRate, AdaptiveSettings
from connectors.userflow.protocol import VERSION_HEADER

T = TypeVar("T")

API_URLS: dict[Literal["us", "eu"], str] = {"us": "https://api.userflow.com", "eu": "https://api.eu.userflow.com"}
CLOCKS_APART_MS = 30_000


class UserflowClient:
    """Sends calls to one environment with its API key."""

    def __init__(self, transport: Transport, budget: Budget, api_key: str, metrics: ApiMetrics | None = None) -> None:
        self._exchange = Exchange(transport, budget, metrics or ApiMetrics())
        self._api_key = api_key

    async def send(self, call: Call[T]) -> T:
        """Send one call and return its parsed answer; raises the errors of `connectors.contract.errors`."""
        request = call.request.with_header(*VERSION_HEADER).with_header("Authorization", f"Bearer {self._api_key}")
        return await self._exchange.carry(call, request)


def this_machine_ms() -> int:
    """Milliseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000_000


class ObservingClient:
    """Sends calls to one environment; every answer comes with its time."""

    def __init__(self, client: UserflowClient, wall_ms: Callable[[], int] = this_machine_ms) -> None:
        self._client = client
        self._wall_ms = wall_ms

    async def send(self, call: Call[T]) -> Observed[T]:
        """Send one call and return its parsed answer; raises the errors of `connectors.contract.errors`."""
        seen = await self._client.send(observed(call))
        return seen if seen.interval is not None else self.undated(seen.answer)

    def undated(self, answer: T) -> Observed[T]:
        """Without a `Date` only our own clock is left, 30 s either way: maintained clocks differ by less."""
        now_ms = self._wall_ms()
        return Observed(answer, VendorInterval(now_ms - CLOCKS_APART_MS, now_ms + CLOCKS_APART_MS))


def adaptive_budget(
    clock: Clock,
    settings: AdaptiveSettings | None = None,
    *,
    longest_wait_s: float = LONGEST_WAIT_S,
    name: str = "Userflow",
) -> RequestBudget:
    """The budget of a Userflow environment; Userflow publishes no limits."""
    return RequestBudget(clock, AdaptiveRate(settings), longest_wait_s=longest_wait_s, name=name)
