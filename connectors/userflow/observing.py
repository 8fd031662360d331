"""Answers together with the time, by Userflow's clock, at which they were true."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from connectors.http.messages import Call, Response, VendorInterval
from connectors.userflow.client import UserflowClient

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

CLOCKS_APART_MS = 30_000


@dataclass(frozen=True, slots=True)
class Observed(Generic[T_co]):
    """What an answer said, true some time in [at_ms, at_ms + spread_ms] of Userflow's clock."""

    answer: T_co
    at_ms: int
    spread_ms: int


def this_machine_ms() -> int:
    """Milliseconds since 1970 by the clock of this machine."""
    return time.time_ns() // 1_000_000


class ObservingClient:
    """The client of one environment; every answer comes with its time."""

    def __init__(self, client: UserflowClient, wall_ms: Callable[[], int] = this_machine_ms) -> None:
        self._client = client
        self._wall_ms = wall_ms

    async def send(self, call: Call[T]) -> Observed[T]:
        """What the call's answer says; raises the errors of `connectors.contract.errors`."""

        def parse(response: Response) -> tuple[T, VendorInterval | None]:
            return call.parse(response), response.observed

        answer, seen = await self._client.send(Call(call.request, parse, call.purpose))
        if seen is None:
            return self.undated(answer)
        return Observed(answer, seen.earliest_ms, seen.latest_ms - seen.earliest_ms)

    def undated(self, answer: T) -> Observed[T]:
        """Without a `Date` there is only our own clock, 30 s either way: clocks that are kept at all differ by less."""
        return Observed(answer, self._wall_ms() - CLOCKS_APART_MS, 2 * CLOCKS_APART_MS)
