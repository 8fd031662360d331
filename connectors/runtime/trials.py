"""Trials of what an apply asks for beside what is in force: each is opened, asked, and closed."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from connectors.clock import Clock
from connectors.contract.account import Account
from connectors.contract.errors import ConnectorError, Retryable, Transient
from connectors.contract.sink import OwnershipLost
from connectors.http.retry import CALLS, Tries, Uniform
from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.exclusive import Exclusive
from connectors.runtime.grants import GrantKey
from connectors.runtime.integration import IntegrationWorker
from connectors.runtime.opening import TRIAL_OVER, IntegrationOpener
from connectors.session.wall import contained
from schemas.configuration import NOT_GRANTED, Description, IntegrationSettings, KeptGrant, Sections

LONGEST_WAIT_S: Final = 10.0
ALONE_S: Final = (10.0, 30.0, 60.0, 120.0, 300.0)
"""Waits after each failed try for which a worker had to end: what is in force works meanwhile."""
MOST_IN_VAIN: Final = 5
"""How often such a try may fail although what is in force works: then the trial is answered by what it failed of."""
GIVEN_BACK_S: Final = 6.0  # how long a partition that is taken away waits for a trial: less than its member may
SEEN_S: Final = 10.0  # how far this process's view of what it told may lag behind
LOOK_EVERY_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class TrialHooks:
    """The parts that the runner gives."""

    worker: Callable[[str], IntegrationWorker | None]  # of what is in force, where it is open
    ours: Callable[[str], bool]  # whether the integration's partition is this process's
    owns: Callable[[str], bool]  # the same, asked of a process that may have slept
    exclusive: Exclusive
    ended: Callable[["asyncio.Task[None]"], None]  # told of each task


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A trial that was begun, and for which settings."""

    task: "asyncio.Task[None]"
    settings: IntegrationSettings


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
        self._tasks: dict[str, _UnderWay] = {}
        self._resting: set[str] = set()  # those that wait, and have nothing under way
        self._told: dict[str, _Told] = {}

    def begin(self, wanted: Mapping[str, IntegrationSettings]) -> None:
        """Begin the trials that nobody has begun here; of one that is over no request leaves any more."""
        for name, trial in self._tasks.items():
            settings = self._configuration.settings_of(name)
            if settings is None or settings.state == "disconnected":
                self._opener.stop_trial(name)
            elif not self._configuration.is_tried(name, trial.settings):
                _give_up(trial.task)
        for name, settings in wanted.items():
            if settings.trial is not None and name not in self._tasks and self._due(name, settings):
                task = asyncio.create_task(self._run(name, settings, settings.trial))
                self._tasks[name] = _UnderWay(task, settings)
                task.add_done_callback(partial(self._end, name))

    async def given_back(self, names: Collection[str]) -> None:
        """Wait for those under way: a refresh token that is spent and whose successor is not kept is lost."""
        tasks = {name: self._tasks[name].task for name in names if name in self._tasks}
        for name in self._resting.intersection(tasks):
            _give_up(tasks[name])
        if tasks:
            _, left = await asyncio.wait(tasks.values(), timeout=GIVEN_BACK_S)
            for task in left:
                _give_up(task)

    def under_way(self) -> Collection[str]:
        """The integrations with a trial under way."""
        return frozenset(self._tasks)

    def _due(self, name: str, settings: IntegrationSettings) -> bool:
        """Whether the step is not answered, or is for lack of access, and other access is kept by now."""
        told, answer = self._told.get(name), self._configuration.trial_answer(name, settings)
        if answer is None:
            return True  # not even where it was told: another's answer, to another step, took its place
        if told is None or told.step != settings.tried:
            return answer.reason == NOT_GRANTED
        return told.reason == NOT_GRANTED and told.grants != self._configuration.grants(name)

    async def _run(self, name: str, settings: IntegrationSettings, trial: Sections) -> None:
        """A system that is away is no reason against what is tried: it is asked again while the trial lasts."""
        tries, in_vain = Tries(), 0
        while await self._owned(name) and self._configuration.settings_of(name) == settings:
            grants = self._configuration.grants(name)
            try:
                proof = await contained(self._proof(name, settings, trial))
            except OwnershipLost:
                return
            except Retryable as error:
                if not self._hooks.ours(name):
                    return  # it is being given back: whoever waits for that waits for no rest
                # no worker runs where it had to end for the trial: until a moment ago
                alone = self._hooks.worker(name) is None and self._opener.shares_grant(settings, trial)
                tries = tries.after(error, self._clock.monotonic())
                await self._rest(name, self._wait_s(error, tries, alone=alone))
                in_vain += alone and self._works(name)
                if in_vain < MOST_IN_VAIN:
                    continue
                proof = Description(settings.tried, error.reason)
            except ConnectorError as error:  # met outside the account: a secret that nothing reads, as an example
                proof = Description(settings.tried, error.reason)
            return await self._tell(name, settings, grants, proof)

    async def _tell(
        self, name: str, settings: IntegrationSettings, grants: Mapping[GrantKey, KeptGrant], proof: Description
    ) -> None:
        """Answer the step, if it waits for that still: of each system there is one answer, and this is the last."""
        if not await self._owned(name) or not self._configuration.is_tried(name, settings):
            return
        if proof != self._configuration.trial_answer(name, settings):
            await self._opener.report_proof(name, proof)
            await self._seen(name, settings)
        self._told[name] = _Told(settings.tried, grants, proof.reason)

    async def _seen(self, name: str, settings: IntegrationSettings) -> None:
        """Wait until the tables show what was told, or long enough."""
        deadline = self._clock.monotonic() + SEEN_S
        while self._configuration.is_tried(name, settings) and self._clock.monotonic() < deadline:
            if self._configuration.trial_answer(name, settings) is not None:
                return
            await self._rest(name, LOOK_EVERY_S)

    async def _owned(self, name: str) -> bool:
        """Whether requests may leave for the integration; a process that has slept waits until it knows."""
        while not self._hooks.owns(name):
            if not self._hooks.ours(name):
                return False
            await self._rest(name, LOOK_EVERY_S)
        return True

    def _wait_s(self, error: Retryable, tries: Tries, *, alone: bool) -> float:
        """A wait that is asked for counts within bounds; else as other calls, ever longer where a worker had to end."""
        asked_s = min(error.wait_s or 0.0, self._opener.longest_wait_s)
        if alone:
            return max(asked_s, ALONE_S[min(tries.failures + tries.limited, len(ALONE_S)) - 1])
        wait_s = CALLS.wait_s(error, tries, self._uniform)
        return max(asked_s, LONGEST_WAIT_S if wait_s is None else min(wait_s, LONGEST_WAIT_S))

    async def _rest(self, name: str, seconds: float) -> None:
        self._resting.add(name)
        try:
            await self._clock.sleep(seconds)
        finally:
            self._resting.discard(name)

    def _works(self, name: str) -> bool:
        worker = self._hooks.worker(name)
        return worker is not None and worker.works

    async def _proof(self, name: str, settings: IntegrationSettings, trial: Sections) -> Description:
        """What the system says. Raises Retryable, and OwnershipLost where nobody waits for it any more.

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
            if not self._hooks.owns(name) or not self._configuration.is_tried(name, settings):
                raise OwnershipLost(TRIAL_OVER)
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


def _give_up(task: "asyncio.Task[None]") -> None:
    """End it once; a renewal under way is waited for as its account is closed, so that no token is lost."""
    if not task.cancelling():
        task.cancel()
