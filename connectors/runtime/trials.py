"""Trials of accounts that an apply asks for: each is opened beside the one in force, asked, and closed."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from connectors.clock import Clock
from connectors.contract.errors import Retryable
from connectors.contract.sink import OwnershipLost
from connectors.http.retry import CALLS, Tries, Uniform
from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.opening import IntegrationOpener
from schemas.configuration import IntegrationSettings, Sections

LONGEST_WAIT_S = 10.0


class Trials:
    """The trials of one system's integrations; `ended` is told of each task."""

    def __init__(
        self,
        configuration: ConnectorConfiguration,
        opener: IntegrationOpener,
        clock: Clock,
        uniform: Uniform,
        ended: Callable[["asyncio.Task[None]"], None],
    ) -> None:
        self._configuration = configuration
        self._opener = opener
        self._clock = clock
        self._uniform = uniform
        self._ended = ended
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, wanted: Mapping[str, IntegrationSettings]) -> None:
        """Begin the trials that nobody has begun here; of one that is over no request leaves any more."""
        for name in self._tasks:
            settings = wanted.get(name)
            if settings is None or settings.state == "disconnected":
                self._opener.stop_trial(name)
        for name, settings in wanted.items():
            if settings.trial is not None and name not in self._tasks and self._configuration.on_trial(name):
                self._tasks[name] = task = asyncio.create_task(self._run(name, settings, settings.trial))
                task.add_done_callback(partial(self._end, name))

    async def _run(self, name: str, settings: IntegrationSettings, trial: Sections) -> None:
        """A system that is away is no reason against the account: it is asked again while the trial lasts."""
        tries = Tries()
        while self._configuration.settings_of(name) == settings:
            try:
                return await self._opener.report_proof(name, await self._opener.prove(name, settings, trial))
            except OwnershipLost:
                return
            except Retryable as error:
                tries = tries.after(error, self._clock.monotonic())
                wait_s = CALLS.wait_s(error, tries, self._uniform)
                await self._clock.sleep(LONGEST_WAIT_S if wait_s is None else min(wait_s, LONGEST_WAIT_S))

    def _end(self, name: str, task: "asyncio.Task[None]") -> None:
        del self._tasks[name]
        self._ended(task)
