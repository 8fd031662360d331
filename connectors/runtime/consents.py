"""Takes what people grant in a browser: exchanges the code, keeps the grant, and answers who waits for it.

The order of effects, and what a crash between two of them costs: the code is exchanged (from here on it is spent: who
does it again is refused, and a new link is needed), the grant is kept (it counts, and names its link, so that doing it
again finds it), a full sync is asked for, the link is answered. Only then is the record finished.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from connectors.clock import Clock
from connectors.contract.consent import ConsentCode, GrantedAccess
from connectors.contract.errors import ConnectorError, CredentialsRejected, Refused, Retryable
from connectors.contract.sink import OwnershipLost
from connectors.http.retry import RetryPolicy, Uniform, retrying
from connectors.kafka.consumer import Taken
from connectors.runtime.configuration import ConnectorConfiguration
from connectors.runtime.exclusive import Exclusive
from connectors.runtime.grants import GRANT_KEYS, GrantKey
from connectors.runtime.opening import IN_FORCE, TRIAL_GRANT, IntegrationOpener
from connectors.session.wall import contained
from schemas.configuration import ConnectAnswer, ConnectLink, IntegrationSettings, SystemSettings
from schemas.records import ConnectorRequest, Consent

log = logging.getLogger(__name__)

EXCHANGES: Final = RetryPolicy(attempts=4, base_s=0.3, cap_s=2.0, patience_s=5.0, total_s=15.0)
"""Somebody looks at a page meanwhile, and the code does not live long."""
DISCONNECTED: Final = "disconnected"
SEEN_S: Final = 10.0  # how far this process's view of the configuration may lag behind a record, or its own
LOOK_EVERY_S: Final = 0.02
GIVEN_UP_WITHIN_MS: Final = 700
"""No request leaves for an integration a second after somebody has disconnected it."""
TOO_LATE: Final = "the integration was disconnected before"
NO_ANSWER: Final = "no answer in time"
GIVEN_BACK_S: Final = 8.0  # how long a partition that is taken away waits for a consent under way


@dataclass(frozen=True, slots=True)
class ConsentHooks:
    """The parts that the runner gives."""

    ours: Callable[[str], bool]  # whether the integration's partition is this process's
    owns: Callable[[str], bool]  # the same, asked of a process that may have slept
    exclusive: Exclusive
    reconnected: Callable[[str], Awaitable[None]]  # what happened meanwhile was not heard of: ask for a full sync
    failed: Callable[[BaseException], None]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What somebody grants access for, and where that is kept."""

    settings: IntegrationSettings
    section: SystemSettings
    key: GrantKey


