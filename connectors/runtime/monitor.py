"""Monitors one connection: describes and provisions the system for its settings, notices that it is away or back."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from connectors.contract.errors import WAIT_CAPPED, ConnectorError, CredentialsRejected, Misconfigured, Retryable
from connectors.http.retry import CALLS, Tries
from connectors.inbound.run_requests import OwedRuns, request_run
from connectors.runtime.state_report import StateReport
from connectors.session.connection import status_after
from connectors.session.context import IntegrationContext
from connectors.session.wall import contained
from schemas.configuration import (
    UNDER_WAY,
    Description,
    Inquiry,
    IntegrationPart,
    IntegrationSettings,
    is_feed,
)
from schemas.topics import INTEGRATIONS

log = logging.getLogger(__name__)

DESCRIBE_S: Final = 600.0  # the greatest age of a description: an option may have been added since
PROBE_S: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits before each probe; they start anew once the system has worked for `STEADY_S`: some answer probes only."""
STEADY_S: Final = 60.0
DENIED_S: Final = (30.0, 60.0, 120.0, 300.0, 600.0)
"""How long an object type that may not be read or written is left alone, each time longer: what waits for a permission
that was granted a moment later does not wait for ten minutes."""
AGAIN_S: Final = 15.0
"""Rederive again after so long: receipts of patches parked just before may arrive after the first rederive, on
another topic."""
MOST_IN_VAIN: Final = 3
"""How often the system may answer a probe and then fail to be prepared for one revision: its apply is refused then."""
CLOCK_S: Final = 30.0  # how late a wrong clock of the system may be told: no event says that it went wrong
NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class MonitorDeps:
    """The parts that a monitor is given besides its connection."""

    settings: Callable[[], IntegrationSettings | None]  # those that the worker has taken over
    inquiry: Callable[[], Inquiry | None]  # the newest, unless it was answered
    rederive: Callable[[], Awaitable[None]]  # every pair of the integration is derived again
    refusal: Callable[[IntegrationSettings], Description | None]  # what the tables show as told of a step
    elsewhere: Callable[[], int]  # how often what the other systems say of their fields has changed


