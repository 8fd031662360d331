"""How the requests to one account are measured; wired in `pipeline/app.py`."""

from collections.abc import Callable
from dataclasses import dataclass


def _unmeasured(*_: object) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True)
class ApiMetrics:
    """Writers of metrics for the requests to one account of a system."""

    called: Callable[[str, int | None, float], None] = _unmeasured  # purpose, status (None: no answer), seconds
    limited: Callable[[str], None] = _unmeasured  # the limit that an answer said was met
    remaining: Callable[[int], None] = _unmeasured  # requests that an answer said are left
    waited: Callable[[str, float], None] = _unmeasured  # purpose, seconds that a request waited for its place
