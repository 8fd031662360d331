"""An integration for tests of its parts: what it publishes is kept, what it counts is summed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from connectors.clock import Clock
from connectors.contract.account import Account
from connectors.contract.catalog import Catalog
from connectors.registry import SYSTEMS
from connectors.session.connection import ConnectionState
from connectors.session.context import IntegrationContext
from schemas.runs import RunProgress
from schemas.values import System


@dataclass
class Told:
    """What an integration told: records in the order of their publishing, outcomes by (stage, outcome)."""

    published: list[Any] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    held_back: asyncio.Event | None = None  # what is published waits until it is set

    error: Exception | None = None

    async def publish(self, topic: str, key: str, record: Any) -> tuple[int, int]:
        if self.held_back is not None:
            await self.held_back.wait()
        if self.error is not None:
            raise self.error
        self.published.append(record)
        return 0, len(self.published)

    def count(self, stage: str, mapping: str | None, outcome: str, number: int) -> None:
        self.outcomes[stage, outcome] += number

    async def keep_parked(self) -> None:
        """Nobody has to know."""

    async def credit(self, records: int) -> None:
        """Bulk is never held back."""


def asked_runs(published: Iterable[Any]) -> list[str]:
    """The `<system>.<type>`s of the full syncs that were asked for."""
    requests = [one.full_sync for one in published if isinstance(one, RunProgress) and one.state == "requested"]
    return [name for request in requests if request is not None for name in request.types]


class Answering:
    """The setup of a system that works, unless it is told why not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def probe(self) -> None:
        if self.error is not None:
            raise self.error


def context_of(
    system: System,
    clock: Clock,
    *,
    source: Any = None,
    sink: Any = None,
    timeline: Any = None,
    setup: Any = None,
    revision: int = 0,
    parked: bool = False,
    keep_parked: Callable[[], Awaitable[None]] | None = None,
    **changes: Any,
) -> tuple[IntegrationContext, Told]:
    """An active integration on those parts of an account that a test needs; `changes` are fields of the integration."""
    told, nothing = Told(), cast(Any, None)
    state = ConnectionState(f"acme: {system}", keep_parked or told.keep_parked, parked=parked)
    state.renew(revision, active=True)
    context = IntegrationContext(
        integration="acme",
        connection=1,
        traits=SYSTEMS[system].traits,
        account=Account(system, source, sink, setup=setup or cast(Any, Answering()), close=nothing, timeline=timeline),
        state=state,
        catalog=Catalog(),
        send=told.publish,
        clock=clock,
        uniform=lambda low, high: low,
        now_ms=lambda: 0,
        may_write=lambda: True,
        count=told.count,
        bulk_credit=told.credit,
    )
    return replace(context, **changes), told
