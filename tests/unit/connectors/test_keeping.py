"""Keeping a system ready: what was parked is derived again, twice, for nothing orders the command with the receipts."""

import asyncio
from types import SimpleNamespace

import pytest

from connectors import keeping
from connectors.clock import SystemClock
from connectors.errors import Transient
from connectors.keeping import Keeper, Keepsakes
from schemas.configuration import ConnectorState
from tests.unit.connectors.lanes import lane_of
from tests.unit.connectors.simulated import eventually


class Setup:
    """A system that answers."""

    async def probe(self) -> None:
        """It can be worked with."""


@pytest.mark.parametrize("away", [False, True])
async def test_what_was_parked_is_derived_again_and_once_more_a_while_later(
    away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "AGAIN_S", 0.02)
    monkeypatch.setattr(keeping, "CHECK_S", 0.02)
    lane, _ = lane_of("hubspot", SystemClock(), account=SimpleNamespace(setup=Setup()))
    rederived: list[bool] = []
    looks: list[int] = []

    async def rederive() -> None:
        rederived.append(lane.away)

    keepsakes = Keepsakes(lambda: None, lambda: looks.append(len(rederived)), str.encode, rederive)
    keeper = Keeper(lane, lane.account, ConnectorState(1, 1, 1, "ok"), keepsakes)
    lane.parked = True
    if away:
        lane.fail(Transient("http_503"))
    running = asyncio.create_task(keeper.run())
    await eventually(lambda: looks.count(2) > 5)
    assert rederived == [False, False]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
