"""The active scheduler's gauges: it looks at the road every few seconds, so that one process tells of all."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, get_args

from connectors.kafka.table import TableReader
from pipeline.full_sync.rows import runs_of
from pipeline.lag.gauges import Samples, of_lag, of_runs
from pipeline.lag.judging import Lag
from pipeline.lag.looking import look
from pipeline.lag.reading import Brokers
from pipeline.observability.metrics import GaugeName
from schemas.integrations import every
from schemas.topics import INTEGRATIONS, RUNS

log = logging.getLogger(__name__)

EVERY_S: Final = 15.0
"""How often the road is looked at: scrapers come as often."""


class LagExport:
    """Looks at the road and sets the gauges while this scheduler is the active one."""

    def __init__(
        self,
        brokers: Brokers,
        tables: TableReader,
        replace: Callable[[GaugeName, Samples], None],
        active: Callable[[], bool],
        changes_retention_days: int | None,
        looked: Callable[[Lag], None] = lambda _: None,
    ) -> None:
        """`replace` lets a gauge have these samples and no others; `looked` is given every look."""
        self._brokers = brokers
        self._tables = tables
        self._replace = replace
        self._active = active
        self._days = changes_retention_days
        self._told: set[GaugeName] = set()
        self._looked_at = looked

    async def run(self) -> None:
        """Until cancelled; brokers that are away cost figures, never the process."""
        while True:
            try:
                self._set(await self._looked() if self._active() else {})
            except Exception as error:  # noqa: BLE001 - figures are for who looks: without them the scheduler works on
                log.warning("how far behind the road is, is not known: %s: %s", type(error).__name__, error)
                self._set({})  # those of before would look like those of now
            await asyncio.sleep(EVERY_S)

    async def _looked(self) -> dict[str, Samples]:
        names = [name for name, one in every(self._tables.table(INTEGRATIONS)).items() if one.state != "disconnected"]
        runs = of_runs(runs_of(self._tables.table(RUNS)).values())
        lag = await asyncio.to_thread(look, self._brokers)
        self._looked_at(lag)
        return {**of_lag(lag, names, self._days), **runs}

    def _set(self, gauges: dict[str, Samples]) -> None:
        known: Iterable[GaugeName] = get_args(GaugeName)
        for name in known:
            if name in gauges:
                self._replace(name, gauges[name])
                self._told.add(name)
            elif name in self._told:
                self._replace(name, {})
