"""Connecting by OAuth in a real browser, and what becomes of a grant: expired, rotated, revoked, granted anew."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from connectors.kafka.producer import Publisher
from pipeline.operations.connect import VALID_MS, ask, new_link
from pipeline.secrets import make_key
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import HUBSPOT_REQUESTS, INTEGRATIONS, RECEIPTS, RUNS
from tests.e2e.browsing import CHROMIUM, COOKIE, choose, connecting, heading, tab, text
from tests.e2e.looking import number, paired, standing, title_arrives
from tests.e2e.world import FILE, World, eventually, world
from tests.kafka import Kafka

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not here: apt-get install chromium"),
]

ACCOUNT, OTHER = "12345678", "44120018"
GRANTED_LATER = FILE.replace(
    "  token: ${HUBSPOT_TOKEN}\n",
    "  timeline: custom_events\n  oauth:\n    client_id: hubspot-client\n    client_secret: ${HUBSPOT_CLIENT_SECRET}\n",
)
TAKEN_OVER_S = 60.0
NEWEST, FORMER = make_key(), make_key()
ALLOW, ANOTHER, CANCEL = f"Connect account {ACCOUNT}", f"Connect account {OTHER}", "Cancel"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka) -> AsyncIterator[World]:
    folder, secret = tmp_path_factory.mktemp("connect"), "hubspot-client-secret"
    keys = f"{NEWEST},{FORMER}"
    async with world(folder, kafka, HUBSPOT_CLIENT_SECRET=secret, PAIRSTREAM_SECRET_KEY=keys) as whole:
        await whole.hubspot.set(webhook_backoff_ms=500, pkce_required=True, refresh_token_rotates=True)
        await whole.pair(number())  # an attribute is known once a user has it
        yield whole


async def grant(it: World) -> Any:
    """The access that is kept; None: none is."""
    part = (await asyncio.to_thread(it.rows, INTEGRATIONS)).get("acme/hubspot/grant")
    return part.grant if part is not None else None


async def connected(it: World, browser: Browser) -> None:
    """Apply the file and grant access, unless a test before this one has."""
    if await grant(it) is not None:
        return
    path = it.folder / "integration.yaml"
    path.write_text(GRANTED_LATER)
    await it.command("apply", str(path), "--yes", expect=1)
    async with connecting(it) as command, tab(browser) as page:
        await choose(page, command.link, ALLOW)
        await command.ends(0)


async def test_a_file_without_a_refresh_token_waits_for_a_grant_and_says_so(it: World) -> None:
    path = it.folder / "integration.yaml"
    path.write_text(GRANTED_LATER)
    said = await it.command("apply", str(path), "--yes", expect=1)
    assert "waits for access to HubSpot account 12345678" in said
    assert "pairstream connect acme" in said
    told = await it.command("doctor", expect=1)
    assert "needs reconnect: not_granted" in told
    assert "run `pairstream connect acme`" in told


async def test_declined_leaves_all_as_it_was(it: World, browser: Browser) -> None:
    async with connecting(it) as command, tab(browser) as page:
        shown = await choose(page, command.link, CANCEL)
        assert await heading(page) == "Not connected"
        assert shown.headers["content-security-policy"].startswith("default-src 'none'")
        assert shown.headers["referrer-policy"] == "no-referrer"
        assert "Access was declined on HubSpot's page. Nothing was changed (declined)." in await command.ends(1)
        (cookie,) = [one for one in await page.context.cookies() if one["name"] == COOKIE]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert await grant(it) is None


async def test_another_account_is_refused_with_both_numbers(it: World, browser: Browser) -> None:
    async with connecting(it) as command, tab(browser) as page:
        await choose(page, command.link, ANOTHER)
        assert f"You chose HubSpot account {OTHER}; acme belongs to account {ACCOUNT}." in await text(page)
        assert f"You chose HubSpot account {OTHER}; acme belongs to account {ACCOUNT}." in await command.ends(1)
    assert await grant(it) is None


async def test_a_link_opens_for_ten_minutes(it: World, browser: Browser) -> None:
    publisher = Publisher(it.cluster, Codec(LocalRegistry()))
    rows = await asyncio.to_thread(it.rows, INTEGRATIONS)
    late = new_link("acme", rows, int(time.time() * 1000) - VALID_MS)
    await ask(publisher, "acme", late.record)
    await publisher.close()
    async with tab(browser) as page:

        async def shown() -> str:
            await page.goto(late.url(it.machine.endpoints.receiver_url))
            return await heading(page)

        assert await eventually(shown, lambda title: title == "This link is too old", 10.0) == "This link is too old"


async def test_granted_comes_into_force_and_the_link_counts_once(it: World, browser: Browser) -> None:
    async with connecting(it) as command, tab(browser) as page, tab(browser) as stranger:
        await page.goto(command.link)
        async with page.expect_request("**/oauth/hubspot/callback*") as came_back:
            await page.get_by_role("button", name=ALLOW).click()
        callback = (await came_back.value).url
        await page.get_by_role("heading", name="Connected").wait_for()
        assert "code" not in page.url
        said = await command.ends(0)
        assert f"acme: connected to HubSpot account {ACCOUNT}" in said
        assert "in force as revision" in said

        kept = await grant(it)
        assert (kept.account, "oauth" in kept.scopes) == (ACCOUNT, True)
        assert not [scope for scope in kept.scopes if "deals" in scope], "more was asked for than the mappings need"
        for once_more in (command.link, callback):
            await page.goto(once_more)
            assert await heading(page) == "This link was used already"
        await stranger.goto(callback.replace("state=", "state=x"))
        assert await heading(stranger) == "This answer belongs to no link"
        assert await grant(it) == kept

    contact_id, user_id = await paired(it)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Granted"})
    await title_arrives(it, user_id, "Granted")
    await nothing_is_shown(it, command.link, callback)


async def nothing_is_shown(it: World, *secrets: str) -> None:
    """Neither links nor codes stand in a log, nor on the brokers."""
    queries = [dict(parse_qsl(urlsplit(url).query)) for url in secrets]
    words = [text for query in queries for name, text in query.items() if name != "state"]
    shown = [it.log(role) for role in ("receiver", "hubspot-connector", "scheduler", "worker")]
    for topic in (INTEGRATIONS, HUBSPOT_REQUESTS):
        shown += map(repr, await asyncio.to_thread(it.records, topic))
    assert len(words) == 2
    assert [word for word in words if any(word in text for text in shown)] == []


async def test_what_came_back_to_another_browser_is_refused(it: World, browser: Browser) -> None:
    before = await grant(it)
    async with connecting(it) as command, tab(browser) as page, tab(browser) as stranger:
        await page.goto(command.link)
        decision = f"{page.url.replace('/authorize?', '/authorize/decision?')}&decision={ACCOUNT}"
        sent_back = await page.request.get(decision, max_redirects=0)
        await stranger.goto(sent_back.headers["location"])
        assert await heading(stranger) == "Another browser opened the link"
        assert "(other_browser)" in await command.ends(1)
    assert await grant(it) == before


async def refreshes(it: World) -> tuple[int, int]:
    """Calls of the token endpoint, and those that were refused."""
    calls = [one for one in (await it.hubspot.requests(20_000))["requests"] if one["path"].endswith("/token")]
    return len(calls), sum(one["status"] == 400 for one in calls)


async def test_tokens_are_renewed_ahead_of_their_end_and_a_rotated_one_outlives_a_kill(it: World) -> None:
    contact_id, user_id = await paired(it)
    await it.hubspot.set(access_token_life_s=3)
    it.kill("hubspot-connector")
    for turn in range(6):
        before = await grant(it)
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"Renewed {turn}"})
        await title_arrives(it, user_id, f"Renewed {turn}")
        if turn == 3:
            await killed_between_two_renewals(it, before)
    calls, refused = await refreshes(it)
    assert calls > 4
    assert refused == 0, "a refresh token was spent twice"
    await it.hubspot.set(access_token_life_s=1800)


async def killed_between_two_renewals(it: World, before: Any) -> None:
    """Within one, HubSpot may have spent the token whose successor nobody keeps: that costs a reconnect."""
    for turn in range(30):
        contact_id = await it.hubspot.create("contacts", {"email": f"renews{turn}@example.com"})
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "makes a request, and so renews"})
        if await eventually(lambda: grant(it), lambda kept: kept != before, 1.0) != before:
            break
    else:
        raise AssertionError("the grant was not renewed")
    it.kill("hubspot-connector")


@pytest.mark.long
async def test_a_connector_that_slept_spends_no_token_of_its_successor(it: World, browser: Browser) -> None:
    await connected(it, browser)
    contact_id, user_id = await paired(it)
    refused = (await refreshes(it))[1]
    await it.hubspot.set(access_token_life_s=3)
    async with second_connector(it):
        for turn in range(3):
            await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"Two connectors {turn}"})
            await title_arrives(it, user_id, f"Two connectors {turn}", TAKEN_OVER_S)
        it.kill("hubspot-connector", signal.SIGSTOP)
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "By the successor"})
        await title_arrives(it, user_id, "By the successor", TAKEN_OVER_S)
        it.kill("hubspot-connector", signal.SIGCONT)
        for turn in range(4):
            await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"Awake again {turn}"})
            await title_arrives(it, user_id, f"Awake again {turn}", TAKEN_OVER_S)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Alone again"})
    await title_arrives(it, user_id, "Alone again", TAKEN_OVER_S)
    assert (await refreshes(it))[1] == refused, "a refresh token was spent twice"
    await it.hubspot.set(access_token_life_s=1800)


@asynccontextmanager
async def second_connector(it: World) -> AsyncIterator[None]:
    """Another HubSpot connector beside that of the world."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline.cli", "run", "connector", "hubspot"),
        env={**os.environ, **it.machine.environment, "PAIRSTREAM_ORDINAL": "1", "PAIRSTREAM_HEALTH_PORT": "0"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_a_grant_that_is_revoked_in_the_middle_loses_nothing(it: World, browser: Browser) -> None:
    people = [await paired(it) for _ in range(3)]
    await it.hubspot.set(access_token_life_s=1800)
    edits = [(user_id, f"revoked {turn}") for turn in range(10) for _, user_id in people]
    writing = asyncio.gather(*(it.userflow.edit("users", user_id, {"plan": plan}) for user_id, plan in edits))
    await uninstall(it)
    await writing
    for contact_id, user_id in people:
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "While it was revoked"})
        await it.userflow.edit("users", user_id, {"plan": "while it was revoked"})

    told = "needs reconnect: grant_rejected"
    shown = await eventually(lambda: it.command("doctor", expect=None), lambda text: told in text, 60.0)
    assert told in shown
    assert "run `pairstream connect acme`" in shown
    asked = (await refreshes(it))[0]

    async with connecting(it) as command, tab(browser) as page:
        await choose(page, command.link, ALLOW)
        await command.ends(0)
    assert (await refreshes(it))[0] - asked < 30, "a grant that is revoked is asked for again and again"
    for contact_id, user_id in people:
        await title_arrives(it, user_id, "While it was revoked", 60.0)
        found = await eventually(
            lambda contact_id=contact_id: it.hubspot.fields("contacts", contact_id),  # type: ignore[misc]
            lambda fields: fields.get("userflow_user_plan") == "while it was revoked",
            60.0,
        )
        assert found["userflow_user_plan"] == "while it was revoked"
    await it.converged()
    runs = await asyncio.to_thread(it.rows, RUNS)
    asked_by = {row.full_sync.requested_by for row in runs.values() if row.full_sync is not None}
    assert "reconnect" in asked_by, "no full sync was asked for"


