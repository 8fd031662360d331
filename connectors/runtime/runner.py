"""Runs one system's connector: a member of its group that owns integrations wholly, and a worker for each of them."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from connectors.contract.catalog import fields_of
from connectors.contract.errors import ConnectorError, Refused, Unforeseen
from connectors.contract.traits import SystemTraits
from connectors.kafka.consumer import GroupMember, Hooks, Taken
from connectors.kafka.in_memory import RecordsInMemory, stage_of
from connectors.kafka.partitioner import partition_of
from connectors.kafka.topology import connector_group, connector_topics
from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.consents import ConsentHooks, Consents
from connectors.runtime.dead_letters import DeadLetters
from connectors.runtime.deps import ConnectorDeps
from connectors.runtime.exclusive import Exclusive
from connectors.runtime.forgotten_grants import ForgottenGrants
from connectors.runtime.integration import IntegrationWorker, Leave
from connectors.runtime.opening import IntegrationOpener, OpenerDeps
from connectors.runtime.overflow import Overflow
from connectors.runtime.patience import Patience
from connectors.runtime.resealing import Resealing, ResealingDeps
from connectors.runtime.suspects import MOST_ENDS, Suspects
from connectors.runtime.trials import TrialHooks, Trials
from connectors.runtime.waiting import Waiting, WaitingRecords, is_ahead, is_over
from connectors.session.condition import VersionedCondition
from connectors.session.wall import contained
from schemas.codec import MalformedRecord
from schemas.configuration import IntegrationSettings
from schemas.records import ConnectorRequest
from schemas.topics import INTEGRATIONS
from schemas.vitals import BudgetVitals, PlaceVitals

log = logging.getLogger(__name__)

MOST_WAITING: Final = 1_000  # records of an integration that cannot be opened; more are let go


class Runner:
    """One process's share of a system's integrations."""

    def __init__(self, traits: SystemTraits, deps: ConnectorDeps) -> None:
        self._system = system = traits.system
        self._deps = deps
        self._workers: dict[str, IntegrationWorker] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._closing: dict[str, asyncio.Task[list[Waiting]]] = {}
        self._waiting = WaitingRecords(deps.clock.monotonic)
        self._in_memory = RecordsInMemory(stage_of, deps.traced)
        self._patience = Patience(deps.clock.monotonic)
        self._changes = VersionedCondition()
        self._suspects = Suspects(self._changes.bump)
        self._tasks: set[asyncio.Task[None]] = set()
        self._measured: set[str] = set()  # integrations whose status stands in the metrics
        self._withdrawn: set[tuple[str, int]] = set()  # connections that were over, and are told of
        self._configuration = ConnectorConfiguration(deps.tables, system)
        self._letters = DeadLetters(system, deps)
        self._overflow = Overflow(system, deps.publisher.send, deps.now_ms, self._crawled)
        self._member = GroupMember(
            deps.cluster,
            connector_group(system),
            f"{system}-{deps.ordinal}",
            topics=connector_topics(system, traits.timeline_topic),
            hooks=Hooks(self._taken, lambda _: self._changes.bump(), self._revoked, self._failed, deps.lost),
        )
        opener_deps = OpenerDeps(self._member.owns, self._letters, self._failed, self._broken)
        self._opener = IntegrationOpener(traits, deps, self._configuration, opener_deps)
        self._forgotten_grants = ForgottenGrants(self._configuration, self._opener, self._spawn)
        self._exclusive = Exclusive(self._let_worker_go, self._open_again)
        consent_hooks = ConsentHooks(self._ours, self._owns, self._exclusive, deps.reconnected, self._failed)
        self._consents = Consents(self._configuration, self._opener, deps.clock, deps.uniform, consent_hooks)
        publish = partial(deps.publisher.send, INTEGRATIONS)
        reseal_deps = ResealingDeps(deps.key_id, deps.renew_seal, deps.read_to_end, publish, self._failed)
        self._resealing = Resealing(self._configuration, self._exclusive, reseal_deps)
        trial_hooks = TrialHooks(self._workers.get, self._ours, self._owns, self._exclusive, self._tried)
        self._trials = Trials(self._configuration, self._opener, deps.clock, deps.uniform, trial_hooks)

    @property
    def member(self) -> GroupMember:
        """The membership that owns the partitions, for whoever judges whether it moves."""
        return self._member

    @property
    def owned(self) -> frozenset[int]:
        return self._member.owned

    def places(self) -> tuple[PlaceVitals, ...]:
        """What this process has taken, for its vital signs; to be called on the loop."""
        return self._in_memory.places()

    def budgets(self) -> tuple[BudgetVitals, ...]:
        """The limits of every account that is open here, for its vital signs; to be called on the loop."""
        return tuple(one for name in sorted(self._workers) for one in self._workers[name].budgets())

    def configuration_changed(self) -> None:
        """Integrations or mappings changed; to be called on the loop."""
        self._changes.bump()

    async def run(self) -> None:
        """Until cancelled; then calls in flight end and the partitions are given back."""
        self._member.start()
        try:
            while True:
                version = self._changes.version
                self._reconcile()
                await self._changes.wait_after(version, self._next_in_s())
        finally:
            await self._member.stop()

    def _next_in_s(self) -> float | None:
        """Seconds until something is due although nothing changes."""
        due = (self._waiting.next_late_in_s(), self._patience.next_in_s())
        return min((seconds for seconds in due if seconds is not None), default=None)

    def _reconcile(self) -> None:
        """Open and close workers: one for every connected integration of our partitions, none for others.

        Nothing is waited for: a vendor that hangs would keep the news of others' disconnects from being heard.
        """
        wanted = self._wanted()
        leaving = [name for name in self._workers if not self._fits(name, wanted.get(name))]
        for name in leaving:
            self._begin_to_close(name, self._leave(name, wanted.get(name)), keeps_records=True)
        for name in self._workers:
            self._refresh(name, wanted[name])  # before any wait: a pause holds from here on
        self._trials.begin(wanted)
        self._resealing.begin(wanted)
        for name, settings in wanted.items():
            here = name in self._workers or name in self._opening or name in self._closing
            here = here or self._exclusive.holds(name)
            if settings.state != "disconnected" and not here and not self._patience.rests(name, settings):
                self._opening[name] = opening = asyncio.create_task(self._open(name, settings))
                opening.add_done_callback(self._ended)
            if settings.state == "disconnected" and not here:
                self._tell_left(name, settings.connection)
                self._forgotten_grants.begin(name, settings)
        for name in self._waiting.integrations:
            if name not in self._opening:
                self._hand_over(name)
        self._measure_statuses(wanted)

    def _tell_left(self, name: str, connection: int) -> None:
        """Tell of a connection that was over before this process had a worker for it: nobody could withdraw."""
        state = self._configuration.state(name)
        if state is None or state.connection != connection or state.withdrawn is not None:
            return
        if (name, connection) not in self._withdrawn:
            self._withdrawn.add((name, connection))
            self._spawn(self._opener.report_left(name, state))

    def _measure_statuses(self, wanted: Mapping[str, IntegrationSettings]) -> None:
        """Each connected integration of our partitions has the status that was last reported of it, others none."""
        connected = {name for name, settings in wanted.items() if settings.state != "disconnected"}
        for name in self._measured - connected:
            self._deps.metrics.forget_integration(name)
        for name in connected:
            state = self._configuration.state(name)
            if state is not None:
                self._deps.metrics.integration_status(name, self._system, state.status)
        self._measured = connected

    def _wanted(self) -> dict[str, IntegrationSettings]:
        """The integrations of our partitions, disconnected ones too."""
        return {name: settings for name, settings in self._configuration.settings().items() if self._ours(name)}

    async def _unfinished(self, name: str, closing: "asyncio.Task[list[Waiting]]", assignments: int) -> list[Waiting]:
        """What a worker leaves unfinished; nothing where its partition was given away, and be it back by now.

        Such records are taken from the brokers again: kept here too, they would be handled twice.
        """
        left = await asyncio.shield(closing)  # closing goes on even if this process is to end meanwhile
        return left if self._still_ours(name, assignments) else []

    def _still_ours(self, name: str, assignments: int) -> bool:
        return self._ours(name) and self._member.assignments == assignments

    async def _let_worker_go(self, name: str) -> None:
        """End the integration's worker, or what opens one; its unfinished records wait for the next."""
        opening = self._opening.get(name)
        if opening is not None:
            await asyncio.wait([opening])
        if name in self._closing:
            await asyncio.wait([self._closing[name]])
        if name in self._workers:
            await asyncio.wait([self._begin_to_close(name, keeps_records=True)])

    def _open_again(self, name: str) -> None:
        """Open at once an integration that failed for what it has by now."""
        self._patience.forget(name)
        self._changes.bump()

    def _ours(self, integration: str) -> bool:
        return partition_of(integration, self._deps.partitions) in self._member.owned

    def _owns(self, integration: str) -> bool:
        return self._member.owns(partition_of(integration, self._deps.partitions))

    def _leave(self, name: str, settings: IntegrationSettings | None) -> Leave:
        """How the worker leaves its system; renewed credentials or a partition given away do not end a connection.

        A grant is given up only where somebody disconnected: who mends a refused file needs it again.
        """
        if settings is None:
            forgotten = self._ours(name) and self._configuration.settings_of(name) is None
            return "withdrawn" if forgotten else "connected"
        if settings.state == "disconnected":
            return "given up" if settings.apply_state == "done" else "withdrawn"
        return "connected" if settings.connection == self._workers[name].connection else "withdrawn"

    def _fits(self, name: str, settings: IntegrationSettings | None) -> bool:
        """Whether the worker still speaks for the right account with the right credentials."""
        if settings is None or settings.state == "disconnected":
            return False
        section = settings.section(self._system)
        return self._workers[name].fits(settings.connection, section, self._opener.unseal_of(name))

    async def _open(self, name: str, settings: IntegrationSettings) -> None:
        """Open the integration and start its worker; the records that came meanwhile are handed over."""
        try:
            worker = await contained(self._opener.open(name, settings))
        except ConnectorError as error:
            log.warning("%s: %s cannot be opened: %s", name, self._system, error)
            self._patience.failed(name, settings, opened=False)
            await self._opener.report_unopened(name, settings, error)
            return
        finally:
            self._opening.pop(name, None)
            self._changes.bump()
        if not self._ours(name):
            await worker.dismiss()
            return
        self._workers[name] = worker
        if not self._fits(name, self._configuration.settings_of(name)):
            return  # disconnected, or changed, meanwhile: it is closed before it has sent anything
        self._overflow.begin_anew(name)
        self._suspects.begin_anew(name)
        self._refresh(name, settings)
        worker.start()
        self._hand_over(name)

    def _refresh(self, name: str, settings: IntegrationSettings) -> None:
        mappings = self._configuration.mappings(name, settings.connection)
        self._workers[name].refresh(settings, mappings, self._configuration.inquiry(name))

    def _begin_to_close(
        self, name: str, leave: Leave = "connected", *, keeps_records: bool = False
    ) -> "asyncio.Task[list[Waiting]]":
        """The task ends with the records that are not finished; with `keeps_records` they wait for the next worker."""
        worker = self._workers.pop(name)
        if leave != "connected":
            self._withdrawn.add((name, worker.connection))
        closing = self._closing[name] = worker.close(leave)

        assignments = self._member.assignments

        def closed(task: "asyncio.Task[list[Waiting]]") -> None:
            del self._closing[name]
            self._changes.bump()
            self._ended(task)
            kept = keeps_records and not task.cancelled() and task.exception() is None
            if kept and self._still_ours(name, assignments):
                self._waiting.add_first(name, task.result())

        closing.add_done_callback(closed)
        return closing

    def _taken(self, batch: Sequence[Taken]) -> None:
        """Give each record to its worker, in order; those of an integration without one, or ahead of it, wait."""
        for taken in batch:
            try:
                record = self._deps.codec.decode(taken.topic, taken.value)
            except MalformedRecord as error:
                self._spawn(self._letters.bury(taken, "undecodable", str(error)))
                continue
            except Exception as error:  # noqa: BLE001 - a schema this build does not know, or the registry is away: stop
                return self._failed(error)
            name, taken = record.integration, self._in_memory.begun(taken, record)
            if isinstance(record, ConnectorRequest) and record.kind == "consent":
                self._consents.take(taken, record)  # no worker is needed: there may be none for lack of a grant
                continue
            worker = self._workers.get(name)
            if worker is None or name in self._waiting or is_ahead(record, worker.connection):
                if self._overflows(name):
                    self._spawn(self._let_go(taken, record))
                    continue
                self._waiting.add(name, taken, record)
                self._changes.bump()
            else:
                self._spawn(worker.take(taken, record))

    def _hand_over(self, name: str) -> None:
        """The records that waited go to their worker in order, or end where there will be none."""
        worker, settings = self._workers.get(name), self._configuration.settings_of(name)
        late = self._waiting.late(name)
        worn = settings is not None and self._patience.worn(name, settings) and self._overflows(name)

        def handed_over(taken: Taken, record: Any) -> bool:
            if worker is not None and (late or not is_ahead(record, worker.connection)):
                given = self._suspects.given(name, taken)
                if given is not None:
                    self._spawn(worker.take(given, record))
                return given is not None
            if is_over(record, settings) or (late and (settings is None or settings.state == "disconnected")):
                self._letters.disconnected(taken)
                return True
            if worn:  # offsets behind them are those of other integrations too
                self._spawn(self._let_go(taken, record))
            return worn

        self._waiting.release(name, handed_over)

    async def _let_go(self, taken: Taken, record: Any) -> None:
        try:
            await contained(self._overflow.let_go(taken, record))
        except Refused as error:
            await self._letters.bury(taken, error.reason, str(error), record)

    def _overflows(self, name: str) -> bool:
        """Whether the integration cannot be opened, and as many of its records wait as are kept, or for long."""
        settings = self._configuration.settings_of(name)
        if name in self._workers or settings is None or not self._patience.rests(name, settings):
            return False
        return self._waiting.count(name) >= MOST_WAITING or self._patience.worn(name, settings)

    def _crawled(self, name: str) -> tuple[int, Sequence[str]]:
        """The connection of an integration, and the types of this system that its mappings use."""
        settings = self._configuration.settings_of(name)
        connection = settings.connection if settings is not None else 0
        wanted, _ = fields_of(self._system, self._configuration.mappings(name, connection))
        return connection, tuple(wanted)

    def _broken(self, name: str, error: BaseException) -> None:
        """End a worker that failed at something that is no record: it is opened again, and the others go on."""
        settings = self._configuration.settings_of(name)
        if name in self._workers and settings is not None:
            self._patience.failed(name, settings, opened=True)
            # closed at once: several of its tasks may fail together, and one end is enough
            left = self._unfinished(name, self._begin_to_close(name), self._member.assignments)
            self._spawn(self._reopen_later(name, settings, left, Unforeseen(error)))

    async def _reopen_later(
        self,
        name: str,
        settings: IntegrationSettings,
        unfinished: Awaitable[list[Waiting]],
        error: Unforeseen,
    ) -> None:
        """Its unfinished records wait for the next worker; one that ended too many workers ends too."""
        log.error("%s: %s failed and is opened again later: %s", name, self._system, error)
        left = await unfinished
        if not self._ours(name):
            return
        guilty = self._suspects.ended(name, left)
        self._waiting.add_first(name, [waiting for waiting in left if waiting not in guilty])
        await self._opener.report_unopened(name, settings, error)
        for taken, record in guilty:
            await self._letters.bury(taken, error.reason, f"{MOST_ENDS} workers ended meanwhile: {error}", record)

    async def _revoked(self, partitions: frozenset[int]) -> None:
        def gone(names: Iterable[str]) -> list[str]:
            return [name for name in names if partition_of(name, self._deps.partitions) in partitions]

        self._in_memory.forget(partitions)
        for name in gone({*self._waiting.integrations, *self._workers}):
            self._waiting.forget(name)
            self._suspects.forget(name)
        for name in gone(self._workers):
            self._begin_to_close(name)
        consents, trials = gone(self._consents.under_way()), gone(self._trials.under_way())
        await asyncio.gather(self._consents.given_back(consents), self._trials.given_back(trials))
        await self._resealing.ended()
        closing = [self._closing[name] for name in gone(self._closing)]
        if closing:
            await asyncio.wait(closing)

    def _tried(self, task: "asyncio.Task[None]") -> None:
        self._ended(task)
        self._changes.bump()  # a newer request may be on trial by now

    def _failed(self, error: BaseException) -> None:
        self._deps.stop_process(f"{self._system} connector: {type(error).__name__}: {error}")

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failed(task.exception() or RuntimeError("ended"))
