"""The list beside every page: each integration with its state, and how many things there are to mend."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.console.condition import Kind, condition
from pipeline.console.desk import Desk
from pipeline.lag.judging import Lag
from schemas.configuration import IntegrationPart, IntegrationSettings

KEPT_S: Final = 0.5
LAG_S: Final = 15.0
DOCTOR_S: Final = 60.0
"""What was found longer ago is not told beside a page: nobody sees how old it is."""


@dataclass(frozen=True, slots=True)
class RailRow:
    """One integration."""

    name: str
    kind: Kind
    icon: str
    word: str  # its state, for those who do not see the sign
    percent: int | None  # of a full sync: how much of it is over
    reason: str  # of a pause


@dataclass(frozen=True, slots=True)
class Rail:
    """All of them; `wrong`: what doctor found lately, None where it did not look."""

    rows: tuple[RailRow, ...]
    wrong: int | None


@dataclass(slots=True)
class RailKept:
    """The list, made once for all pages of a second: it stands beside each."""

    desk: Desk
    _at_s: float = field(default=float("-inf"))
    _rail: Rail = Rail((), None)

    def now(self) -> Rail:
        """As it is known: nothing is waited for."""
        if time.monotonic() - self._at_s > KEPT_S:
            self._rail, self._at_s = rail(self.desk), time.monotonic()
        return self._rail


def rail(desk: Desk) -> Rail:
    """Every integration as it is known now."""
    lag, found = desk.lag_look.lately(LAG_S), desk.doctor_look.lately(DOCTOR_S)
    if lag is None:
        desk.lag_look.soon()
    parts = desk.parts
    rows = tuple(_row(desk, name, settings, parts, lag) for name, settings in desk.integrations.items())
    return Rail(rows, None if found is None else sum(one.verdict == "wrong" for one in found))


def _row(
    desk: Desk, name: str, settings: IntegrationSettings, parts: Mapping[str, IntegrationPart], lag: Lag | None
) -> RailRow:
    now = condition(name, settings, parts, desk.runs_of(name), lag, desk.refused(name) or 0)
    word = "State not known" if now.state == "not_known" else now.name
    return RailRow(name, now.kind, now.icon, word, now.percent, now.reason)
