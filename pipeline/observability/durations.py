"""How long the parts of a change's way took, in the counts that vital signs carry; may be used on any thread."""

import threading
from bisect import bisect_left
from collections.abc import Iterable

from schemas.vitals import BOUNDS_MS, DurationVitals


class Durations:
    """Counts by part, system, whether it was bulk, and whose it was where that is told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, bool, str], list[int]] = {}
        self._sums_ms: dict[tuple[str, str, bool, str], int] = {}

    def took(self, part: str, system: str, bulk: bool, seconds: float) -> None:
        """One part took so long."""
        self.took_together([(part, "", round(seconds * 1000))], system, bulk)

    def took_together(self, parts: Iterable[tuple[str, str, int]], system: str, bulk: bool) -> None:
        """Several parts of one way: each with whose it was, and its milliseconds."""
        with self._lock:
            for part, integration, took_ms in parts:
                key = (part, system, bulk, integration)
                counts = self._counts.get(key)
                if counts is None:
                    counts = self._counts[key] = [0] * (len(BOUNDS_MS) + 1)
                counts[bisect_left(BOUNDS_MS, took_ms)] += 1
                self._sums_ms[key] = self._sums_ms.get(key, 0) + took_ms

    def vitals(self) -> tuple[DurationVitals, ...]:
        """All of them."""
        with self._lock:
            return tuple(
                DurationVitals(part, system, bulk, tuple(counts), self._sums_ms[part, system, bulk, whose], whose)
                for (part, system, bulk, whose), counts in sorted(self._counts.items())
            )
