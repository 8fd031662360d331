"""Opens an integration of one system: its account, and the worker around it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from connectors.contract.account import Account, Opening
from connectors.contract.catalog import Catalog
from connectors.contract.errors import ConnectorError
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
from schemas.configuration import GRANT, SIGNING, ConnectorState, IntegrationSettings, secret_place
from schemas.records import StateCommand
from schemas.topics import STATE_COMMANDS

GRANTED: Final = "refresh_token"


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
        )
        monitor = ConnectionMonitor(context, report, self._monitor_deps(name))
        broken = partial(self._deps.broken, name)
        deps = WorkerDeps(report, self._command, self._deps.letters, self._deps.failed, broken)
        return IntegrationWorker(context, monitor, settings.section(self._traits.system), deps)

    async def report_unopened(self, name: str, settings: IntegrationSettings, error: ConnectorError) -> None:
        """Report that the integration does not work with these settings: an apply of them is refused."""
        last = self._configuration.state(name)
        report = self._report(name, last or state_under(settings.connection, None))
        await report.replace(state_unopened(last, settings, error))

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
        connector, section = self._connector, settings.section(self._traits.system)

        async def incident(reason: str, detail: str) -> None:
            await self._deps.letters.incident(name, reason, detail)

        unseal = self.unseal_of(name)
        secrets = {secret: unseal(sealed, secret) for secret, sealed in section.secrets.items()}
        if report.state.grant is not None:
            secrets[GRANTED] = unseal(report.state.grant, GRANT)
        if report.state.webhook_secret is not None:
            secrets[SIGNING] = unseal(report.state.webhook_secret, SIGNING)
        return await connector.open_account(
            Opening(
                integration=name,
                connection=settings.connection,
                account=section.account,
                options=section.options,
                secrets=secrets,
                catalog=catalog,
                clock=connector.clock,
                api_url=connector.api_url,
                api_version=connector.api_version,
                proxy_url=connector.proxy_url,
                webhook_url=f"{connector.webhook_base_url}/{self._traits.webhook_path_of(name)}",
                store_grant=report.keep_grant,
                incident=incident,
                connected=self._configuration.connected,
                metrics=self._api_metrics(name),
            )
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