async def uninstall(it: World) -> None:
    """The account removes the app: refresh and access tokens end."""
    url = it.machine.endpoints.hubspot_simulator_url or ""
    async with httpx.AsyncClient(base_url=url, headers={"authorization": "Bearer pat-simulated"}) as client:
        (await client.delete("/appinstalls/v3/external-install")).raise_for_status()


async def test_a_file_that_needs_more_says_so_and_the_link_asks_for_it(it: World, browser: Browser) -> None:
    deals = GRANTED_LATER + (
        "  - name: deals\n    hubspot: deals\n    userflow: companies\n"
        "    match: {hubspot: dealname, userflow: id}\n    to_userflow: [amount]\n"
    )
    path = it.folder / "integration.yaml"
    path.write_text(deals)
    lacking = "HubSpot has not granted crm.objects.deals.read, crm.schemas.deals.read"
    assert lacking in await it.command("plan", str(path), expect=None)
    assert lacking in await it.command("apply", str(path), "--yes", expect=None)
    assert lacking in await it.command("doctor", expect=None)
    async with connecting(it) as command, tab(browser) as page:
        await page.goto(command.link)
        assert "crm.objects.deals.read" in await text(page)
        await choose(page, command.link, ALLOW)
        await command.ends(0)
    await it.command("apply", str(path), "--yes")
    assert "has not granted" not in await it.command("doctor", expect=None)


