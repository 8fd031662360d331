"""How a station ends: at once, or the process with it."""

import asyncio
from types import SimpleNamespace
from typing import Any

from connectors.clock import SystemClock
from connectors.station import Station
from schemas.configuration import SystemSettings
from tests.unit.connectors.lanes import lane_of

DEADLINE_S = 10.0


class Account:
    """A system without anything to read, write or set up."""

    source = sink = SimpleNamespace(read_size=1, batch_size=1, in_flight=1)
    setup = timeline = associated = None

    async def close(self) -> None:
        """Nothing was open."""


class DeafKeeper:
    """Goes on when it is cancelled, until it may end."""

    def __init__(self, deaf: bool) -> None:
        self.may_end = asyncio.Event()
        self._deaf = deaf

    async def run(self) -> None:
        while not self.may_end.is_set():
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                if not self._deaf:
                    raise


async def closed(keeper: DeafKeeper) -> list[BaseException]:
    lane, _ = lane_of("userflow", None, SystemClock())
    account: Any = Account()
    lane.account = account
    failures: list[BaseException] = []
    kept: Any = keeper
    station = Station(lane, kept, SystemSettings("production"), _command, failures.append)
    station.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE_S):
        assert await station.close() == []
    keeper.may_end.set()
    await asyncio.sleep(0)
    return failures


async def _command(_: Any) -> None:
    raise AssertionError("nothing is to be derived again")


async def test_a_station_that_closes_lets_all_its_work_end() -> None:
    assert await closed(DeafKeeper(deaf=False)) == []


async def test_work_that_does_not_end_ends_the_process_instead_of_holding_up_the_others() -> None:
    (failure,) = await closed(DeafKeeper(deaf=True))
    assert "DeafKeeper.run" in str(failure)
