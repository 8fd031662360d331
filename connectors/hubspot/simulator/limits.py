"""HubSpot's rolling rate limits."""

from collections import deque
from collections.abc import Callable


class RollingWindow:
    """Counts the calls of the last `window_ms`; a refused call does not count. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._times: deque[float] = deque()

    def admits(self, limit: int | None, window_ms: float) -> bool:
        """Count one call if the window has room."""
        if limit is None:
            return True
        if self.remaining(limit, window_ms) <= 0:
            return False
        self._times.append(self._monotonic())
        return True

    def remaining(self, limit: int, window_ms: float) -> int:
        """The number of calls left now."""
        start = self._monotonic() - window_ms / 1000
        while self._times and self._times[0] <= start:
            self._times.popleft()
        return limit - len(self._times)
