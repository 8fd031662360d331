"""The scheduler's gauges: told while it is the active one, by no figure that is not of now."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest

from connectors.kafka.groups import BrokersUnreachable
from pipeline import lag_export as module
from pipeline.lag.judging import Lag
from pipeline.lag_export import LagExport
from pipeline.notices.conditions import Subject, of_stages
from tests.unit.pipeline.lag.roads import road, waiting

DEADLINE_S = 10.0
BEHIND = "pairstream_behind_seconds"


class Tables:
    """Nothing is configured."""

    def table(self, _: str) -> Mapping[str, Any]:
        return {}


class Scheduler:
    """What the export is given: whether it is active, what a look shows, and the gauges."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.active, self.fails = True, False
        self.gauges: dict[str, Mapping[tuple[str, ...], float]] = {}
        self.looks = 0
        self.looked_at: list[Lag] = []
        self._told = asyncio.Event()
        monkeypatch.setattr(module, "EVERY_S", 0.001)
        monkeypatch.setattr(module, "look", self._look)

    def _look(self, _: object) -> Lag:
        self.looks += 1
        if self.fails:
            raise BrokersUnreachable("away")
        return road(waiting(100))

    def replace(self, name: str, samples: Mapping[tuple[str, ...], float]) -> None:
        self.gauges[name] = samples
        self._told.set()

    @asynccontextmanager
    async def exporting(self) -> AsyncIterator[None]:
        nothing = cast(Any, None)
        tables = cast(Any, Tables())
        export = LagExport(nothing, tables, self.replace, lambda: self.active, None, self.looked_at.append)
        task = asyncio.create_task(export.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until_told(self, wanted: bool) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while bool(self.gauges.get(BEHIND)) is not wanted:
                await self._told.wait()
                self._told.clear()


async def test_the_active_one_tells_and_one_that_was_tells_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Scheduler(monkeypatch)
    async with it.exporting():
        await it.until_told(True)
        assert it.gauges[BEHIND]["userflow sink",] == 92
        assert of_stages(it.looked_at[0])[Subject("", "userflow sink")].condition == "stopped"
        it.active = False
        await it.until_told(False)
        assert not any(it.gauges.values())


async def test_brokers_that_are_away_leave_no_old_figure_and_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Scheduler(monkeypatch)
    async with it.exporting():
        await it.until_told(True)
        it.fails = True
        await it.until_told(False)
        it.fails = False
        await it.until_told(True)


async def test_one_that_waits_for_its_turn_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Scheduler(monkeypatch)
    asked = asyncio.Event()

    def active() -> bool:
        asked.set()
        return False

    export = LagExport(cast(Any, None), cast(Any, Tables()), it.replace, active, None)
    task = asyncio.create_task(export.run())
    async with asyncio.timeout(DEADLINE_S):
        await asked.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert (it.looks, it.gauges) == (0, {})
