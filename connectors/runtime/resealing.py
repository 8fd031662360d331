"""Seals the secrets that systems gave again with the newest key, once somebody asked for it.

A worker that renews a grant meanwhile would have its newer token overwritten by the older one sealed again: so it ends
first, what it wrote is read to the end, and only then another is opened.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial

from connectors.contract.errors import ConnectorError
from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.exclusive import Exclusive
from schemas.configuration import IntegrationPart
from schemas.seals import Renew, resealed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ResealingDeps:
    """The parts that the runner gives."""

    key_id: str
    renew: Renew  # raises ConnectorError where no key opens a seal
    read_to_end: Callable[[], Awaitable[None]]
    publish: Callable[[str, IntegrationPart], Awaitable[object]]  # by key; returns once the brokers have it
    failed: Callable[[BaseException], None]


class Resealing:
    """The seals of one system's integrations; each integration's worker is away for a moment."""

    def __init__(self, configuration: ConnectorConfiguration, exclusive: Exclusive, deps: ResealingDeps) -> None:
        self._configuration = configuration
        self._exclusive = exclusive
        self._deps = deps
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._done: dict[str, str] = {}  # by integration: the request that was carried out

    def begin(self, names: Iterable[str]) -> None:
        """Begin where somebody asked for it with this process's newest key, and a seal is of a former one."""
        asked = self._configuration.seals()
        if asked is None or asked.key_id != self._deps.key_id:
            return
        request = f"{asked.key_id} {asked.asked_at_ms}"
        for name in names:
            if self._done.get(name) == request or name in self._tasks:
                continue
            self._done[name] = request
            if any(renewed != part for _, part, renewed in self._renewed(name)):
                self._tasks[name] = task = asyncio.create_task(self._reseal(name))
                task.add_done_callback(partial(self._ended, name))

    async def ended(self) -> None:
        """Return once all that was begun has ended, however it did."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _reseal(self, name: str) -> None:
        async with self._exclusive.of(name):
            await self._deps.read_to_end()
            for key, part, renewed in self._renewed(name):
                if renewed != part:
                    await self._deps.publish(key, renewed)
            await self._deps.read_to_end()
        log.info("%s: the secrets that its system gave are sealed again", name)

    def _renewed(self, name: str) -> list[tuple[str, IntegrationPart, IntegrationPart]]:
        """Each record of the connector with its seals renewed."""
        parts = self._configuration.own(name)
        try:
            return [(key, part, resealed(key, part, self._deps.renew)) for key, part in parts.items()]
        except ConnectorError as error:
            log.warning("%s: its secrets cannot be sealed again: %s", name, error)
            return []

    def _ended(self, name: str, task: "asyncio.Task[None]") -> None:
        del self._tasks[name]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._deps.failed(error)