class ConnectionMonitor:
    """Watches one connection: prepares the system for its settings, probes it while it is away, rederives after."""

    def __init__(self, context: IntegrationContext, report: StateReport, deps: MonitorDeps) -> None:
        self._context = context
        self._connection = context.state
        self._setup = context.account.setup
        self._report = report
        self._deps = deps
        self._answered = ""
        self._checked = 0
        self._looked = 0  # the revision that was described, or could not be, while nobody waited for it
        self._describe_at = context.clock.monotonic() + DESCRIBE_S
        self._changed_at: int | None = None  # the revision in whose time a description changed
        self._was_active = False
        self._refusal: Description | None = None  # of the step of an apply for which the system was not made ready
        self._in_vain = (0, 0)  # a revision, and how often preparing for it was given up
        self._again_at = NEVER  # when the pairs are derived again once more
        self._owed = OwedRuns(context)
        self._lift_at = NEVER  # when what is denied is tried again
        self._lifts, self._lifted_at = 0, -NEVER  # how often it was, in a row, and when last
        self._denied_in = 0  # the renewal of the settings in which it was denied

    async def run(self) -> None:
        """Until the connection closes."""
        connection, clock = self._connection, self._context.clock
        probes, probed_at = 0, -STEADY_S
        # patches parked before a restart are derived again like those parked before an outage
        denied = self._report.state.denied
        self._was_active = connection.active and self._report.state.status == "ok" and not denied
        await self._owe(denied)
        while not connection.closing:
            version, renewals = connection.changes.version, connection.renewals
            if connection.works:
                await self._attempt(self._prepare)
                await self._answer()
            else:
                probes = 0 if clock.monotonic() - probed_at > STEADY_S else probes
                # publish before the probe, which may take long: a restart meanwhile must know the status
                await self._publish_status()
                await connection.changes.until(
                    lambda renewals=renewals: connection.renewals != renewals,  # type: ignore[misc]
                    PROBE_S[min(probes, len(PROBE_S) - 1)],
                )
                await self._attempt(self._probe)
                probes, probed_at = probes + 1, clock.monotonic()
            await self._lift_when_due()
            await self._derive_again()
            await self._sync_after_reconnect()
            # publish last: if we crash earlier, the next owner sees the old status and rederives
            await self._publish_status()
            if connection.works:
                due_s = min(self._describe_at, self._again_at, self._lift_at) - clock.monotonic()
                await connection.changes.wait_after(version, min(max(due_s, 0.0), CLOCK_S))

    async def _lift_when_due(self) -> None:
        """Try what is denied again ever later, or with new settings: pairs are derived, types read again."""
        connection, now = self._connection, self._context.clock.monotonic()
        if not connection.denied or connection.away:
            return
        if self._lift_at == NEVER:
            again = connection.renewals == self._denied_in and now - self._lifted_at < DENIED_S[-1]
            self._lifts = self._lifts + 1 if again else 0
            wait_s = DENIED_S[min(self._lifts, len(DENIED_S) - 1)]
            self._lift_at, self._denied_in = now + wait_s, connection.renewals
        elif now >= self._lift_at or connection.renewals != self._denied_in:
            denied = self._denied
            self._lift_at, self._lifted_at, self._was_active = NEVER, now, False
            connection.lift()
            await self._owe(denied)

    async def _owe(self, denied: Mapping[str, str]) -> None:
        """Ask for a full sync of each type whose changes could not be read meanwhile."""
        self._owed.begin_anew()
        for object_type, _, verb in (name.rpartition(".") for name in denied):
            if verb == "read" and not is_feed(object_type):  # a feed goes on where it was
                await self._owed.owe(object_type)

    @property
    def _denied(self) -> Mapping[str, str]:
        return {f"{object_type}.{verb}": why for (object_type, verb), why in self._connection.denied.items()}

    async def _derive_again(self) -> None:
        """Derive the pairs after an outage, a park or a changed description; after a park once more a while later.

        Where nothing was parked the second time would find live writes to do in the midst of a full sync's own.
        """
        connection, now = self._connection, self._context.clock.monotonic()
        if self._is_known():
            self._changed_at = None
        taken_over = self._changed_at is not None and connection.revision > self._changed_at
        if connection.away:
            self._again_at = NEVER
        elif connection.parked or taken_over or not self._was_active:
            was_parked = connection.parked
            connection.unpark()
            self._changed_at = None if taken_over else self._changed_at
            await self._deps.rederive()
            self._again_at = self._context.clock.monotonic() + AGAIN_S if was_parked else NEVER
        elif now >= self._again_at:
            await self._deps.rederive()
            self._again_at = NEVER
            if not connection.parked:
                await self._report.update(parked=False)
        self._was_active = not connection.away

    def _is_known(self) -> bool:
        """Whether the scheduler knows of a changed description, and no mapping changes by it.

        Otherwise the next apply would pass for the revision that takes it over, and derive all pairs, as live, ahead of
        the full sync that counts them.
        """
        settings = self._deps.settings()
        if self._changed_at is None or settings is None or settings.revision != self._changed_at:
            return False
        return settings.descriptions >= self._report.state.descriptions + self._deps.elsewhere()

    async def _sync_after_reconnect(self) -> None:
        """Whoever has connected again after the credentials were refused gets a full sync: webhooks may be lost.

        Where nothing is mapped yet there is nothing to read.
        """
        context, settings = self._context, self._deps.settings()
        mapped = settings is None or settings.section(context.system).fields
        if mapped and self._connection.works and self._report.state.status == "needs_reconnect":
            await request_run(context.send, context.integration, context.now_ms(), "reconnect")

    def describe_again(self) -> None:
        """The descriptions of the fields may be old: ask the system soon."""
        self._describe_at = self._context.clock.monotonic()
        self._connection.changes.bump()

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        if self._connection.closing:
            return  # the settings may be those of other credentials by now
        settings, tries = self._deps.settings(), Tries()
        # the status holds for these settings, not for those that an apply brings meanwhile
        self._checked = settings.revision if settings is not None else 0
        while True:
            try:
                return await contained(work())
            except Retryable as error:
                tries = tries.after(error, self._context.clock.monotonic())
                wait_s = CALLS.wait_s(error, tries, self._context.uniform)
                if wait_s is None or not self._connection.works:
                    return self._connection.fail(self._last_try(error))
            except ConnectorError as error:
                if settings is not None and _is_of_the_request(error, settings) and self._connection.works:
                    return await self._refuse(settings, error)
                return self._connection.fail(self._last_try(error))
            await self._context.clock.sleep(wait_s)

    async def _refuse(self, settings: IntegrationSettings, error: ConnectorError) -> None:
        """The system is not made ready for what an apply asks for; what is in force goes on, and has nothing to do.

        Told as of a trial, for the status is that of what is in force.
        """
        context = self._context
        log.warning("%s: %s is not ready for the newest file: %s", context.integration, context.system, error)
        self._refusal = Description(settings.tried, error.reason)
        await self._tell(self._refusal)

    async def _tell(self, refusal: Description) -> None:
        context = self._context
        part = IntegrationPart(context.integration, description=refusal)
        await context.publish(INTEGRATIONS, f"{context.integration}/{context.system}/trial", part)

    def _last_try(self, error: ConnectorError) -> ConnectorError:
        """The error, or one that refuses the apply: a system that answers probes and never is ready is no outage."""
        if not self._connection.works or status_after(error) != "unavailable":
            return error
        revision, times = self._in_vain
        self._in_vain = (self._checked, times + 1 if revision == self._checked else 1)
        return error if self._in_vain[1] < MOST_IN_VAIN else Misconfigured(error.reason, status=error.status)

    async def _probe(self) -> None:
        await self._setup.probe()
        self._connection.recover()

    async def _prepare(self) -> None:
        now = self._context.clock.monotonic()
        look_again = now >= self._describe_at
        if look_again:
            self._describe_at = now + DESCRIBE_S
        settings, reported = self._deps.settings(), self._report.state
        if settings is None or settings.state == "disconnected":
            return
        if self._refusal is not None and settings.tried == self._refusal.inquiry_id:
            if settings.apply_state in UNDER_WAY and self._deps.refusal(settings) != self._refusal:
                await self._tell(self._refusal)  # another's answer, to another step, took its place
            return
        behind = reported.described_revision < settings.revision
        if behind and settings.apply_state in UNDER_WAY and settings.trial is None:
            await self._describe(settings)
        elif look_again or (behind and self._looked < settings.revision):
            self._looked = settings.revision
            await self._look_again(settings)
        asked = settings.apply_state == "provisioning" and settings.trial is None
        if asked and reported.provisioned_revision < settings.revision:
            creates = self._context.traits.creates_fields
            create, events = (settings.create, settings.events) if creates else ((), ())
            fields = settings.section(self._context.system).fields
            provisioned = await self._setup.provision(fields, create, events)
            await self._report.keep_provisioned(settings.revision, provisioned.webhook_secret, create)

    async def _describe(self, settings: IntegrationSettings) -> None:
        """Report the system's description of the fields; where it changed in force, the pairs are derived again."""
        said = await self._setup.describe(settings.section(self._context.system).fields)
        before = self._report.state
        state = replace(before, fields=tuple(said.fields), types=tuple(said.types), events=tuple(said.events))
        changed = state != before
        if changed and settings.describes_what_is_in_force:
            self._changed_at = settings.revision
        await self._report.update(
            fields=state.fields,
            types=state.types,
            events=state.events,
            descriptions=before.descriptions + changed,
            described_revision=settings.revision,
        )

    async def _look_again(self, settings: IntegrationSettings) -> None:
        """Describe although nobody waits for it: a failure says nothing about the connection."""
        try:
            await contained(self._describe(settings))
        except ConnectorError as error:
            log.info(
                "%s: the fields of %s could not be described again: %s",
                self._context.integration,
                self._context.system,
                error,
            )

    async def _answer(self) -> None:
        """Answer a plan's inquiry; an error is an answer too, and says nothing about the connection."""
        inquiry = self._deps.inquiry()
        if inquiry is None or inquiry.inquiry_id == self._answered:
            return
        try:
            described = await contained(self._setup.describe(inquiry.fields(self._context.system)))
        except ConnectorError as error:
            answer = Description(inquiry.inquiry_id, error.reason)
        else:
            webhooks = await self._subscribed(inquiry) if inquiry.webhooks else None
            fields, events, types = tuple(described.fields), tuple(described.events), tuple(described.types)
            answer = Description(inquiry.inquiry_id, None, fields, events, types, webhooks)
        part = IntegrationPart(self._context.integration, description=answer)
        await self._context.publish(
            INTEGRATIONS, f"{self._context.integration}/{self._context.system}/description", part
        )
        self._answered = inquiry.inquiry_id

    async def _subscribed(self, inquiry: Inquiry) -> str | None:
        """How the system's webhook subscription stands, or why that is not known."""
        try:
            return await contained(self._setup.subscribed(inquiry.fields(self._context.system)))
        except ConnectorError as error:
            return error.reason

    async def _publish_status(self) -> None:
        connection = self._connection
        await self._report.update(
            status=connection.status,
            reason=WAIT_CAPPED if connection.works and self._context.account.capping() else connection.reason,
            denied=self._denied,
            checked_revision=self._checked,
            clock_ahead_ms=self._context.account.ahead_ms(),
        )


def _is_of_the_request(error: ConnectorError, settings: IntegrationSettings) -> bool:
    """Whether an error says something of what an apply asks for, and nothing of what is in force meanwhile."""
    asks = settings.apply_state in UNDER_WAY and settings.trial is None and settings.active_revision > 0
    return asks and not isinstance(error, CredentialsRejected)
