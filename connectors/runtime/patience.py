"""Patience with integrations that fail: each is opened again ever later, and at once for new settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from schemas.configuration import IntegrationSettings

OPEN_AGAIN_S: Final = (2.0, 5.0, 15.0, 60.0, 300.0)
WORN: Final = 4
"""After so many openings that failed, some 20 s, records that wait for an integration are let go."""
STEADY_S: Final = 120.0
"""An integration that worked for so long begins anew: what ends it now is another fault, or a rare one."""


@dataclass(frozen=True, slots=True)
class _Failure:
    settings: IntegrationSettings
    times: int
    again_at: float
    unopened: int  # how often in a row it could not be opened


class Patience:
    """The integrations that failed, by name, and when each is opened again; `monotonic` is our clock."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures: dict[str, _Failure] = {}

    def failed(self, name: str, settings: IntegrationSettings, *, opened: bool) -> None:
        """The integration failed while these settings were in force; `opened`: it was at work until now."""
        now, before = self._monotonic(), self._failures.get(name)
        steady = before is not None and now - before.again_at > STEADY_S
        times = 1 if before is None or steady else before.times + 1
        again_at = now + OPEN_AGAIN_S[min(times, len(OPEN_AGAIN_S)) - 1]
        unopened = 0 if opened else 1 + (before.unopened if before is not None else 0)
        self._failures[name] = _Failure(settings, times, again_at, unopened)

    def forget(self, name: str) -> None:
        """What the integration lacked was given: open it at once."""
        self._failures.pop(name, None)

    def rests(self, name: str, settings: IntegrationSettings) -> bool:
        """Whether the integration is not opened yet; settings that changed meanwhile may be what it lacked."""
        failure = self._failures.get(name)
        return failure is not None and failure.settings == settings and self._monotonic() < failure.again_at

    def worn(self, name: str, settings: IntegrationSettings) -> bool:
        """Whether it could not be opened so often that its records wait no longer: they hold back its neighbours'."""
        failure = self._failures.get(name)
        return failure is not None and failure.settings == settings and failure.unopened >= WORN

    def next_in_s(self) -> float | None:
        """Seconds until one more integration may be opened; None where none rests."""
        now = self._monotonic()
        return min((one.again_at - now for one in self._failures.values() if one.again_at > now), default=None)
