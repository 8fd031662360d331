"""A lane for tests of its parts: what it publishes is kept, what it counts is summed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Account
from connectors.catalog import Catalog
from connectors.clock import Clock
from connectors.lane import Lane
from schemas.values import System


@dataclass
class Told:
    """What a lane told: records in the order of their publishing, outcomes by (stage, outcome)."""

    published: list[Any] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def publish(self, topic: str, key: str, record: Any) -> tuple[int, int]:
        self.published.append(record)
        return 0, len(self.published)

    def count(self, stage: str, mapping: str | None, outcome: str, number: int) -> None:
        self.outcomes[stage, outcome] += number

    async def credit(self, records: int) -> None:
        """Bulk is never held back."""


def lane_of(system: System, source: Any, clock: Clock) -> tuple[Lane, Told]:
    """An active lane on a source alone: its account has no sink and no setup."""
    told = Told()
    account: Any = Account(system, source, None, None, None)  # type: ignore[arg-type] # only the source is used
    lane = Lane(
        integration="acme",
        connection=1,
        system=system,
        account=account,
        catalog=Catalog(),
        publish=told.publish,
        clock=clock,
        uniform=lambda low, high: high,
        now_ms=lambda: 0,
        may_write=lambda: True,
        count=told.count,
        bulk_credit=told.credit,
        active=True,
    )
    return lane, told
