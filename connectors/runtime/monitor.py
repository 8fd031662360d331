"""Keeps one integration's system ready: describes and provisions it for a mapping, notices that it is away or back."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from connectors.clock import set_within
from connectors.contract.account import Account
from connectors.contract.errors import ConnectorError, Retryable
from connectors.http.retry import Tries
from connectors.session.context import POLICY, IntegrationContext, status_after
from schemas.configuration import (
    GRANT,
    SIGNING,
    ConnectorState,
    Description,
    Inquiry,
    IntegrationPart,
    IntegrationSettings,
)
from schemas.topics import INTEGRATIONS

log = logging.getLogger(__name__)

CHECK_S: Final = 30.0
DESCRIBE_S: Final = 600.0  # how old what is known of the fields may become: an option may have been added
PROBE_S: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""How long it waits before each probe, until the system has worked for a while: some answer probes and nothing else."""
STEADY_S: Final = 60.0
AGAIN_S: Final = 15.0
"""How long after a rederive it is repeated: no topic orders it with the receipts of what was parked just before."""
NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class MonitorDeps:
    """What the monitor needs from outside."""

    settings: Callable[[], IntegrationSettings | None]
    inquiry: Callable[[], Inquiry | None]  # the newest, unless it was answered
    seal: Callable[[str, str], bytes]  # a text, and the name of the secret
    rederive: Callable[[], Awaitable[None]]  # every pair of the integration is derived again


def kept_state(state: ConnectorState | None, connection: int) -> ConnectorState:
    """What was told last, if it is of this connection: of an earlier one only the secrets the system gave are left."""
    if state is not None and state.connection == connection:
        return state
    fresh = ConnectorState(connection, 0, 0, "ok")
    return fresh if state is None else replace(fresh, grant=state.grant, webhook_secret=state.webhook_secret)


def unopened_state(
    state: ConnectorState | None, settings: IntegrationSettings, error: ConnectorError
) -> ConnectorState:
    """What there is to tell of a system without a monitor: the credentials of these settings do not open it."""
    kept = kept_state(state, settings.connection)
    return replace(kept, status=status_after(error), reason=error.reason, checked_revision=settings.revision)


