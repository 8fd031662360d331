"""Keeping a system ready: what was parked is derived again, also after a restart, and probes are made with patience."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from connectors.clock import SystemClock
from connectors.contract.errors import Misconfigured, Transient
from connectors.contract.setup import SystemDescription
from connectors.runtime import monitor as keeping
from connectors.runtime.monitor import ConnectionMonitor, MonitorDeps
from schemas.configuration import ConnectorState, DescribedField
from tests.unit.connectors.runtime.runners import settings_part
from tests.unit.connectors.session.contexts import Told, lane_of
from tests.unit.connectors.simulation.simulated import eventually


def _sealed(text: str, _: str) -> bytes:
    return text.encode()


class Setup:
    """A system that answers."""

    def __init__(self) -> None:
        self.fields = (DescribedField("contacts", "tier", "Tier", "enumeration", ("silver",)),)
        self.described = 0
        self.error: Exception | None = None

    async def describe(self, wanted: object) -> SystemDescription:
        self.described += 1
        if self.error is not None:
            raise self.error
        return SystemDescription(self.fields)

    async def probe(self) -> None:
        """It can be worked with."""


@pytest.mark.parametrize("away", [False, True])
async def test_what_was_parked_is_derived_again_and_once_more_a_while_later(
    away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "AGAIN_S", 0.02)
    monkeypatch.setattr(keeping, "CHECK_S", 0.02)
    context, told = lane_of("hubspot", SystemClock(), account=SimpleNamespace(setup=Setup()))
    rederived: list[bool] = []
    looks: list[int] = []

    async def rederive() -> None:
        rederived.append(context.away)

    deps = MonitorDeps(lambda: None, lambda: looks.append(len(rederived)), _sealed, rederive)
    monitor = ConnectionMonitor(context, context.account, ConnectorState(1, 1, 1, "ok"), deps)
    await context.park()
    if away:
        context.fail(Transient("http_503"))
    running = asyncio.create_task(monitor.run())
    await eventually(lambda: looks.count(2) > 5)
    assert rederived == [False, False]
    assert not states(told)[-1].parked
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_is_parked_is_known_after_a_restart() -> None:
    context, told = lane_of("hubspot", SystemClock(), account=SimpleNamespace(setup=Setup()))
    deps = MonitorDeps(lambda: None, lambda: None, _sealed, _not_derived)
    ConnectionMonitor(context, context.account, ConnectorState(1, 1, 1, "ok"), deps)
    await context.park()
    await context.park()
    (state,) = states(told)
    assert state.parked
    after, _ = lane_of("hubspot", SystemClock(), account=context.account)
    ConnectionMonitor(after, context.account, state, deps)
    assert after.parked


async def test_a_system_that_answers_probes_and_nothing_else_is_tried_ever_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def waited(event: asyncio.Event, within_s: float | None) -> bool:
        if event is context.renewed:
            waits.append(within_s or 0.0)
        else:
            context.fail(Misconfigured("missing_scope"))  # work fails as soon as it begins again
        if len(waits) == 8:
            enough.set()
            await asyncio.Event().wait()
        return False

    enough = asyncio.Event()
    monkeypatch.setattr(keeping, "set_within", waited)
    context, _ = lane_of("hubspot", SystemClock(), account=SimpleNamespace(setup=Setup()))
    deps = MonitorDeps(lambda: None, lambda: None, _sealed, _derived)
    running = asyncio.create_task(
        ConnectionMonitor(context, context.account, ConnectorState(1, 1, 1, "ok"), deps).run()
    )
    await eventually(enough.is_set)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert waits == [0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 30.0, 30.0]


async def test_what_changed_of_a_field_is_told_and_the_pairs_are_derived_again_once_it_is_in_force() -> None:
    setup, rederived = Setup(), asyncio.Event()

    async def rederive() -> None:
        rederived.set()

    context, told = lane_of("hubspot", SystemClock(), account=SimpleNamespace(setup=setup), revision=1)
    settings = settings_part("acme").settings
    monitor = ConnectionMonitor(
        context,
        context.account,
        ConnectorState(1, 1, 1, "ok", 1, fields=setup.fields),
        MonitorDeps(lambda: settings, lambda: None, _sealed, rederive),
    )
    running = asyncio.create_task(monitor.run())
    monitor.describe_again()
    await eventually(lambda: setup.described == 1)
    setup.error = Misconfigured("missing_scope")
    monitor.describe_again()
    await eventually(lambda: setup.described == 2)
    setup.error = None
    assert context.works
    setup.fields = (replace(setup.fields[0], options=("silver", "gold")),)
    monitor.describe_again()
    await eventually(lambda: bool(states(told)))
    assert (states(told)[-1].fields, states(told)[-1].descriptions) == (setup.fields, 1)
    assert not rederived.is_set()
    context.revision = 2
    context.changed.set()
    await eventually(rederived.is_set)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def states(told: Told) -> list[ConnectorState]:
    return [part.connector for part in told.published if part.connector is not None]


async def _derived() -> None:
    """As often as it likes."""


async def _not_derived() -> None:
    raise AssertionError("nothing is to be derived again")
