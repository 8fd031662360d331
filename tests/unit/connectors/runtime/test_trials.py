"""What an apply asks for is tried beside the account in force, which goes on; no two spend one refresh token."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from connectors.contract.errors import Transient
from schemas.configuration import NOT_GRANTED, Description, IntegrationPart, KeptGrant, Sections
from schemas.topics import INTEGRATIONS
from tests.unit.connectors.runtime.runners import WELL
from tests.unit.connectors.runtime.running import Member, taken, until
from tests.unit.connectors.runtime.trying import (
    GRANT,
    TRIAL,
    TRIAL_GRANT,
    Opened,
    TriedVendor,
    Trying,
    section,
    trying_with,
)


@pytest.fixture
async def trying(members: list[Member]) -> Any:
    async with trying_with(members, TriedVendor()) as it:
        yield it


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
    assert len(trying.told()) == 1
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
    assert trying.told() == []
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


async def test_credentials_in_force_that_are_refused_say_nothing_of_settings_that_no_worker_has_taken_over(
    trying: Trying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read straight from the tables, the newest settings were blamed for what those before them were refused."""
    await trying.begin(section())
    worker = trying.it.runner._workers[WELL]
    await until(lambda: worker.settings == trying.settings)
    monkeypatch.setattr(trying.it.runner, "_reconcile", lambda: None)  # it has not looked yet
    newest = replace(trying.settings, revision=2, apply_id="b", apply_state="describing", userflow=section("new"))
    trying.it.tables.tables[INTEGRATIONS][f"{WELL}/settings"] = IntegrationPart(WELL, settings=newest)
    trying.vendor.refused.add("key")
    worker._context.state.fail(Transient("http_503"))

    def refused() -> list[int]:
        told = (part.connector for part in trying.it.publisher.of(INTEGRATIONS))
        return [one.checked_revision for one in told if one is not None and one.status == "needs_reconnect"]

    await until(lambda: bool(refused()))
    assert set(refused()) == {1}
