"""An integration for tests of its parts: what it publishes is kept, what it counts is summed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

from connectors.clock import Clock
from connectors.contract.account import Account
from connectors.contract.catalog import Catalog
from connectors.registry import SYSTEMS
from connectors.session.context import IntegrationContext
from schemas.values import System


@dataclass
class Told:
    """What an integration told: records in the order of their publishing, outcomes by (stage, outcome)."""

    published: list[Any] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def publish(self, topic: str, key: str, record: Any) -> tuple[int, int]:
        self.published.append(record)
        return 0, len(self.published)

    def count(self, stage: str, mapping: str | None, outcome: str, number: int) -> None:
        self.outcomes[stage, outcome] += number

    async def credit(self, records: int) -> None:
        """Bulk is never held back."""


def lane_of(
    system: System, clock: Clock, *, source: Any = None, sink: Any = None, timeline: Any = None, **changes: Any
) -> tuple[IntegrationContext, Told]:
    """An active integration on those parts of an account that a test needs; `changes` are fields of the integration."""
    told, nothing = Told(), cast(Any, None)
    account = Account(system, source, sink, setup=nothing, close=nothing, timeline=timeline)
    context = IntegrationContext(
        integration="acme",
        connection=1,
        traits=SYSTEMS[system].traits,
        account=account,
        catalog=Catalog(),
        publish=told.publish,
        clock=clock,
        uniform=lambda low, high: low,
        now_ms=lambda: 0,
        may_write=lambda: True,
        count=told.count,
        bulk_credit=told.credit,
        active=True,
    )
    for name, value in changes.items():
        setattr(context, name, value)
    return context, told
