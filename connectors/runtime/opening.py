"""Opens an integration of one system: its account, and the worker around it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from connectors.contract.account import Account, Opening
from connectors.contract.catalog import Catalog
from connectors.contract.errors import ConnectorError, Retryable
from connectors.contract.metrics import ApiMetrics
from connectors.contract.traits import SystemTraits
from connectors.kafka.partitioner import partition_of
from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.dead_letters import DeadLetters
from connectors.runtime.deps import ConnectorDeps
from connectors.runtime.integration import IntegrationWorker, Unseal, WorkerDeps
from connectors.runtime.monitor import ConnectionMonitor, MonitorDeps
from connectors.runtime.state_report import StateReport, state_under, state_unopened
from connectors.session.connection import ConnectionState
from connectors.session.context import IntegrationContext
from connectors.session.wall import contained
from schemas.configuration import (
    GRANT,
    SIGNING,
    ConnectorState,
    Description,
    IntegrationPart,
    IntegrationSettings,
    Sections,
    SystemSettings,
    secret_place,
)
from schemas.records import StateCommand
from schemas.topics import INTEGRATIONS, RUNS, STATE_COMMANDS

GRANTED: Final = "refresh_token"
NOT_OPEN: Final = "not_open"


@dataclass(frozen=True, slots=True)
class OpenerDeps:
    """The parts that the runner gives the opener."""

    owns: Callable[[int], bool]  # whether writes for a partition's integrations may leave now
    letters: DeadLetters
    failed: Callable[[BaseException], None]
    broken: Callable[[str, BaseException], None]  # an integration's worker can go on no longer


class IntegrationOpener:
    """Makes the workers of one system's connector."""

    def __init__(
        self, traits: SystemTraits, connector: ConnectorDeps, configuration: ConnectorConfiguration, deps: OpenerDeps
    ) -> None:
        self._traits = traits
        self._connector = connector
        self._configuration = configuration
        self._deps = deps

    async def open(self, name: str, settings: IntegrationSettings) -> IntegrationWorker:
        """The worker of an integration, not started. Raises ConnectorError where its account cannot be opened."""
        connector, catalog = self._connector, Catalog()
        report = self._report(name, state_under(settings.connection, self._configuration.state(name)))
        account = await self._open_account(name, settings, report, catalog)
        label = f"{name}: {self._traits.system}"
        connection = ConnectionState(label, report.keep_parked, parked=report.state.parked)
        partition = partition_of(name, connector.partitions)
        context = IntegrationContext(
            integration=name,
            connection=settings.connection,
            traits=self._traits,
            account=account,
            state=connection,
            catalog=catalog,
            send=connector.publisher.send,
            clock=connector.clock,
            uniform=connector.uniform,
            now_ms=connector.now_ms,
            may_write=lambda: self._deps.owns(partition) and connection.active and not connection.closing,
            count=connector.count,
            bulk_credit=connector.bulk_credit,
            run_row=partial(connector.tables.get, RUNS),
        )
        monitor = ConnectionMonitor(context, report, self._monitor_deps(name))
        broken = partial(self._deps.broken, name)

        async def open_again() -> Account:
            return await self._open_account(name, settings, report, Catalog())

        deps = WorkerDeps(report, self._command, self._deps.letters, self._deps.failed, broken, open_again)
        return IntegrationWorker(context, monitor, settings.section(self._traits.system), deps)

    async def prove(self, name: str, settings: IntegrationSettings, trial: Sections) -> Description:
        """What the system says of an account on trial, or why it cannot be worked with. Raises Retryable.

        Asked is what its fields are and then, once the file fits them, whether all that the file needs can be made.
        """
        try:
            return await contained(self._prove(name, settings, trial))
        except Retryable:
            raise
        except ConnectorError as error:
            return Description(settings.tried, error.reason)

    async def _prove(self, name: str, settings: IntegrationSettings, trial: Sections) -> Description:
        section, creates = trial.section(self._traits.system), self._traits.creates_fields
        account = await self._connector.open_account(self._opening(name, settings.connection, section, Catalog()))
        try:
            await account.setup.probe()
            if settings.apply_state == "provisioning":
                create, events = (settings.create, trial.events) if creates else ((), ())
                await account.setup.rehearse(tuple(section.fields), create, events)
                return Description(settings.tried)
            said = await account.setup.describe(section.fields)
        finally:
            await account.close()
        return Description(settings.tried, None, tuple(said.fields), tuple(said.events), tuple(said.types))

    async def report_proof(self, name: str, description: Description) -> None:
        """Publish what came of a trial."""
        part, key = IntegrationPart(name, description=description), f"{name}/{self._traits.system}/trial"
        await self._connector.publisher.send(INTEGRATIONS, key, part)

    async def report_unopened(self, name: str, settings: IntegrationSettings, error: ConnectorError) -> None:
        """Report that the integration does not work with these settings: an apply of them is refused."""
        last = self._configuration.state(name)
        report = self._report(name, last or state_under(settings.connection, None))
        await report.replace(state_unopened(last, settings, error))

    async def report_left(self, name: str, state: ConnectorState) -> None:
        """Report that a connection ended while no worker had it open: what it made in the system is left there."""
        await self._report(name, state).keep_withdrawn(NOT_OPEN)

    def unseal_of(self, name: str) -> Unseal:
        """Opens the secrets of one integration."""

        def unseal(sealed: bytes, secret: str) -> str:
            return self._connector.unseal(sealed, secret_place(name, self._traits.system, secret))

        return unseal

    def _report(self, name: str, state: ConnectorState) -> StateReport:
        connector, system = self._connector, self._traits.system

        def seal(text: str, secret: str) -> bytes:
            return connector.seal(text, secret_place(name, system, secret))

        return StateReport(name, system, state, connector.publisher.send, seal)

    async def _open_account(
        self, name: str, settings: IntegrationSettings, report: StateReport, catalog: Catalog
    ) -> Account:
        unseal = self.unseal_of(name)
        opening = self._opening(name, settings.connection, settings.section(self._traits.system), catalog)
        given: dict[str, str] = {}
        if report.state.grant is not None:
            given[GRANTED] = unseal(report.state.grant, GRANT)
        if report.state.webhook_secret is not None:
            given[SIGNING] = unseal(report.state.webhook_secret, SIGNING)
        secrets = {**opening.secrets, **given}
        return await self._connector.open_account(replace(opening, secrets=secrets, store_grant=report.keep_grant))

    def _opening(self, name: str, connection: int, section: SystemSettings, catalog: Catalog) -> Opening:
        """What an account is opened with; a new refresh token is kept nowhere yet."""
        connector, unseal = self._connector, self.unseal_of(name)

        async def incident(reason: str, detail: str) -> None:
            await self._deps.letters.incident(name, reason, detail)

        return Opening(
            integration=name,
            connection=connection,
            account=section.account,
            options=section.options,
            secrets={secret: unseal(sealed, secret) for secret, sealed in section.secrets.items()},
            catalog=catalog,
            clock=connector.clock,
            api_url=connector.api_url,
            api_version=connector.api_version,
            longest_wait_s=connector.longest_wait_s,
            proxy_url=connector.proxy_url,
            webhook_url=f"{connector.webhook_base_url}/{self._traits.webhook_path_of(name)}",
            store_grant=_not_kept,
            incident=incident,
            connected=self._configuration.connected,
            metrics=self._api_metrics(name),
        )

    def _api_metrics(self, name: str) -> ApiMetrics:
        metrics, system = self._connector.metrics, self._traits.system
        return ApiMetrics(
            partial(metrics.api_call, system),
            partial(metrics.api_limited, system),
            partial(metrics.api_remaining, system, name),
        )

    def _monitor_deps(self, name: str) -> MonitorDeps:
        async def rederive() -> None:
            settings = self._configuration.settings().get(name)
            if settings is not None:
                await self._command(StateCommand(name, settings.connection, stage="pairs", kind="rederive"))

        return MonitorDeps(
            settings=lambda: self._configuration.settings().get(name),
            inquiry=lambda: self._configuration.inquiry(name),
            rederive=rederive,
        )

    async def _command(self, command: StateCommand) -> None:
        """Put work on the state of every partition."""
        for number in range(self._connector.partitions):
            await self._connector.publisher.send(STATE_COMMANDS, f"partition-{number}", command, number)


async def _not_kept(_: str) -> None:
    """An account on trial is opened again with the token of the file, once it is in force."""
