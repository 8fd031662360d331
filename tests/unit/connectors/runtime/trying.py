"""A running integration beside which something is tried, and a vendor that notes how it is opened."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from connectors.contract.account import Opening
from connectors.contract.consent import GrantedAccess
from connectors.contract.errors import CredentialsRejected, Transient
from connectors.contract.setup import SystemDescription
from schemas.configuration import (
    NOT_GRANTED,
    Description,
    IntegrationPart,
    IntegrationSettings,
    KeptGrant,
    Sections,
    SystemSettings,
)
from schemas.topics import INTEGRATIONS
from tests.unit.connectors.runtime.runners import WELL, Vendor, settings_part
from tests.unit.connectors.runtime.running import Member, Running, failures, running, until

TRIAL, GRANT, TRIAL_GRANT = (f"{WELL}/userflow/{key}" for key in ("trial", "grant", "trial-grant"))


@dataclass(frozen=True)
class Opened:
    """An account as it was opened: by what, and whether a worker could run beside it."""

    key: str
    token: str | None
    alone: bool


class TriedVendor(Vendor):
    """Notes how it is opened; refuses a key, and a refresh token, and gives a new one for every other."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: list[Opened] = []
        self.holds: Callable[[], bool] = lambda: False
        self.refused = {"typo", "revoked"}
        self.rotates = False
        self.breaks = 0  # how often asking fails for now
        self._opening: Opening | None = None
        self._now = Opened("", None, alone=False)

    def opened(self, opening: Opening) -> None:
        self._opening = opening
        token = opening.secrets.get("refresh_token")
        if "client_id" in opening.options and token is None:
            raise CredentialsRejected(NOT_GRANTED)
        self._now = Opened(opening.secrets["api_key"], token, self.holds())
        self.accounts.append(self._now)

    async def probe(self) -> None:
        if self.breaks:
            self.breaks -= 1
            raise Transient("http_503")
        if self._now.key in self.refused:
            raise CredentialsRejected("unauthorized")
        if self._now.token in self.refused:
            raise CredentialsRejected("grant_rejected")
        if self.rotates and self._opening is not None and self._now.token is not None:
            await self._opening.store_grant(GrantedAccess(f"after {self._now.token}", WELL))

    async def describe(self, wanted: object) -> SystemDescription:
        return SystemDescription()


def section(key: str = "key", **options: str) -> SystemSettings:
    return SystemSettings(WELL, options, {"api_key": key.encode()})


@dataclass
class Trying:
    """A running integration, and what is tried beside it."""

    it: Running
    vendor: TriedVendor

    def put(self, key: str, part: IntegrationPart) -> None:
        self.it.tables.tables[INTEGRATIONS][key] = part
        self.it.runner.configuration_changed()

    async def begin(self, in_force: SystemSettings) -> None:
        """The worker of what is in force is open."""
        settings = settings_part(WELL).settings
        assert settings is not None
        self.put(f"{WELL}/settings", IntegrationPart(WELL, settings=replace(settings, userflow=in_force)))
        await until(lambda: WELL in self.it.runner._workers and self.it.runner._fits(WELL, self.settings))
        self.vendor.holds = lambda: self.it.runner._exclusive.holds(WELL)
        self.vendor.accounts.clear()

    @property
    def settings(self) -> IntegrationSettings:
        part = self.it.tables.tables[INTEGRATIONS][f"{WELL}/settings"]
        assert part.settings is not None
        found: IntegrationSettings = part.settings
        return found

    def tries(self, tried: SystemSettings, apply_id: str = "b") -> None:
        settings = replace(self.settings, apply_id=apply_id, apply_state="proving", trial=Sections("", tried, tried))
        self.put(f"{WELL}/settings", IntegrationPart(WELL, settings=settings))

    async def answers(self, many: int = 1) -> list[Description]:
        """What was told of trials, put into the tables as the brokers do."""
        await until(lambda: len(self.told()) >= many)
        told = self.told()
        self.put(TRIAL, IntegrationPart(WELL, description=told[-1]))
        await asyncio.sleep(0.05)
        return self.told()

    def told(self) -> list[Description]:
        return [part.description for _, key, part in self.it.publisher.sent if key == TRIAL]

    def granted(self, key: str) -> list[KeptGrant]:
        return [part.grant for _, sent_to, part in self.it.publisher.sent if sent_to == key]


@asynccontextmanager
async def trying_with(members: list[Member], vendor: TriedVendor) -> AsyncIterator[Trying]:
    """One integration of that vendor; nothing fails, and no process ends."""
    async with running(members, {WELL: vendor}) as it:
        yield Trying(it, vendor)
        assert failures(it) == []
        assert it.stops == []
