"""Opens an integration of one system: its account, and the worker around it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from connectors.contract.account import Account, Opening
from connectors.contract.catalog import Catalog
from connectors.contract.consent import ConsentCode, GrantedAccess
from connectors.contract.errors import ConnectorError, Misconfigured, Retryable, Transient
from connectors.contract.metrics import ApiMetrics
from connectors.contract.sink import OwnershipLost
from connectors.contract.traits import SystemTraits
from connectors.inbound.positions import Positions
from connectors.inbound.pulling import Pulling
from connectors.kafka.partitioner import partition_of
from connectors.kafka.table import TableIncomplete
from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.dead_letters import DeadLetters
from connectors.runtime.deps import ConnectorDeps
from connectors.runtime.grants import GRANT_KEYS, Granting, GrantKeeper, GrantKey, newest
from connectors.runtime.integration import IntegrationWorker, Unseal, WorkerDeps
from connectors.runtime.monitor import ConnectionMonitor, MonitorDeps
from connectors.runtime.state_report import StateReport, state_under, state_unopened
from connectors.session.connection import ConnectionState
from connectors.session.context import IntegrationContext
from connectors.session.wall import contained
from schemas.configuration import (
    CONSENT,
    GRANT,
    NOT_GRANTED,
    SIGNING,
    ConnectAnswer,
    ConnectorState,
    Description,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
    Sections,
    SystemSettings,
    secret_place,
)
from schemas.records import StateCommand
from schemas.topics import INTEGRATIONS, RUNS, STATE_COMMANDS
from schemas.values import System

GRANTED: Final = "refresh_token"
CLIENT: Final = "client_id"
IN_FORCE: Final[GrantKey] = "grant"
TRIAL_GRANT: Final[GrantKey] = "trial-grant"
TRIAL_OVER: Final = "the trial was over before it was opened"
GRANT_REJECTED: Final = "grant_rejected"
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
        self._on_trial: dict[str, Account] = {}

    async def open(self, name: str, settings: IntegrationSettings) -> IntegrationWorker:
        """The worker of an integration, not started. Raises ConnectorError where its account cannot be opened."""
        connector, catalog = self._connector, Catalog()
        if connector.exchange_code is not None:
            await self.read_to_end()  # a former owner may have kept a grant just now: an older one is spent
        report = self._report(name, state_under(settings.connection, self._configuration.state(name)))
        account = await self._open_account(name, settings, report, catalog)
        label = f"{name}: {self._traits.system}"
        connection = ConnectionState(label, report.keep_parked, parked=report.state.parked)
        partition = partition_of(name, connector.partitions)

        def count(stage: str, mapping: str | None, outcome: str, number: int) -> None:
            connector.count(stage, name, mapping, outcome, number)

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
            count=count,
            bulk_credit=connector.bulk_credit,
            run_row=partial(connector.tables.get, RUNS),
            visible=partial(connector.metrics.change_visible, self._traits.system, integration=name),
        )
        monitor = ConnectionMonitor(context, report, self._monitor_deps(name, lambda: worker.settings))
        broken = partial(self._deps.broken, name)
        positions, feeds = Positions(context, self._configuration.position), account.feeds
        pulling = Pulling(context, feeds, positions, connector.feeds) if feeds is not None else None

        async def open_again() -> Account:
            return await self._open_account(name, settings, report, Catalog())

        deps = WorkerDeps(report, self._command, self._deps.letters, self._deps.failed, broken, open_again, pulling)
        worker = IntegrationWorker(context, monitor, settings.section(self._traits.system), deps)
        return worker

    @property
    def longest_wait_s(self) -> float:
        """The longest wait that an answer may ask for."""
        return self._connector.longest_wait_s

    async def prove(
        self, name: str, settings: IntegrationSettings, trial: Sections, in_force: Account | None = None
    ) -> Description:
        """What the system says of what is on trial, or why it cannot be worked with. Raises Retryable.

        Asked is what its fields are and then, once the file fits them, whether all that the file needs can be made.
        `in_force`: the account that is asked where what is on trial connects by the same credentials and options.
        """
        try:
            work = self._asked(settings, trial, in_force) if in_force else self._prove(name, settings, trial)
            return await contained(work)
        except Retryable:
            raise
        except ConnectorError as error:
            # the file names no token that is to be mended there: somebody has to grant access
            nobodys = error.reason == GRANT_REJECTED and GRANTED not in trial.section(self.system).secrets
            return Description(settings.tried, NOT_GRANTED if nobodys else error.reason)

    async def _prove(self, name: str, settings: IntegrationSettings, trial: Sections) -> Description:
        """By connections and limits of its own. Raises OwnershipLost where nobody waits for it any more."""
        if self._connector.exchange_code is not None:
            await self.read_to_end()  # a worker that has ended, or a former owner, may have kept a grant just now
        section, in_force = trial.section(self.system), settings.section(self.system)
        opening = self._opening(name, settings.connection, section, Catalog())
        # access that is kept without its account is of the account in force
        keys = GRANT_KEYS if section.account == in_force.account else (TRIAL_GRANT,)
        key = self._newest_grant(name, _granting(opening), keys)
        account = await self._connector.open_account(self._with_grant(name, opening, key, key or TRIAL_GRANT))
        self._on_trial[name] = account
        try:
            if not self._configuration.is_tried(name, settings):
                raise OwnershipLost(TRIAL_OVER)
            return await self._asked(settings, trial, account)
        finally:
            self._on_trial.pop(name, None)
            await account.close()

    async def _asked(self, settings: IntegrationSettings, trial: Sections, account: Account) -> Description:
        section, creates = trial.section(self.system), self._traits.creates_fields
        await account.setup.probe()
        if settings.apply_state == "provisioning":
            create, events = (settings.create, trial.events) if creates else ((), ())
            await account.setup.rehearse(section.fields, create, events)
            return Description(settings.tried)
        said = await account.setup.describe(section.fields)
        return Description(settings.tried, None, tuple(said.fields), tuple(said.events), tuple(said.types))

    def shares_grant(self, settings: IntegrationSettings, trial: Sections) -> bool:
        """Whether what is on trial lives by the same app's access as what is in force: one spends the other's token."""
        here, there = trial.section(self.system), settings.section(self.system)
        app = here.options.get(CLIENT)
        return app is not None and (app, here.account) == (there.options.get(CLIENT), there.account)

    def is_settled(self, name: str, settings: IntegrationSettings) -> bool:
        """Whether what is in force lives by no grant that the next trial may write over."""
        if TRIAL_GRANT not in self._configuration.grants(name):
            return True
        try:
            opening = self._opening(name, settings.connection, settings.section(self.system), Catalog())
        except Misconfigured:
            return True  # no key opens what is in force: it lives by nothing
        return self._newest_grant(name, _granting(opening)) != TRIAL_GRANT

    async def settle(self, name: str, settings: IntegrationSettings) -> None:
        """Keep the grant by which what is in force lives where no trial writes; no worker may renew it meanwhile."""
        await self.read_to_end()
        if not self.is_settled(name, settings):
            await self._publish_grant(name, IN_FORCE, self._configuration.grants(name)[TRIAL_GRANT])
            await self.read_to_end()

    def stop_trial(self, name: str) -> None:
        """Let no request of an account on trial leave any more: its integration was disconnected."""
        if name in self._on_trial:
            self._on_trial[name].stop()

    async def read_to_end(self) -> None:
        """Return once the configuration is read as far as it is written. Raises Transient."""
        try:
            await self._connector.read_to_end()
        except TableIncomplete:  # the brokers' fault, and nothing that credentials or a file could be refused for
            raise Transient("configuration_unread") from None

    @property
    def system(self) -> System:
        return self._traits.system

    def now_ms(self) -> int:
        """Our clock."""
        return self._connector.now_ms()

    def opened_code(self, name: str, sealed: bytes) -> str:
        """What came back from the system's page. Raises Misconfigured where no key opens it."""
        return self.unseal_of(name)(sealed, CONSENT)

    async def exchange(
        self, name: str, settings: IntegrationSettings, section: SystemSettings, code: ConsentCode
    ) -> GrantedAccess:
        """What somebody granted, by the app of that section. Raises ConnectorError.

        No request leaves once the connection is over. Raises OwnershipLost where the first has not left then.
        """
        if self._connector.exchange_code is None:
            raise Misconfigured("no_credentials")
        opening = self._opening(name, settings.connection, section, Catalog())
        return await self._connector.exchange_code(
            replace(opening, owned=partial(self._configuration.connected, name)), code
        )

    async def give_back(
        self, name: str, settings: IntegrationSettings, section: SystemSettings, access: GrantedAccess
    ) -> None:
        """Give up access that was granted and is not kept. Raises ConnectorError."""
        opening = self._opening(name, settings.connection, section, Catalog())
        secrets = {**opening.secrets, GRANTED: access.refresh_token}
        account = await self._connector.open_account(replace(opening, secrets=secrets))
        try:
            await account.setup.give_up()
        finally:
            account.stop()
            await account.close()

    async def keep_grant(
        self, name: str, section: SystemSettings, key: GrantKey, link: str, access: GrantedAccess
    ) -> KeptGrant:
        """Keep what somebody granted by a link, in place of the file's token and of what was kept before."""
        sealed = section.secrets.get(GRANTED)
        in_file = self.unseal_of(name)(sealed, GRANTED) if sealed is not None else None
        token, client = self._sealed(name, access.refresh_token, GRANT), section.options.get(CLIENT, "")
        origin = Granting(section.account, client, in_file).origin
        grant = KeptGrant(access.account or "", token, access.scopes, origin, link, self.now_ms(), client)
        await self._publish_grant(name, key, grant)
        return grant

    async def forget_grant(self, name: str, key: GrantKey = "grant") -> None:
        """Of an integration that was disconnected no credentials are kept."""
        await self._connector.publisher.send_bytes(INTEGRATIONS, f"{name}/{self.system}/{key}", None)

    async def publish_answer(self, name: str, answer: ConnectAnswer) -> None:
        """Tell what became of a link."""
        part = IntegrationPart(name, consent=answer)
        await self._connector.publisher.send(INTEGRATIONS, f"{name}/{self.system}/consent", part)

    async def _publish_grant(self, name: str, key: GrantKey, grant: KeptGrant) -> None:
        part = IntegrationPart(name, grant=grant)
        await self._connector.publisher.send(INTEGRATIONS, f"{name}/{self.system}/{key}", part)

    def _sealed(self, name: str, text: str, secret: str) -> bytes:
        return self._connector.seal(text, secret_place(name, self.system, secret))

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
        return StateReport(name, self.system, state, self._connector.publisher.send, partial(self._sealed, name))

    async def _open_account(
        self, name: str, settings: IntegrationSettings, report: StateReport, catalog: Catalog
    ) -> Account:
        unseal = self.unseal_of(name)
        opening = self._opening(name, settings.connection, settings.section(self._traits.system), catalog)
        given: dict[str, str] = {}
        if report.state.grant is not None and self._configuration.grant(name) is None:  # of an earlier build
            given[GRANTED] = unseal(report.state.grant, GRANT)
        if report.state.webhook_secret is not None:
            given[SIGNING] = unseal(report.state.webhook_secret, SIGNING)
        found = self._newest_grant(name, _granting(opening))
        with_kept = self._with_grant(name, opening, found, IN_FORCE)
        kept = {} if found is None else {GRANTED: with_kept.secrets[GRANTED]}
        return await self._connector.open_account(replace(with_kept, secrets={**opening.secrets, **given, **kept}))

    def _newest_grant(self, name: str, wanted: Granting, keys: Sequence[GrantKey] = GRANT_KEYS) -> GrantKey | None:
        kept = self._configuration.grants(name)
        return newest({key: kept[key] for key in keys if key in kept}, wanted)

    def _with_grant(self, name: str, opening: Opening, found: GrantKey | None, keeps: GrantKey) -> Opening:
        """The opening with the refresh token that was `found`, and a keeper of those that follow, under `keeps`."""
        opened: tuple[KeptGrant, str] | None = None
        if found is not None:
            kept = self._configuration.grants(name)[found]
            opened = kept, self.unseal_of(name)(kept.refresh_token, GRANT)
        keeper = GrantKeeper(
            partial(self._publish_grant, name, keeps),
            lambda text: self._sealed(name, text, GRANT),
            _granting(opening),
            self.now_ms,
            opened,
        )
        secrets = opening.secrets if opened is None else {**opening.secrets, GRANTED: opened[1]}
        return replace(opening, secrets=secrets, store_grant=keeper.keep)

    def _opening(self, name: str, connection: int, section: SystemSettings, catalog: Catalog) -> Opening:
        """What an account is opened with, without a keeper of its grants."""
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
            feeds=connector.feeds,
            webhook_url=f"{connector.webhook_base_url}/{self._traits.webhook_path_of(name)}",
            store_grant=_not_kept,
            incident=incident,
            connected=self._configuration.connected,
            metrics=self._api_metrics(name),
            owned=lambda: self._deps.owns(partition_of(name, connector.partitions)),
        )

    def _api_metrics(self, name: str) -> ApiMetrics:
        metrics, system = self._connector.metrics, self._traits.system
        return ApiMetrics(
            partial(metrics.api_call, system),
            partial(metrics.api_limited, system),
            partial(metrics.api_remaining, system, name),
            partial(metrics.api_waited, system),
        )

    def _monitor_deps(self, name: str, settings: Callable[[], IntegrationSettings | None]) -> MonitorDeps:
        async def rederive() -> None:
            newest = self._configuration.settings_of(name)
            if newest is not None:
                await self._command(StateCommand(name, newest.connection, stage="pairs", kind="rederive"))

        return MonitorDeps(
            settings=settings,
            inquiry=lambda: self._configuration.inquiry(name),
            rederive=rederive,
            refusal=partial(self._configuration.trial_answer, name),
            elsewhere=lambda: self._configuration.descriptions_elsewhere(name),
        )

    async def _command(self, command: StateCommand) -> None:
        """Put work on the state of every partition."""
        for number in range(self._connector.partitions):
            await self._connector.publisher.send(STATE_COMMANDS, f"partition-{number}", command, number)


def _granting(opening: Opening) -> Granting:
    return Granting(opening.account, opening.options.get(CLIENT, ""), opening.secrets.get(GRANTED))


async def _not_kept(_: GrantedAccess) -> None:
    """Nobody renews a grant by an opening that was given no keeper."""
