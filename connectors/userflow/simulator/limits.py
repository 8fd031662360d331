"""A token bucket and a count of calls in flight; both invented, because Userflow's numbers are unknown."""

from collections.abc import Callable


class Limits:
    """Limits of one API key; `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._tokens: float | None = None
        self._filled_at = 0.0
        self._in_flight = 0

    def admits(self, rate_per_s: float | None, burst: int, max_in_flight: int | None) -> bool:
        """Take a token and a place in flight, if both are free."""
        if max_in_flight is not None and self._in_flight >= max_in_flight:
            return False
        if rate_per_s is not None and not self._take(rate_per_s, burst):
            return False
        self._in_flight += 1
        return True

    def release(self) -> None:
        """Give the place in flight back."""
        self._in_flight -= 1

    def _take(self, rate_per_s: float, burst: int) -> bool:
        now = self._monotonic()
        held = burst if self._tokens is None else self._tokens + (now - self._filled_at) * rate_per_s
        self._tokens, self._filled_at = min(float(burst), held), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
