"""The limits under which requests leave, as the connectors told them last. Pure."""

import dataclasses
from typing import Any

from pipeline.lag.judging import Lag, fresh
from schemas.vitals import BudgetVitals


def budgets_of(lag: Lag, integration: str, system: str) -> list[BudgetVitals]:
    """Those of one account, none where whoever has it open gives no sign of life."""
    alive = [row for row in lag.processes if fresh(row, lag.at_ms)]
    told = {
        one.limit: one
        for row in sorted(alive, key=lambda row: row.at_ms)
        for one in row.budgets
        if (one.integration, one.system) == (integration, system)
    }
    return [told[limit] for limit in sorted(told)]


def report(budget: BudgetVitals) -> dict[str, Any]:
    """One limit for scripts."""
    told = dataclasses.asdict(budget)
    return {name: value for name, value in told.items() if name not in ("integration", "system")}
