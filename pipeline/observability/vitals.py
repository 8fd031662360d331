"""Takes the figures of this process every few seconds and writes them to `sync.vitals`."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from importlib import metadata
from typing import Any, Final

from pipeline.observability.metrics import Metrics
from schemas.topics import VITALS
from schemas.vitals import BudgetVitals, PlaceVitals, Vitals

log = logging.getLogger(__name__)

EVERY_S: Final = 5.0

Send = Callable[[str, str, Any], Awaitable[object]]
"""Topic, key, record; done once the brokers have it."""


class VitalSigns:
    """The figures of one process."""

    def __init__(
        self,
        process: str,
        role: str,
        metrics: Metrics,
        now_ms: Callable[[], int],
        places: Callable[[], Iterable[PlaceVitals]] = tuple,
        budgets: Callable[[], Iterable[BudgetVitals]] = tuple,
    ) -> None:
        """`places` tells what the process takes, `budgets` the limits of its accounts.

        Both are asked on the loop on which the figures are written.
        """
        self._process, self._role = process, role
        self._metrics = metrics
        self._now_ms = now_ms
        self._places = places
        self._budgets = budgets
        self._started_ms = now_ms()
        self._own_s = 0.0

    def taken(self) -> Vitals:
        """The figures of this moment."""
        return Vitals(
            self._process,
            self._role,
            self._now_ms(),
            self._started_ms,
            int(EVERY_S * 1000),
            metadata.version("pairstream"),
            int(time.process_time() * 1000),
            int(self._own_s * 1000),
            tuple(self._places()),
            self._metrics.calls(),
            self._metrics.limits(),
            self._metrics.durations(),
            *self._metrics.webhooks(),
            self._metrics.mappings(),
            tuple(self._budgets()),
            self._metrics.outcomes(),
        )

    async def write_on(self, send: Send) -> None:
        """Write them until cancelled; brokers that are away cost figures, never the process."""
        while True:
            begun_s = time.thread_time()
            try:
                sending = send(VITALS, self._process, self.taken())
                self._own_s += time.thread_time() - begun_s
                await sending
            except Exception as error:  # noqa: BLE001 - figures are for who looks: without them the role works on
                log.info("the vital signs were not written: %s: %s", type(error).__name__, error)
            await asyncio.sleep(EVERY_S)
