"""Trials of what an apply asks for beside what is in force: each is opened, asked, and closed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from connectors.clock import Clock
from connectors.contract.account import Account
from connectors.contract.errors import Retryable, Transient
from connectors.contract.sink import OwnershipLost
from connectors.http.retry import CALLS, Tries, Uniform
from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.exclusive import Exclusive
from connectors.runtime.grants import GrantKey
from connectors.runtime.integration import IntegrationWorker
from connectors.runtime.opening import IntegrationOpener
from schemas.configuration import NOT_GRANTED, Description, IntegrationSettings, KeptGrant, Sections

LONGEST_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class TrialHooks:
    """The parts that the runner gives."""

    worker: Callable[[str], IntegrationWorker | None]  # of what is in force, where it is open
    exclusive: Exclusive
    ended: Callable[["asyncio.Task[None]"], None]  # told of each task


@dataclass(frozen=True, slots=True)
class _Told:
    """What this process has told: of which step, and which access was kept then."""

    step: str
    grants: Mapping[GrantKey, KeptGrant]
    reason: str | None


class Trials:
    """The trials of one system's integrations."""

    def __init__(
        self,
        configuration: ConnectorConfiguration,
        opener: IntegrationOpener,
        clock: Clock,
        uniform: Uniform,
        hooks: TrialHooks,
    ) -> None:
        self._configuration = configuration
        self._opener = opener
        self._clock = clock
        self._uniform = uniform
        self._hooks = hooks
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, _Told] = {}

    def begin(self, wanted: Mapping[str, IntegrationSettings]) -> None:
        """Begin the trials that nobody has begun here; of one that is over no request leaves any more."""
        for name in self._tasks:
            settings = wanted.get(name)
            if settings is None or settings.state == "disconnected":
                self._opener.stop_trial(name)
        for name, settings in wanted.items():
            if settings.trial is not None and name not in self._tasks and self._due(name, settings):
                self._tasks[name] = task = asyncio.create_task(self._run(name, settings, settings.trial))
                task.add_done_callback(partial(self._end, name))

    def _due(self, name: str, settings: IntegrationSettings) -> bool:
        """Whether the step is not answered, or is for lack of access, and other access is kept by now."""
        told, answer = self._told.get(name), self._configuration.trial_answer(name, settings)
        if told is None or told.step != settings.tried:
            return answer is None or answer.reason == NOT_GRANTED
        return told.reason == NOT_GRANTED and told.grants != self._configuration.grants(name)

    async def _run(self, name: str, settings: IntegrationSettings, trial: Sections) -> None:
        """A system that is away is no reason against what is tried: it is asked again while the trial lasts."""
        tries = Tries()
        while self._configuration.settings_of(name) == settings:
            grants = self._configuration.grants(name)
            try:
                proof = await self._proof(name, settings, trial)
            except OwnershipLost:
                return
            except Retryable as error:
                tries = tries.after(error, self._clock.monotonic())
                wait_s = CALLS.wait_s(error, tries, self._uniform)
                await self._clock.sleep(LONGEST_WAIT_S if wait_s is None else min(wait_s, LONGEST_WAIT_S))
                continue
            if proof != self._configuration.trial_answer(name, settings):
                await self._opener.report_proof(name, proof)
            self._told[name] = _Told(settings.tried, grants, proof.reason)
            return

    async def _proof(self, name: str, settings: IntegrationSettings, trial: Sections) -> Description:
        """What the system says. Raises Retryable.

        Where two would spend one refresh token, and where a grant in force is put out of the trial's way, no worker
        runs meanwhile: its records wait for the next.
        """
        in_force = self._in_force(name, settings, trial)
        if in_force is not None:
            proof = await self._opener.prove(name, settings, trial, in_force)
            if proof.reason is not None and self._in_force(name, settings, trial) is not in_force:
                raise Transient("not_owned")  # what was closed meanwhile says nothing of its credentials
            return proof
        if not self._opener.is_settled(name, settings):
            async with self._hooks.exclusive.of(name):
                await self._opener.settle(name, settings)
        if not self._opener.shares_grant(settings, trial):
            return await self._opener.prove(name, settings, trial)
        async with self._hooks.exclusive.of(name):
            return await self._opener.prove(name, settings, trial)

    def _in_force(self, name: str, settings: IntegrationSettings, trial: Sections) -> Account | None:
        """The account that is open, where what is on trial connects by the same credentials and options."""
        worker, section = self._hooks.worker(name), trial.section(self._opener.system)
        if worker is None or not worker.fits(settings.connection, section, self._opener.unseal_of(name)):
            return None
        return worker.account

    def _end(self, name: str, task: "asyncio.Task[None]") -> None:
        del self._tasks[name]
        self._hooks.ended(task)