async def test_a_userflow_key_that_is_replaced_loses_nothing(it: World) -> None:
    mine = number()
    contact_id, user_id = await it.pair(mine)
    await title_arrives(it, user_id, f"title {mine}")
    await it.userflow.set(api_keys=["ak_replaced"])
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Under the former key"})
    told = "Userflow does not accept the key"
    shown = await eventually(lambda: it.command("doctor", expect=None), lambda text: told in text, 60.0)
    assert told in shown
    assert "give a key of this environment" in shown
    path = str(it.folder / "integration.yaml")
    await it.command("apply", path, "--yes", USERFLOW_API_KEY="ak_replaced")
    refused = (await it.userflow.requests())["statuses"].get("401", 0)
    assert 0 < refused < 30, "a key that is refused is tried again and again"
    await title_arrives(it, user_id, "Under the former key", 60.0)


async def test_what_is_sealed_with_a_former_key_is_sealed_again_and_all_goes_on(it: World) -> None:
    path, keys = str(it.folder / "integration.yaml"), f"{FORMER},{NEWEST}"
    await it.command("apply", path, "--yes", PAIRSTREAM_SECRET_KEY=keys, USERFLOW_API_KEY="ak_replaced")
    assert "are not sealed with the newest key. Fix: run `pairstream secrets rotate`" in await it.command(
        "doctor", expect=1
    )
    # the app's two secrets and the key, in the request and in what is in force
    assert (await it.command("secrets", "rotate")).startswith("6 of 8 secrets were sealed again")
    assert (await it.command("secrets", "rotate")).startswith("0 of 8 secrets were sealed again")
    told = await it.command("doctor", expect=None, PAIRSTREAM_SECRET_KEY=NEWEST)
    assert not [words for words in ("newest key", "does not open") if words in told]
    contact_id, user_id = await paired(it)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Sealed again"})
    await title_arrives(it, user_id, "Sealed again")


