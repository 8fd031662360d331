"""A connection that its monitor watches, over a system in memory, and what came of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace

from connectors.clock import Clock, SystemClock
from connectors.contract.setup import SystemDescription
from connectors.runtime.monitor import ConnectionMonitor, MonitorDeps
from connectors.runtime.state_report import StateReport
from connectors.session.connection import ConnectionState
from connectors.session.context import IntegrationContext
from schemas.configuration import (
    ConnectorState,
    DescribedField,
    Description,
    IntegrationPart,
    IntegrationSettings,
)
from tests.unit.connectors.session.contexts import Told, context_of

STATE = ConnectorState(1, 1, 1, "ok")


class Setup:
    """A system that answers."""

    def __init__(self) -> None:
        tier = DescribedField("contacts", "tier", "Tier", "enumeration", ("silver",))
        self.fields: tuple[DescribedField, ...] = (tier,)
        self.described = 0
        self.error: Exception | None = None
        self.probed = 0
        self.refuses: Exception | None = None

    async def describe(self, wanted: object) -> SystemDescription:
        self.described += 1
        if self.error is not None:
            raise self.error
        return SystemDescription(self.fields)

    async def probe(self) -> None:
        self.probed += 1
        if self.refuses is not None:
            raise self.refuses


@dataclass
class Watched:
    """A connection with its monitor, and what came of it."""

    context: IntegrationContext
    told: Told
    report: StateReport
    monitor: ConnectionMonitor
    rederived: list[bool]  # for each time whether the system was away

    @property
    def state(self) -> ConnectionState:
        return self.context.state


def watched(
    before: ConnectorState = STATE,
    *,
    setup: Setup | None = None,
    settings: IntegrationSettings | None = None,
    configured: Callable[[], IntegrationSettings | None] | None = None,
    ahead_ms: Callable[[], int] = lambda: 0,
    capping: Callable[[], bool] = lambda: False,
    refusal: Callable[[IntegrationSettings], Description | None] | None = None,
    clock: Clock | None = None,
) -> Watched:
    """The connection of a connector that starts with what was reported before."""
    told, rederived = Told(), list[bool]()
    report = StateReport("acme", "hubspot", before, told.publish, lambda text, _: text.encode())
    context, _ = context_of(
        "hubspot",
        clock or SystemClock(),
        account=SimpleNamespace(setup=setup or Setup(), ahead_ms=ahead_ms, capping=capping),
        revision=1,
        parked=before.parked,
        keep_parked=report.keep_parked,
        send=told.publish,
    )

    async def rederive() -> None:
        rederived.append(context.state.away)

    def told_last(_: IntegrationSettings) -> Description | None:
        return next(reversed(descriptions(told)), None)

    deps = MonitorDeps(configured or (lambda: settings), lambda: None, rederive, refusal or told_last, lambda: 3)
    return Watched(context, told, report, ConnectionMonitor(context, report, deps), rederived)


@asynccontextmanager
async def running(it: Watched) -> AsyncIterator[None]:
    task = asyncio.create_task(it.monitor.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def states(told: Told) -> list[ConnectorState]:
    parts = (part for part in told.published if isinstance(part, IntegrationPart))
    return [part.connector for part in parts if part.connector is not None]


def descriptions(told: Told) -> list[Description]:
    return [one.description for one in told.published if isinstance(one, IntegrationPart) and one.description]
