"""Whether and when to try again: a pure decision, and the one loop that follows it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from connectors.clock import Clock
from connectors.contract.errors import ConnectorError, RateLimited, Retryable

T = TypeVar("T")

Uniform = Callable[[float, float], float]
"""A random number between two, such as `random.Random().uniform`."""


@dataclass(frozen=True, slots=True)
class Tries:
    """Tries so far: only `failures` use up attempts, `limited` counts rate limits in a row.

    `began` and `ended` are when the first and the last of them ended, in seconds of one monotonic clock.
    """

    failures: int = 0
    limited: int = 0
    began: float | None = None
    ended: float = 0.0

    @property
    def lasted_s(self) -> float:
        """Seconds from the end of the first try to the end of the last."""
        return 0.0 if self.began is None else self.ended - self.began

    def after(self, error: Retryable, now: float) -> "Tries":
        """The same with one more, which ended now."""
        began = now if self.began is None else self.began
        if isinstance(error, RateLimited):
            return replace(self, limited=self.limited + 1, began=began, ended=now)
        return Tries(self.failures + 1, 0, began, now)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` counts the first one; `patience_s` is the longest wait done here, `total_s` the longest for all tries.

    Rate limits use up no attempts, so that `total_s` alone ends tries which only meet rate limits.
    """

    attempts: int = 6
    base_s: float = 0.5
    cap_s: float = 30.0
    patience_s: float = float("inf")
    total_s: float = 600.0

    def wait_s(self, error: ConnectorError, tries: Tries, uniform: Uniform) -> float | None:
        """Seconds to wait after `tries`, the last of which ended in `error`; None gives up.

        A wait that the answer asks for is kept, with a little jitter on top; else it is exponential, with full jitter.
        """
        if not self._again(error, tries) or not isinstance(error, Retryable):
            return None
        if error.wait_s:  # a wait of nothing names none: seven tries in a row would be over before any outage is
            wait_s = error.wait_s + uniform(0.0, min(1.0, error.wait_s / 10))
        else:
            wait_s = uniform(0.0, min(self.cap_s, self.base_s * 2.0 ** min(30, max(tries.failures, tries.limited) - 1)))
        return wait_s if wait_s <= self.patience_s else None

    def _again(self, error: ConnectorError, tries: Tries) -> bool:
        if tries.lasted_s >= self.total_s:
            return False
        return isinstance(error, RateLimited) or tries.failures < self.attempts


CALLS: Final = RetryPolicy(attempts=7, base_s=0.3, cap_s=10.0, patience_s=60.0, total_s=120.0)
"""Reads, patches, events, pages of crawls and fan-outs, and the monitor's calls: a failed one is tried seven times
within about half a minute, one that meets rate limits for two minutes. Then the system counts as away: waiting patches
and events are parked, and the monitor's probes (`PROBE_S` in `connectors/runtime/monitor.py`) find out when it is
back."""

LOOKUPS: Final = RetryPolicy(attempts=20, base_s=0.3, cap_s=30.0, patience_s=60.0)
"""Lookups: tried for some minutes, then let go, for the object's next change or a full sync asks again."""

ALONE_S: Final = 0.5
"""How long one write or event of a batch waits that failed alone and may succeed at the next try."""


async def retrying(effect: Callable[[], Awaitable[T]], policy: RetryPolicy, clock: Clock, uniform: Uniform) -> T:
    """Do the effect until it succeeds or the policy gives up; raises the last error."""
    tries = Tries()
    while True:
        try:
            return await effect()
        except Retryable as error:
            tries = tries.after(error, clock.monotonic())
            wait_s = policy.wait_s(error, tries, uniform)
            if wait_s is None:
                raise
        await clock.sleep(wait_s)
