"""What an apply asks for is tried beside the account in force, which goes on; no two spend one refresh token."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

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
from tests.unit.connectors.runtime.running import Member, Running, failures, running, taken, until

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
        await until(lambda: len(self._told()) >= many)
        told = self._told()
        self.put(TRIAL, IntegrationPart(WELL, description=told[-1]))
        await asyncio.sleep(0.05)
        return self._told()

    def _told(self) -> list[Description]:
        return [part.description for _, key, part in self.it.publisher.sent if key == TRIAL]

    def granted(self, key: str) -> list[KeptGrant]:
        return [part.grant for _, sent_to, part in self.it.publisher.sent if sent_to == key]


@pytest.fixture
async def trying(members: list[Member]) -> Any:
    vendor = TriedVendor()
    async with running(members, {WELL: vendor}) as it:
        yield Trying(it, vendor)
        assert failures(it) == []
        assert it.stops == []


async def test_a_wrong_key_of_the_same_account_is_refused_and_its_worker_writes_on(trying: Trying) -> None:
    await trying.begin(section())
    worker = trying.it.runner._workers[WELL]
    trying.tries(section("typo"))
    assert [one.reason for one in await trying.answers()] == ["unauthorized"]
    assert trying.vendor.accounts == [Opened("typo", None, alone=False)]
    assert trying.it.runner._workers[WELL] is worker
    trying.it.member.hooks.taken([taken(WELL, 0)])
    await until(lambda: "user-0" in trying.vendor.written)
    told = [part.connector for part in trying.it.publisher.of(INTEGRATIONS) if part.connector is not None]
    assert {(state.status, state.parked) for state in told} == {("ok", False)}


async def test_a_system_whose_credentials_stay_is_asked_by_the_account_that_is_open(trying: Trying) -> None:
    await trying.begin(section())
    trying.tries(section())
    (answer,) = await trying.answers()
    assert (answer.inquiry_id, answer.reason) == (trying.settings.tried, None)
    assert trying.vendor.accounts == []


async def test_a_system_that_is_away_for_a_moment_is_asked_again(trying: Trying) -> None:
    await trying.begin(section())
    trying.vendor.breaks = 1
    trying.tries(section("new"))
    assert [one.reason for one in await trying.answers()] == [None]


async def test_access_that_nobody_has_granted_is_told_once_and_asked_for_again_when_it_is_there(
    trying: Trying,
) -> None:
    await trying.begin(section())
    trying.tries(section(client_id="app"))
    assert [one.reason for one in await trying.answers()] == [NOT_GRANTED]
    trying.it.runner.configuration_changed()
    await asyncio.sleep(0.05)
    assert len(trying._told()) == 1
    trying.put(TRIAL_GRANT, IntegrationPart(WELL, grant=KeptGrant(WELL, b"granted", client="app")))
    assert [one.reason for one in await trying.answers(2)] == [NOT_GRANTED, None]
    assert trying.vendor.accounts == [Opened("key", "granted", alone=False)]


async def test_a_connector_that_starts_while_access_is_waited_for_asks_once_more_and_tells_nothing_twice(
    trying: Trying,
) -> None:
    await trying.begin(section())
    asked = section(client_id="app")
    settings = replace(trying.settings, apply_id="b", apply_state="proving", trial=Sections("", asked, asked))
    told = Description(settings.tried, NOT_GRANTED)
    trying.it.tables.tables[INTEGRATIONS][TRIAL] = IntegrationPart(WELL, description=told)  # by the owner before
    trying.tries(asked)
    await until(lambda: WELL in trying.it.runner._trials._told)
    assert trying._told() == []
    trying.put(TRIAL_GRANT, IntegrationPart(WELL, grant=KeptGrant(WELL, b"granted", client="app")))
    assert [one.reason for one in await trying.answers()] == [None]


async def test_kept_access_that_is_revoked_is_waited_for_anew_unless_the_file_names_another(trying: Trying) -> None:
    await trying.begin(section())
    trying.put(GRANT, IntegrationPart(WELL, grant=KeptGrant(WELL, b"revoked", client="app")))
    trying.tries(section(client_id="app"))
    assert [one.reason for one in await trying.answers()] == [NOT_GRANTED]
    with_token = section(client_id="app")
    trying.tries(replace(with_token, secrets={**with_token.secrets, "refresh_token": b"revoked"}), "c")
    assert [one.reason for one in await trying.answers(2)] == [NOT_GRANTED, "grant_rejected"]


async def test_the_app_in_force_is_tried_while_no_worker_runs_and_its_next_token_is_that_of_both(
    trying: Trying,
) -> None:
    """Each renewal may spend the token before: an account beside it would end the access in force."""
    trying.put(GRANT, IntegrationPart(WELL, grant=KeptGrant(WELL, b"first", client="app", granted_at_ms=1)))
    await trying.begin(section(client_id="app"))
    trying.vendor.rotates = True
    trying.tries(section("new", client_id="app"))
    assert [one.reason for one in await trying.answers()] == [None]
    assert trying.vendor.accounts[0] == Opened("new", "first", alone=True)
    assert [grant.refresh_token for grant in trying.granted(GRANT)][:1] == [b"after first"]
    assert trying.granted(TRIAL_GRANT) == []
    await until(lambda: WELL in trying.it.runner._workers)


async def test_another_app_keeps_its_tokens_apart(trying: Trying) -> None:
    trying.put(GRANT, IntegrationPart(WELL, grant=KeptGrant(WELL, b"first", client="app")))
    trying.put(TRIAL_GRANT, IntegrationPart(WELL, grant=KeptGrant(WELL, b"other", client="other app")))
    await trying.begin(section(client_id="app"))
    trying.vendor.rotates = True
    trying.tries(section(client_id="other app"))
    assert [one.reason for one in await trying.answers()] == [None]
    assert trying.vendor.accounts == [Opened("key", "other", alone=False)]
    assert [grant.refresh_token for grant in trying.granted(TRIAL_GRANT)] == [b"after other"]
    assert trying.granted(GRANT) == []


async def test_a_grant_that_came_into_force_by_a_trial_is_put_where_the_next_trial_does_not_write(
    trying: Trying,
) -> None:
    in_force = KeptGrant(WELL, b"other", client="other app", granted_at_ms=2)
    trying.put(GRANT, IntegrationPart(WELL, grant=KeptGrant(WELL, b"first", client="app", granted_at_ms=1)))
    trying.put(TRIAL_GRANT, IntegrationPart(WELL, grant=in_force))
    await trying.begin(section(client_id="other app"))
    trying.tries(section(client_id="third app"))
    assert [one.reason for one in await trying.answers()] == [NOT_GRANTED]
    assert trying.granted(GRANT) == [in_force]
