"""Runs one system's connector: a member of its group that owns integrations wholly, and a worker for each of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.clock import Clock, set_within
from connectors.contract.account import Account, Opening
from connectors.contract.catalog import Catalog
from connectors.contract.errors import ConnectorError
from connectors.contract.traits import SystemTraits
from connectors.http.retry import Uniform
from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import GroupMember, Hooks, Taken
from connectors.kafka.partitioner import partition_of
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from connectors.kafka.topology import connector_group, connector_topics
from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.integration import IntegrationWorker, Unseal
from connectors.runtime.monitor import ConnectionMonitor, MonitorDeps, unopened_state
from connectors.session.context import IntegrationContext
from schemas.codec import Codec, MalformedRecord
from schemas.configuration import (
    GRANT,
    SIGNING,
    ConnectorState,
    IntegrationPart,
    IntegrationSettings,
    SystemSettings,
    secret_place,
)
from schemas.letters import letter_about, letter_id, letter_of_no_record
from schemas.records import Cause, ConnectorRequest, FieldPatch, Notification, StateCommand, TimelineEvent
from schemas.topics import DEAD_LETTERS, INTEGRATIONS, STATE_COMMANDS

log = logging.getLogger(__name__)

OPEN_AGAIN_S: Final = 2.0
LATE_S: Final = 5.0  # how far this process's view of the configuration may lag behind a record
GRANTED: Final = "refresh_token"


@dataclass(frozen=True, slots=True)
class ConnectorDeps:
    """What a connector is given from outside; wired in `pipeline/app.py`."""

    cluster: Cluster
    codec: Codec
    publisher: Publisher
    tables: TableReader  # of sync.integrations and sync.mappings, complete
    ordinal: int
    partitions: int
    open_account: Callable[[Opening], Awaitable[Account]]
    unseal: Callable[[bytes, str], str]  # a seal, and its place
    seal: Callable[[str, str], bytes]
    api_url: str | None
    api_version: str
    proxy_url: str | None
    webhook_base_url: str
    clock: Clock
    uniform: Uniform
    now_ms: Callable[[], int]
    count: Callable[[str, str | None, str, int], None]
    bulk_credit: Callable[[int], Awaitable[None]]
    stop_process: Callable[[str], None]


@dataclass(slots=True, eq=False)
class _Waiting:
    """Records that came before their worker, or before the configuration they were made under."""

    since: float
    records: list[tuple[Taken, Any]] = field(default_factory=list)


class Runner:
    """One process's share of a system's integrations."""

    def __init__(self, traits: SystemTraits, deps: ConnectorDeps) -> None:
        self._traits = traits
        self._system = system = traits.system
        self._deps = deps
        self._workers: dict[str, IntegrationWorker] = {}
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._closing: dict[str, asyncio.Task[list[tuple[Taken, Any]]]] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        hooks = Hooks(self._taken, lambda _: self._wake.set(), self._revoked, self._failed)
        self._configuration = ConnectorConfiguration(deps.tables, system)
        self._member = GroupMember(
            deps.cluster,
            connector_group(system),
            f"{system}-{deps.ordinal}",
            topics=connector_topics(system, traits.timeline_topic),
            hooks=hooks,
        )

    @property
    def owned(self) -> frozenset[int]:
        return self._member.owned

    def configuration_changed(self) -> None:
        """Integrations or mappings changed; may be called from any loop callback."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; then what is in flight ends and the partitions are given back."""
        self._member.start()
        try:
            while True:
                self._wake.clear()
                await self._reconcile()
                await set_within(self._wake, LATE_S / 10 if self._waiting else None)
        finally:
            await self._member.stop()

    async def _reconcile(self) -> None:
        """One worker for every connected integration of our partitions, none for others."""
        wanted = self._wanted()
        leaving = [name for name in self._workers if not self._fits(name, wanted.get(name))]
        closing = {name: self._begin_to_close(name, self._over(name, wanted.get(name))) for name in leaving}
        for name in self._workers:
            self._refresh(name, wanted[name])  # before anything is waited for: a pause holds from here on
        await self._left(closing)
        for name, settings in self._wanted().items():  # as it is by now: closing may have taken long
            here = name in self._workers or name in self._opening or name in self._closing
            if settings.state != "disconnected" and not here:
                self._opening[name] = opening = asyncio.create_task(self._open(name, settings))
                opening.add_done_callback(self._ended)
        for name in [name for name in self._waiting if name not in self._opening]:
            self._hand_over(name)

    def _wanted(self) -> dict[str, IntegrationSettings]:
        """The integrations of our partitions, disconnected ones too."""
        return {name: settings for name, settings in self._configuration.settings().items() if self._ours(name)}

    async def _left(self, closing: Mapping[str, "asyncio.Task[list[tuple[Taken, Any]]]"]) -> None:
        """Wait for workers that close; what they left goes to those that follow, or ends."""
        for name, task in closing.items():
            left = await asyncio.shield(task)  # it goes on where this process is told to end meanwhile
            if self._ours(name):
                self._waiting.setdefault(name, _Waiting(self._deps.clock.monotonic())).records[:0] = left

    def _ours(self, integration: str) -> bool:
        return partition_of(integration, self._deps.partitions) in self._member.owned

    def _over(self, name: str, settings: IntegrationSettings | None) -> bool:
        """Whether the worker's connection is over: not only its credentials renewed, or its partition given away."""
        if settings is None:
            return False
        return settings.state == "disconnected" or settings.connection != self._workers[name].context.connection

    def _fits(self, name: str, settings: IntegrationSettings | None) -> bool:
        """Whether the worker still speaks for the right account with the right credentials."""
        if settings is None or settings.state == "disconnected":
            return False
        section = settings.section(self._system)
        return self._workers[name].fits(settings.connection, section, self._unseal_of(name))

    async def _open(self, name: str, settings: IntegrationSettings) -> None:
        """Open the account and start its worker; the records that came meanwhile are handed over."""
        try:
            context, monitor = await self._context(name, settings)
        except ConnectorError as error:
            log.warning("%s: %s cannot be opened: %s", name, self._system, error)
            await self._unopened(name, settings, error)
            await self._deps.clock.sleep(OPEN_AGAIN_S)
            return
        finally:
            self._opening.pop(name, None)
            self._wake.set()
        if not self._ours(name):
            await context.account.close()
            return
        self._workers[name] = IntegrationWorker(
            context, monitor, settings.section(self._system), self._command, self._failed
        )
        self._refresh(name, settings)
        self._workers[name].start()
        self._hand_over(name)

    async def _unopened(self, name: str, settings: IntegrationSettings, error: ConnectorError) -> None:
        """Tell of it: an apply that brought such credentials is refused, and what was in force before goes on."""
        told = self._configuration.state(name)
        state = unopened_state(told, settings, error)
        if state != told:
            part = IntegrationPart(name, connector=state)
            await self._deps.publisher.send(INTEGRATIONS, f"{name}/{self._system}", part)

    async def _context(self, name: str, settings: IntegrationSettings) -> tuple[IntegrationContext, ConnectionMonitor]:
        deps, catalog, section = self._deps, Catalog(), settings.section(self._system)
        state = self._configuration.state(name)
        monitors: list[ConnectionMonitor] = []

        async def store_grant(refresh_token: str) -> None:
            for monitor in monitors:
                await monitor.keep_grant(refresh_token)

        async def incident(reason: str, detail: str) -> None:
            await self._incident(name, reason, detail)

        partition = partition_of(name, deps.partitions)
        account = await deps.open_account(
            Opening(
                integration=name,
                connection=settings.connection,
                account=section.account,
                options=section.options,
                secrets=self._secrets(name, section, state),
                catalog=catalog,
                clock=deps.clock,
                api_url=deps.api_url,
                api_version=deps.api_version,
                proxy_url=deps.proxy_url,
                webhook_url=f"{deps.webhook_base_url}/{self._traits.webhook_path_of(name)}",
                store_grant=store_grant,
                incident=incident,
                connected=self._configuration.connected,
            )
        )
        context = IntegrationContext(
            integration=name,
            connection=settings.connection,
            traits=self._traits,
            account=account,
            catalog=catalog,
            publish=deps.publisher.send,
            clock=deps.clock,
            uniform=deps.uniform,
            now_ms=deps.now_ms,
            may_write=lambda: self._member.owns(partition) and context.active and not context.closing,
            count=deps.count,
            bulk_credit=deps.bulk_credit,
        )
        monitor_deps = MonitorDeps(
            lambda: self._configuration.settings().get(name),
            lambda: self._configuration.inquiry(name),
            lambda text, secret: deps.seal(text, secret_place(name, self._system, secret)),
            lambda: self._rederive(name),
        )
        monitors.append(ConnectionMonitor(context, account, state, monitor_deps))
        return context, monitors[0]

    def _unseal_of(self, integration: str) -> Unseal:
        def unseal(sealed: bytes, secret: str) -> str:
            return self._deps.unseal(sealed, secret_place(integration, self._system, secret))

        return unseal

    def _secrets(self, integration: str, section: SystemSettings, state: ConnectorState | None) -> dict[str, str]:
        unseal = self._unseal_of(integration)
        secrets = {name: unseal(sealed, name) for name, sealed in section.secrets.items()}
        if state is not None and state.grant is not None:
            secrets[GRANTED] = unseal(state.grant, GRANT)
        if state is not None and state.webhook_secret is not None:
            secrets[SIGNING] = unseal(state.webhook_secret, SIGNING)
        return secrets

    def _refresh(self, name: str, settings: IntegrationSettings) -> None:
        mappings = self._configuration.mappings(name, settings.connection)
        self._workers[name].refresh(settings, mappings, self._configuration.inquiry(name))

    def _begin_to_close(self, name: str, withdraw: bool = False) -> "asyncio.Task[list[tuple[Taken, Any]]]":
        """Gives the records that are not finished."""
        worker = self._workers.pop(name)
        worker.context.closing = True
        closing = asyncio.create_task(worker.close(withdraw=withdraw))
        self._closing[name] = closing

        def closed(task: "asyncio.Task[Any]") -> None:
            del self._closing[name]
            self._wake.set()
            self._ended(task)

        closing.add_done_callback(closed)
        return closing

    def _taken(self, batch: Sequence[Taken]) -> None:
        for taken in batch:
            try:
                record = self._deps.codec.decode(taken.topic, taken.value)
            except MalformedRecord as error:
                self._spawn(self._dead_letter(taken, "undecodable", str(error)))
            except Exception as error:  # noqa: BLE001 - a schema this build does not know, or the registry is away: stop
                self._failed(error)
                return
            else:
                self._dispatch(taken, record)

    def _dispatch(self, taken: Taken, record: Any) -> None:
        name = record.integration
        worker = self._workers.get(name)
        if worker is None or name in self._waiting or _ahead(record, worker):
            self._wait(name, taken, record)
        else:
            self._spawn(self._handle(worker, taken, record))

    def _wait(self, name: str, taken: Taken, record: Any) -> None:
        waiting = self._waiting.setdefault(name, _Waiting(self._deps.clock.monotonic()))
        waiting.records.append((taken, record))
        self._wake.set()

    def _hand_over(self, name: str) -> None:
        """The records that waited go to their worker in order, or end where there will be none."""
        waiting = self._waiting.pop(name, None)
        worker, settings = self._workers.get(name), self._configuration.settings().get(name)
        if waiting is None:
            return
        late = self._deps.clock.monotonic() - waiting.since > LATE_S
        for taken, record in waiting.records:
            if worker is not None and (late or not _ahead(record, worker)):
                self._spawn(self._handle(worker, taken, record))
            elif late and (settings is None or settings.state == "disconnected"):
                self._disconnected(taken)
            else:
                self._waiting.setdefault(name, _Waiting(waiting.since)).records.append((taken, record))

    async def _handle(self, worker: IntegrationWorker, taken: Taken, record: Any) -> None:
        if getattr(record, "connection", worker.context.connection) != worker.context.connection:
            return self._disconnected(taken)
        cause = Cause(taken.topic, taken.partition, taken.offset, self._deps.now_ms())
        taken = worker.tracked(taken, record)
        match record:
            case Notification():
                cause = Cause(taken.topic, taken.partition, taken.offset, record.received_at_ms)
                try:
                    await worker.notification(record, cause, taken.finished)
                except ValueError as error:
                    await self._dead_letter(taken, "untranslatable", type(error).__name__, record)
            case ConnectorRequest():
                worker.request(record, cause, taken.finished)
            case FieldPatch():
                await worker.patch(record, taken.finished)
            case TimelineEvent():
                await worker.event(record, taken)
            case _:
                raise TypeError(f"{taken.topic} carries a {type(record).__name__}")

    def _disconnected(self, taken: Taken) -> None:
        self._deps.count(self._system, None, "disconnected", 1)
        taken.finished()

    async def _dead_letter(self, taken: Taken, reason: str, detail: str, about: Notification | None = None) -> None:
        letter = letter_about(taken, f"{self._system}.source", reason, detail, self._deps.now_ms(), about=about)
        await self._deps.publisher.send(DEAD_LETTERS, taken.key, letter)
        self._deps.count(self._system, None, "dead-lettered", 1)
        taken.finished()

    async def _incident(self, name: str, reason: str, detail: str) -> None:
        """Something that must never happen was seen: loud in the log, kept as a dead letter."""
        log.error("%s: incident %s: %s", name, reason, detail)
        at_ms = self._deps.now_ms()
        letter = letter_of_no_record(
            id=letter_id(name, reason, at_ms),
            integration=name,
            stage=f"{self._system}.sink",
            reason=reason,
            detail=detail,
            at_ms=at_ms,
            key=name,
        )
        await self._deps.publisher.send(DEAD_LETTERS, name, letter)

    async def _rederive(self, name: str) -> None:
        """Every pair of an integration is derived again: what was parked comes back."""
        settings = self._configuration.settings().get(name)
        if settings is None:
            return
        await self._command(StateCommand(name, settings.connection, stage="pairs", kind="rederive"))

    async def _command(self, command: StateCommand) -> None:
        """Work on the state of every partition."""
        for number in range(self._deps.partitions):
            await self._deps.publisher.send(STATE_COMMANDS, f"partition-{number}", command, number)

    async def _revoked(self, partitions: frozenset[int]) -> None:
        def gone(names: Iterable[str]) -> list[str]:
            return [name for name in names if partition_of(name, self._deps.partitions) in partitions]

        for name in gone(self._waiting):
            self._waiting.pop(name)
        for name in gone(self._workers):
            self._begin_to_close(name)
        closing = [self._closing[name] for name in gone(self._closing)]
        if closing:
            await asyncio.wait(closing)

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


def _ahead(record: Any, worker: IntegrationWorker) -> bool:
    """Whether the record was made under a connection that this process has not read of yet."""
    return bool(getattr(record, "connection", 0) > worker.context.connection)