async def test_a_token_is_at_work_until_the_grant_that_follows_it_is_there(it: World, browser: Browser) -> None:
    """The last test of this world. The file without a token took its place at once, and patches were parked."""
    by_token, by_grant = it.folder / "by-token.yaml", it.folder / "by-grant.yaml"
    await it.userflow.set(api_keys=["ak_replaced"])
    by_token.write_text(FILE)
    by_grant.write_text(GRANTED_LATER)
    await it.command("apply", str(by_token), "--yes", USERFLOW_API_KEY="ak_replaced")
    contact_id, user_id = await paired(it)
    await uninstall(it)  # the access that was granted before ends
    before, runs = await reported(it), await runs_of(it)

    said = await it.command("apply", str(by_grant), "--yes", expect=1, USERFLOW_API_KEY="ak_replaced")
    assert f"waits for access to HubSpot account {ACCOUNT}" in said
    assert "stays in force and goes on" in said
    assert "waits for access" in await it.command("doctor", expect=1)
    for turn in range(3):
        await edited_both_ways(it, contact_id, user_id, f"By the token {turn}")
    async with connecting(it) as command, tab(browser) as page:
        await choose(page, command.link, ALLOW)
        assert "in force as revision" in await command.ends(0)
    await edited_both_ways(it, contact_id, user_id, "By the grant")
    assert set(await reported(it) - before) <= {"ok"}, "what was in force did not work, or parked something"
    assert await runs_of(it) == runs, "a full sync began"


async def edited_both_ways(it: World, contact_id: str, user_id: str, value: str) -> None:
    """Edit both sides, and wait until each shows the other's value."""
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": value})
    await it.userflow.edit("users", user_id, {"plan": value})
    await title_arrives(it, user_id, value)

    async def plan() -> Any:
        return (await it.hubspot.fields("contacts", contact_id)).get("userflow_user_plan")

    assert await eventually(plan, lambda found: found == value, 60.0) == value


async def runs_of(it: World) -> set[str]:
    """The full syncs there were, under way or over."""
    return {row.run_id for row in (await asyncio.to_thread(it.rows, RUNS)).values()}


async def reported(it: World) -> Counter[str]:
    """What became of both systems' work, and how often."""
    return standing(*[await asyncio.to_thread(it.records, topic) for topic in (INTEGRATIONS, RECEIPTS)])
