"""Counts changes as they are written: the whole of their way, and its parts; may be used on any thread."""

from prometheus_client import Histogram

from pipeline.observability.durations import Durations
from schemas.spent import PARTS, Parts

Counted = tuple[str, Histogram]
"""What vital signs call it, and its histogram with the labels that it has."""


class WrittenChanges:
    """Histograms are looked up once: a sink asks for five of them with every patch."""

    def __init__(self, whole: Histogram, by_part: Histogram, durations: Durations) -> None:
        self._whole = whole
        self._by_part = by_part
        self._durations = durations
        self._counted: dict[tuple[str, bool], tuple[Counted, ...]] = {}

    def count(self, system: str, bulk: bool, parts: Parts, integration: str) -> None:
        """A change of the integration was written to the system; its parts in milliseconds.

        Vital signs tell the whole by integration, its parts of all together: fifty integrations are one record.
        """
        counted = self._counted.get((system, bulk)) or self._of(system, bulk)
        times_ms = (parts.whole, parts.pairstream, parts.read, parts.budget, parts.write)
        named = []
        for (name, histogram), ms in zip(counted, times_ms, strict=True):
            histogram.observe(ms / 1000)
            named.append((name, integration if name == "whole" else "", ms))
        self._durations.took_together(named, system, bulk)

    def _of(self, system: str, bulk: bool) -> tuple[Counted, ...]:
        direction, shown = f"to_{system}", "true" if bulk else "false"
        parts = ((f"whole/{part}", self._by_part.labels(direction, part, shown)) for part in PARTS)
        self._counted[system, bulk] = found = (("whole", self._whole.labels(direction, shown)), *parts)
        return found