class ConnectionMonitor:
    """The only writer of the integration's ConnectorState for this system."""

    def __init__(
        self, context: IntegrationContext, account: Account, state: ConnectorState | None, deps: MonitorDeps
    ) -> None:
        self._context = context
        self._account = account
        self._keep = deps
        self._answered = ""
        self._checked = 0
        self._describe_at = context.clock.monotonic() + DESCRIBE_S
        self._changed_at: int | None = None  # the revision in whose time a description changed
        self._was_active = False
        self._again_at = NEVER  # when the pairs are derived again once more
        self._state = kept_state(state, context.connection)
        context.parked, context.keep_parked = self._state.parked, self._keep_parked

    async def run(self) -> None:
        """Until cancelled."""
        probes, recovered_at = 0, -STEADY_S
        # what was parked before a restart is derived again like what was parked before an outage
        self._was_active = self._context.active and self._state.status == "ok"
        while True:
            self._context.changed.clear()
            self._context.renewed.clear()
            if self._context.works:
                if self._context.clock.monotonic() - recovered_at > STEADY_S:
                    probes = 0
                await self._attempt(self._prepare)
                await self._answer()
            else:
                # told before the probe, which may take long: a restart meanwhile must know what was parked
                await self._publish_status()
                await set_within(self._context.renewed, PROBE_S[min(probes, len(PROBE_S) - 1)])
                await self._attempt(self._probe)
                probes += 1
                recovered_at = self._context.clock.monotonic()
            await self._derive_again()
            # the last of all: who restarts before it derives again
            await self._publish_status()
            if self._context.works:
                wait_s = min(CHECK_S, max(self._again_at - self._context.clock.monotonic(), 0.0))
                await set_within(self._context.changed, wait_s)

    async def _derive_again(self) -> None:
        """Where it is back, or something was parked or taken over; and once more a while later."""
        context = self._context
        taken_over = self._changed_at is not None and context.revision > self._changed_at
        if context.away:
            self._again_at = NEVER
        elif context.parked or taken_over or not self._was_active:
            context.parked, self._changed_at = False, None if taken_over else self._changed_at
            await self._keep.rederive()
            self._again_at = context.clock.monotonic() + AGAIN_S
        elif context.clock.monotonic() >= self._again_at:
            await self._keep.rederive()
            self._again_at = NEVER
            if self._state.parked and not context.parked:
                await self._publish(replace(self._state, parked=False))
        self._was_active = not context.away

    def describe_again(self) -> None:
        """What is known of the fields may be old: ask the system soon."""
        self._describe_at = self._context.clock.monotonic()
        self._context.changed.set()

    async def keep_grant(self, refresh_token: str) -> None:
        """Store a new refresh token before it is used."""
        await self._publish(replace(self._state, grant=self._keep.seal(refresh_token, GRANT)))

    async def _keep_parked(self) -> None:
        """Tell that something is parked, for whoever owns the integration when it is to be derived again."""
        if not self._state.parked:
            await self._publish(replace(self._state, parked=True))

    async def keep_crawled(self, object_type: str) -> None:
        """Tell that every object of the type was shown under this connection."""
        if object_type not in self._state.crawled:
            await self._publish(replace(self._state, crawled=(*self._state.crawled, object_type)))

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        settings, tries = self._keep.settings(), Tries()
        # what the status says holds for these settings, not for those that somebody brings meanwhile
        self._checked = settings.revision if settings is not None else 0
        while True:
            try:
                return await work()
            except Retryable as error:
                tries = tries.after(error)
                wait_s = POLICY.wait_s(error, tries, self._context.uniform)
                if wait_s is None or not self._context.works:
                    return self._context.fail(error)
            except ConnectorError as error:
                return self._context.fail(error)
            await self._context.clock.sleep(wait_s)

    async def _probe(self) -> None:
        await self._account.setup.probe()
        self._context.recover()

    async def _prepare(self) -> None:
        settings = self._keep.settings()
        if settings is None or settings.state == "disconnected":
            return
        if self._state.described_revision < settings.revision:
            await self._describe(settings)
        elif self._context.clock.monotonic() >= self._describe_at:
            await self._look_again(settings)
        provisioning = settings.apply_state == "provisioning"
        if provisioning and self._state.provisioned_revision < settings.revision:
            creates = self._context.traits.creates_fields
            create, events = (settings.create, settings.events) if creates else ((), ())
            object_types = tuple(settings.section(self._context.system).fields)
            provisioned = await self._account.setup.provision(object_types, create, events)
            secret = provisioned.webhook_secret
            sealed = self._keep.seal(secret, SIGNING) if secret is not None else self._state.webhook_secret
            await self._publish(replace(self._state, provisioned_revision=settings.revision, webhook_secret=sealed))

    async def _describe(self, settings: IntegrationSettings) -> None:
        """Tell what the system says of the fields; where that changed in force, the pairs are derived again with it."""
        told = await self._account.setup.describe(settings.section(self._context.system).fields)
        state = replace(self._state, fields=tuple(told.fields), types=tuple(told.types), events=tuple(told.events))
        if state != self._state:
            state = replace(state, descriptions=state.descriptions + 1)
            self._changed_at = settings.revision if settings.apply_state == "done" else self._changed_at
        state = replace(state, described_revision=settings.revision)
        if state != self._state:
            await self._publish(state)

    async def _look_again(self, settings: IntegrationSettings) -> None:
        """Nobody waits for it: where it fails, it is no sign of how the system is."""
        self._describe_at = self._context.clock.monotonic() + DESCRIBE_S
        try:
            await self._describe(settings)
        except ConnectorError as error:
            log.info(
                "%s: what %s says of its fields is not known anew: %s",
                self._context.integration,
                self._context.system,
                error,
            )

    async def _answer(self) -> None:
        """Tell somebody who only wants to know: whatever goes wrong is the answer, and no sign of how the system is."""
        inquiry = self._keep.inquiry()
        if inquiry is None or inquiry.inquiry_id == self._answered:
            return
        try:
            told = await self._account.setup.describe(inquiry.fields(self._context.system))
        except ConnectorError as error:
            answer = Description(inquiry.inquiry_id, error.reason)
        else:
            answer = Description(inquiry.inquiry_id, None, tuple(told.fields), tuple(told.events), tuple(told.types))
        part = IntegrationPart(self._context.integration, description=answer)
        await self._context.publish(
            INTEGRATIONS, f"{self._context.integration}/{self._context.system}/description", part
        )
        self._answered = inquiry.inquiry_id

    async def _publish_status(self) -> None:
        now = (self._context.status, self._context.reason, self._checked)
        if (self._state.status, self._state.reason, self._state.checked_revision) != now:
            await self._publish(
                replace(
                    self._state,
                    status=self._context.status,
                    reason=self._context.reason,
                    checked_revision=self._checked,
                )
            )

    async def _publish(self, state: ConnectorState) -> None:
        self._state = state
        part = IntegrationPart(self._context.integration, connector=state)
        await self._context.publish(INTEGRATIONS, f"{self._context.integration}/{self._context.system}", part)
