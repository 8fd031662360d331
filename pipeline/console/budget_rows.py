"""The limits of an integration's accounts, as its page shows them: used, by whom, and what waits. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.condition import NAMES
from pipeline.console.words import clock
from pipeline.lag.budgets import budgets_of
from pipeline.lag.judging import Lag
from schemas.configuration import IntegrationSettings
from schemas.values import SYSTEMS, System
from schemas.vitals import BudgetVitals

PURPOSES: Final[Sequence[tuple[str, str, str]]] = (
    ("live_read", "live reads", "ink"),
    ("write", "live writes", "work"),
    ("bulk_read", "bulk reads", "idle"),
    ("bulk_write", "bulk writes", "idle"),
    ("search", "searches", "ink"),
    ("control", "fields and settings", "ink"),
)
"""A purpose, its name, and the class that colours it."""
OTHERS: Final = ("others", "others with the same limit", "warn")


@dataclass(frozen=True, slots=True)
class Use:
    """What one purpose takes of a limit."""

    name: str
    sign: str
    used: int
    percent: float
    waiting: int


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One limit of one account."""

    limit: str
    found: bool
    used: int
    ceiling: int
    interval_s: float
    uses: Sequence[Use]
    waiting: int
    paused_s: float
    day_used: int | None
    day_ceiling: int | None

    @property
    def parts(self) -> list[tuple[float, str]]:
        """Percent of each use, and the class that colours it."""
        return [(use.percent, use.sign) for use in self.uses if use.used]

    @property
    def left(self) -> int:
        return max(self.ceiling - self.used, 0)

    @property
    def day_percent(self) -> float:
        return 100 * self.day_used / self.day_ceiling if self.day_used is not None and self.day_ceiling else 0.0


@dataclass(frozen=True, slots=True)
class AccountBudget:
    """An account's limits; none: nobody who has it open tells of them."""

    system: System
    name: str
    account: str
    rows: Sequence[BudgetRow]
    limited: str  # when an answer said last that a limit was met; empty: not since its connector began


def budgets(name: str, settings: IntegrationSettings, lag: Lag) -> list[AccountBudget]:
    """Both accounts."""
    return [
        AccountBudget(
            system,
            NAMES[system],
            settings.section(system).account,
            [_row(one) for one in budgets_of(lag, name, system)],
            _limited(system, lag),
        )
        for system in SYSTEMS
    ]


def _row(one: BudgetVitals) -> BudgetRow:
    names = [*PURPOSES, *((purpose, purpose, "ink") for purpose in sorted({*one.used, *one.waiting} - _KNOWN))]
    parts = [(*named, one.used.get(named[0], 0), one.waiting.get(named[0], 0)) for named in names]
    parts.append((*OTHERS, one.others, 0))
    used = sum(one.used.values()) + one.others
    full = max(one.ceiling, used, 1)
    day_used = None if one.day_ceiling is None or one.day_left is None else max(one.day_ceiling - one.day_left, 0)
    return BudgetRow(
        one.limit,
        one.found,
        used,
        one.ceiling,
        one.interval_ms / 1000,
        [Use(word, sign, some, 100 * some / full, wait) for _, word, sign, some, wait in parts if some or wait],
        sum(one.waiting.values()),
        one.paused_ms / 1000,
        day_used,
        one.day_ceiling,
    )


_KNOWN: Final = frozenset(purpose for purpose, _, _ in PURPOSES)


def _limited(system: System, lag: Lag) -> str:
    """Of the connector: it does not tell which of its accounts it was."""
    met = [
        one.limited_at_ms
        for row in lag.processes
        for one in row.limits
        if one.system == system and one.limited_at_ms is not None
    ]
    return clock(max(met), lag.at_ms) if met else ""