class Consents:
    """The consents of one system's integrations; those of one integration are taken one after the other."""

    def __init__(
        self,
        configuration: ConnectorConfiguration,
        opener: IntegrationOpener,
        clock: Clock,
        uniform: Uniform,
        hooks: ConsentHooks,
    ) -> None:
        self._configuration = configuration
        self._opener = opener
        self._clock = clock
        self._uniform = uniform
        self._hooks = hooks
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}

    def take(self, taken: Taken, record: ConnectorRequest) -> None:
        """Begin; the record is finished once the link is answered."""
        task = asyncio.create_task(self._take(taken, record))
        self._tasks[task] = record.integration
        task.add_done_callback(self._ended)

    async def given_back(self, names: Collection[str]) -> None:
        """Wait for those under way: a code that is exchanged and whose grant is not kept is lost."""
        tasks = [task for task, name in self._tasks.items() if name in names]
        if tasks:
            await asyncio.wait(tasks, timeout=GIVEN_BACK_S)

    def under_way(self) -> Collection[str]:
        """The integrations with a consent under way."""
        return frozenset(self._tasks.values())

    async def _take(self, taken: Taken, record: ConnectorRequest) -> None:
        name, consent = record.integration, record.consent
        async with self._locks.setdefault(name, asyncio.Lock()):
            while not self._hooks.owns(name):
                if not self._hooks.ours(name):
                    return  # the next owner takes it, with a code that nobody has spent
                await self._clock.sleep(LOOK_EVERY_S)
            if consent is not None:
                await self._answered(name, consent)
            taken.finished()

    async def _answered(self, name: str, consent: Consent) -> None:
        """Answer the link, unless it is answered, or is no more. From here on it is done to the end."""
        await self._opener.read_to_end()  # a former owner may have kept the grant just now: its code is spent
        link, settings = await self._link(name, consent.link), self._configuration.settings_of(name)
        known = self._configuration.consent(name)
        if link is None or settings is None or (known is not None and known.link == consent.link):
            log.info("%s: somebody came back by a link that is answered, or is no more", name)
            return
        try:
            answer = await contained(self._granted(name, settings, link, consent))
        except ConnectorError as error:
            log.warning("%s: a grant was not taken: %s", name, error)
            answer = ConnectAnswer(link.link, _reason(error))
        answer = replace(answer, answered_at_ms=self._opener.now_ms())
        await self._opener.publish_answer(name, answer)
        await self._seen(lambda: self._configuration.consent(name) == answer)

    async def _granted(
        self, name: str, settings: IntegrationSettings, link: ConnectLink, consent: Consent
    ) -> ConnectAnswer:
        """What came of it, for what is on trial and waits for it, else for what is in force. Raises ConnectorError."""
        asking, there = self._configuration.to_connect(name, settings), self._kept_by(name, link)
        section, key = asking.section(self._opener.system), IN_FORCE if asking is settings else TRIAL_GRANT
        wanted = _Wanted(settings, section, key)
        if there is not None:  # a former owner died after it had kept the grant
            key, access = there
        elif consent.code is None:
            return ConnectAnswer(link.link, consent.refusal or "declined")
        elif self._disconnected(name):
            return ConnectAnswer(link.link, DISCONNECTED)
        else:
            access = await self._exchanged(name, wanted, consent.code)
            if self._disconnected(name):
                await self._given_back(name, wanted, access)
                return ConnectAnswer(link.link, DISCONNECTED)
            if access.account != section.account:
                return ConnectAnswer(link.link, "wrong_account", access.account or "", access.scopes)
            if not self._disconnected(name):
                await self._kept(name, wanted, link.link, access)
        if self._disconnected(name):  # meanwhile: what was kept is forgotten with the rest of the connection
            return ConnectAnswer(link.link, DISCONNECTED)
        if settings.active_revision and key == IN_FORCE:  # what goes on meanwhile has missed nothing
            await self._hooks.reconnected(name)
        return ConnectAnswer(link.link, None, access.account or "", access.scopes)

    def _kept_by(self, name: str, link: ConnectLink) -> tuple[GrantKey, GrantedAccess] | None:
        """What was kept by this link already, and where."""
        kept = self._configuration.grants(name)
        for key in GRANT_KEYS:
            if key in kept and kept[key].link == link.link:
                return key, GrantedAccess("", kept[key].account, kept[key].scopes)
        return None

    def _disconnected(self, name: str) -> bool:
        """Whether somebody disconnected the integration: no request may leave for it, and no grant is kept."""
        settings = self._configuration.settings_of(name)
        return settings is None or settings.state == "disconnected"

    async def _exchanged(self, name: str, wanted: _Wanted, sealed: bytes) -> GrantedAccess:
        code = ConsentCode.of_text(self._opener.opened_code(name, sealed))

        async def exchange() -> GrantedAccess:
            try:
                return await self._opener.exchange(name, wanted.settings, wanted.section, code)
            except OwnershipLost:
                raise Refused(DISCONNECTED) from None

        return await retrying(exchange, EXCHANGES, self._clock, self._uniform)

    async def _given_back(self, name: str, wanted: _Wanted, access: GrantedAccess) -> None:
        """Nobody keeps it: it is given up at once, or not at all where the end was asked for a second ago."""
        try:
            if self._opener.now_ms() - self._configuration.asked_at_ms(name) > GIVEN_UP_WITHIN_MS:
                raise OwnershipLost(TOO_LATE)
            async with asyncio.timeout(GIVEN_UP_WITHIN_MS / 1000):
                await contained(self._opener.give_back(name, wanted.settings, wanted.section, access))
        except (ConnectorError, OwnershipLost, TimeoutError) as error:
            log.warning("%s: a grant that nobody keeps was not given up: %s", name, str(error) or NO_ANSWER)

    async def _kept(self, name: str, wanted: _Wanted, link: str, access: GrantedAccess) -> None:
        """No worker renews meanwhile: its token, stored later, would take the place of the new one.

        It goes on where the access is for what is on trial, unless what it lives by stands where that is kept.
        """
        if wanted.key == TRIAL_GRANT and self._opener.is_settled(name, wanted.settings):
            return await self._keep(name, wanted, link, access)
        async with self._hooks.exclusive.of(name):
            if wanted.key == TRIAL_GRANT:
                await self._opener.settle(name, wanted.settings)
            await self._keep(name, wanted, link, access)

    async def _keep(self, name: str, wanted: _Wanted, link: str, access: GrantedAccess) -> None:
        grant = await self._opener.keep_grant(name, wanted.section, wanted.key, link, access)
        await self._seen(lambda: self._configuration.grant(name, wanted.key) == grant)

    async def _link(self, name: str, wanted: str) -> ConnectLink | None:
        """The integration's newest link, if that is the one; this process may read of it later than the receiver."""

        def there() -> bool:
            link = self._configuration.link(name)
            return link is not None and link.link == wanted

        await self._seen(there)
        return self._configuration.link(name) if there() else None

    async def _seen(self, there: Callable[[], bool]) -> None:
        """Wait until the tables show it, or long enough."""
        deadline = self._clock.monotonic() + SEEN_S
        while not there() and self._clock.monotonic() < deadline:
            await self._clock.sleep(LOOK_EVERY_S)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._hooks.failed(error)


def _reason(error: ConnectorError) -> str:
    """Why there is no grant; a code is refused by the same error as a refresh token."""
    if isinstance(error, CredentialsRejected):
        return "code_rejected"
    return "unavailable" if isinstance(error, Retryable) else error.reason
