"""The console in a real browser, against the whole pipeline with both vendors simulated."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from pipeline.operations.letter_report import meaning
from schemas.topics import AUDIT, MATCHES, USERFLOW_FIELD_PATCHES
from tests.e2e.browsing import CHROMIUM, heading, text
from tests.e2e.looking import number, refusals, settled
from tests.e2e.usable import told_nowhere, usable_in_both
from tests.e2e.visiting import SHOWN_MS, downloaded, enter, link, sign_in, until_said, visitor
from tests.e2e.world import PLAN, World, eventually, measured, world_with_console
from tests.kafka import Kafka

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not here: apt-get install chromium"),
]
PAIRS, REFUSED, WIDE = 32, 30, 1280
HOPS: Final = (
    "Edited in HubSpot",
    "Receiver stored the webhook",
    "Objects: newer than what was known",
    "Pairs: 1 field to write",
    "Userflow connector wrote it",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka) -> AsyncIterator[World]:
    async with world_with_console(tmp_path_factory.mktemp("console"), kafka) as whole:
        await asyncio.gather(*(whole.pair(number()) for _ in range(PAIRS)))
        yield whole


async def connected(it: World) -> None:
    """Acme is there and in step, whichever tests ran before."""
    if "acme" not in await it.command("integration", "list"):
        await it.apply()
        await it.full_sync()
        await it.idle()


async def test_a_link_signs_in_once_and_its_code_is_in_no_log(it: World, browser: Browser) -> None:
    url = await link(it)
    code = url.partition("#")[2]
    async with visitor(browser) as page, visitor(browser) as other:
        await page.goto(url)
        assert "#" not in page.url, "the address keeps the code"
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", name="Connect HubSpot with Userflow").wait_for()
        await other.goto(url)
        await other.get_by_role("button", name="Sign in").click()
        assert await heading(other) == "This link was used already"
        stored = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert json.loads(stored) == [{}, {}]
    assert code not in it.log("console")


async def test_without_script_the_code_is_pasted(it: World, browser: Browser) -> None:
    code = (await link(it)).partition("#")[2]
    async with visitor(browser, script=False) as page:
        await page.goto(it.machine.endpoints.console_url)
        await page.get_by_label("One-time code").fill(code)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", level=1, name="Connect HubSpot with Userflow").wait_for()
        assert urlsplit(page.url).path == "/"


@pytest.mark.parametrize("script", [True, False])
async def test_a_full_sync_runs_to_a_green_check_that_every_store_agrees_with(
    it: World, browser: Browser, script: bool
) -> None:
    await it.apply()
    async with visitor(browser, script=script, width=WIDE) as page:
        await sign_in(it, page, script=script)
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/full-sync")
        await page.get_by_role("link", name="Run full sync").click()
        await page.get_by_role("button", name="Run full sync").click()
        await page.wait_for_url("**/i/acme/full-sync")
        if script:  # the page tells of the end by itself
            await page.get_by_role("heading", name="In step since").wait_for(timeout=SHOWN_MS)
        else:
            await until_said(page, "In step since", script=False)
        assert "In step since" in await text(page)
        assert await it.differences() == []
        assert not script or await page.evaluate("document.documentElement.scrollWidth") <= WIDE, "it scrolls sideways"


async def test_what_is_done_is_told_by_name(it: World, browser: Browser) -> None:
    await connected(it)
    async with visitor(browser) as page:
        await sign_in(it, page, "operator")
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/pause")
        await page.get_by_label("Why?").fill("CRM clean-up")
        await page.get_by_role("button", name="Pause writing").click()
        await page.get_by_text(re.compile("Paused( by .+)?[.]")).first.wait_for()
        await page.get_by_text("Reason given: “CRM clean-up”").wait_for()
        assert "paused" in await it.command("integration", "list")
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/resume")
        await page.get_by_role("button", name="Resume writing").click()
        await page.get_by_label("More actions").click()
        await page.get_by_role("link", name="Pause writing…").wait_for()
    told = await it.command("audit", "acme")
    assert "console" in told and "pause" in told and "resume" in told


@pytest.mark.parametrize("script", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_an_email_finds_its_object_and_values_are_shown_for_a_minute(
    it: World, browser: Browser, script: bool
) -> None:
    await connected(it)
    contact_id, _ = next(iter(it.made.items()))
    email = (await it.hubspot.objects("contacts"))[contact_id]["email"]
    async with visitor(browser, script=script) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await sign_in(it, page, "operator", script=script)
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/explain")
        await page.get_by_label("Object id, email").fill(email)
        await page.get_by_role("button", name="Explain", exact=True).click()
        await until_said(page, "Last written")
        assert email not in await page.content()
        await page.get_by_role("button", name="Show values").click()
        await page.get_by_text("Values are shown for one minute.").wait_for()
        assert email in await text(page)
        if script:
            await usable_in_both(page)
            await told_nowhere(it, asked, page, email)
    looks = [entry for entry in await asyncio.to_thread(it.records, AUDIT) if entry.action == "values shown"]
    assert looks[-1].detail == f"hubspot contacts {contact_id}"


async def test_an_edit_shows_in_explain_with_what_it_led_to_without_a_reload(it: World, browser: Browser) -> None:
    contact_id, _ = next(iter(it.made.items()))
    async with visitor(browser) as page:
        await sign_in(it, page, "viewer")
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/objects/hubspot/contacts/{contact_id}")
        assert await heading(page) == f"Contact {contact_id}"
        led = page.get_by_text("it led to a write")
        before, began = await led.count(), time.monotonic()
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "edited for the console"})
        await led.nth(before).wait_for(timeout=30_000)
        measured(f"an edit was told with its trace after {time.monotonic() - began:.1f} s")
        for hop in HOPS:
            await page.get_by_text(hop).wait_for(timeout=30_000)
        said = await text(page)
        assert all(f"{topic}[" in said for topic in (MATCHES, USERFLOW_FIELD_PATCHES))
        assert "edited for" not in await page.content()
        assert await page.get_by_role("button", name="Show values").count() == 0
        await usable_in_both(page)


async def test_health_says_how_records_ended_and_who_uses_the_limits(it: World, browser: Browser) -> None:
    contact_id, _ = next(iter(it.made.items()))
    async with visitor(browser) as page:
        await sign_in(it, page, "viewer")
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme")
        budget = page.get_by_role("region", name="API budget")

        async def edited() -> str:
            """What the page says of limits while changes are written: it is of the last ten seconds."""
            await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"edited for its figures {number()}"})
            return await budget.inner_text()

        told = await eventually(edited, lambda said: "live writes" in said and "not known" not in said, 60, 1.0)
        assert "live writes" in told and "not known" not in told
        assert "of about" in told and told.count("left") >= 2
        ended = page.get_by_role("region", name="How records ended").locator("dl > div").first
        assert "Written" in await ended.inner_text()
        assert (
            await eventually(lambda: ended.locator("dd").inner_text(), lambda said: said not in ("", "0"), 60, 0.5)
            > "0"
        )
        figures = page.get_by_role("region", name="Health in figures")
        await figures.get_by_text("webhook to written").first.wait_for(timeout=60_000)
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="acme").wait_for()
        assert "edited for" not in await page.content()
        await usable_in_both(page)


async def test_who_is_not_linked_is_listed_with_why(it: World, browser: Browser) -> None:
    mine = number()
    alone = await it.userflow.create("users", {"email": f"alone{mine}@example.com"}, f"alone-{mine}")
    named = await it.userflow.create("users", {"email": f"mail{mine}@example.com"}, f"mail{mine}@example.com")
    nobody = await it.userflow.create("users", {"plan": "none"}, f"nobody-{mine}")
    await settled(it)
    async with visitor(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await sign_in(it, page, "viewer")
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/explain")
        await page.get_by_role("link", name="Who is not linked").click()
        await page.get_by_role("button", name="List them").click()
        await page.get_by_role("link", name=f"User {alone}").wait_for(timeout=SHOWN_MS)
        assert "User with a hidden id" in await text(page) and named not in await page.content()
        await usable_in_both(page)
        told = await downloaded(page)
        assert alone in told and named not in told and "example.com" not in told
        await page.get_by_role("link", name="No email").click()
        await page.get_by_role("link", name=f"User {nobody}").click()
        await page.get_by_text("It has no value in email, by which this mapping matches.").wait_for()
        await told_nowhere(it, asked, page, f"mail{mine}@", f"alone{mine}@")


@pytest.mark.parametrize("script", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_what_is_refused_is_seen_tried_again_and_ends(it: World, browser: Browser, script: bool) -> None:
    await connected(it)
    await it.hubspot.add_faults({"action": "refuse_property", "property": PLAN, "code": "INVALID_OPTION"})
    users, late = list(it.made.values())[:REFUSED], list(it.made.values())[REFUSED]
    await asyncio.gather(*(it.userflow.edit("users", one, {"plan": f"platinum {script}"}) for one in users))
    path = f"{it.machine.endpoints.console_url}/i/acme/refused"
    async with visitor(browser, script=script, width=420) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await sign_in(it, page, "operator", script=script)
        await page.goto(path)
        await until_said(page, f"{REFUSED} open", script=False)
        await page.locator("tbody a").first.click()
        assert "platinum" not in await page.content() and "1 different value, grouped" in await text(page)
        await page.get_by_role("button", name="Show values").click()
        await page.get_by_text("Values are shown for one minute.").wait_for()
        assert f"platinum {script}" in await text(page)
        if script:
            await usable_in_both(page)
            await told_nowhere(it, asked, page, "platinum")
        await page.get_by_role("link", name="Hide values").click()
        assert "platinum" not in await page.content()
        ids = await downloaded(page)
        assert ids.count("invalid_option") == REFUSED and "platinum" not in ids
        await page.get_by_role("link", name=f"Try {REFUSED} again").click()
        assert f"Writes to HubSpot, at most {REFUSED}" in " ".join((await text(page)).split())
        before = await refusals(it, late)
        await it.userflow.edit("users", late, {"plan": f"late {script}"})  # refused after the plan: no part of it
        assert await eventually(lambda: refusals(it, late), lambda number: number > before, 30.0) > before
        await it.hubspot.clear_faults()
        await page.get_by_role("button", name=f"Try the {REFUSED} again").click()
        await page.wait_for_url("**/i/acme/refused")
        await until_said(page, "1 open", script=False)
        left = await eventually(it.differences, lambda found: len(found) <= 1, SHOWN_MS / 1000)  # all but the late one
        assert len(left) == 1
        held = [fields.get(PLAN) for fields in (await it.hubspot.objects("contacts")).values()]
        assert held.count(f"platinum {script}") == REFUSED
        await it.userflow.edit("users", late, {"plan": f"mended {script}"})  # another value is tried anew
        await it.converged()
        await until_said(page, "Nothing is refused", script=False)
        await page.goto(f"{path}?which=ended")
        await page.locator("tbody a").first.click()
        said = await text(page)
        assert "Mended" in said and "the field holds what its owner holds" in said
        assert ", by " in said, "who tried them again is not told"


async def test_a_replay_of_what_converged_plans_no_write_and_makes_none(it: World, browser: Browser) -> None:
    await settled(it)
    before = await it.writes()
    async with visitor(browser) as page:
        await sign_in(it, page, "operator")
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/replay")
        await page.get_by_label("From", exact=True).fill("-1h")
        await page.locator("svg.hist").wait_for(timeout=SHOWN_MS)
        await page.get_by_role("button", name="Plan replay").click()
        await page.get_by_text("would lead to 0 writes").wait_for(timeout=SHOWN_MS)
        await usable_in_both(page)
        await page.get_by_role("button", name="Run replay").click()
        await page.get_by_role("heading", name="Done").wait_for(timeout=SHOWN_MS)
    assert await it.writes() == before
    assert "replay run" in await it.command("audit", "acme")


async def test_each_standing_says_its_sentence(it: World, browser: Browser) -> None:
    """By email: linked to nobody by a secondary one, held by several, refused by HubSpot, kept there otherwise."""
    await connected(it)
    mine, late = number(), number()
    first = {"email": f"first{mine}@example.com", "hs_additional_emails": f"second{mine}@example.com"}
    await it.hubspot.create("contacts", first)
    await it.userflow.create("users", {"email": f"second{mine}@example.com"}, f"second-{mine}")
    shared, _ = await it.pair(mine)
    await it.userflow.create("users", {"email": f"person{mine}@example.com"}, f"twin-{mine}")
    linked, user_id = await it.pair(late)
    email = f"person{late}@example.com"
    await settled(it)
    async with visitor(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await sign_in(it, page, "viewer")

        async def says(typed: str, *sentences: str) -> None:
            await page.goto(f"{it.machine.endpoints.console_url}/i/acme/explain")
            await page.get_by_label("Object id, email").fill(typed)
            await page.get_by_role("button", name="Explain", exact=True).click()
            for sentence in sentences:
                await until_said(page, sentence)

        nobody = "Nobody in HubSpot is known to hold its email. Only the primary email matches."
        await says(f"second{mine}@example.com", "Not linked", nobody)
        several = "Several hold the match value. Nothing is written until one is left: Pairstream does not guess."
        await says(shared, "Several match", several)
        fault = {"action": "refuse_property", "property": PLAN, "code": "INVALID_OPTION"}
        await it.hubspot.add_faults(fault)
        await it.userflow.edit("users", user_id, {"plan": "No Such Plan"})
        await says(linked, "In step but for 1 field refused.", meaning("invalid_option"))
        await it.hubspot.clear_faults()
        await it.hubspot.set(normalise={f"contacts.{PLAN}": "lower"})
        await it.userflow.edit("users", user_id, {"plan": "GOLD"})
        await says(email, "In step, settled", "the system keeps another form of what was sent")
        assert (await it.hubspot.fields("contacts", linked))[PLAN] == "gold"
        await it.hubspot.set(normalise={})
        await told_nowhere(it, asked, page, email, f"second{mine}@")


async def test_what_was_never_read_is_looked_for_and_then_told_with_its_events(it: World, browser: Browser) -> None:
    await connected(it)
    contact_id, user_id = str(700_000 + number()), f"silent-{number()}"
    email = f"{user_id}@example.com"
    told = {"operation": "create", "silent": True}
    await it.hubspot.bulk([{**told, "type": "contacts", "id": contact_id, "properties": {"email": email}}])
    async with visitor(browser, script=False, width=420) as page:
        await enter(it, page, (await link(it, "operator")).partition("#")[2], script=False)
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/objects/hubspot/contacts/{contact_id}")
        await page.get_by_role("button", name="Look now").click()
        await page.get_by_role("heading", level=1, name=f"Contact {contact_id}").wait_for()
        await it.userflow.create("users", {"email": email}, user_id)
        await it.userflow.track({"name": "flow_started", "user_id": user_id, "attributes": {}})
        await until_said(page, "Not streamed", script=False)
        assert "Linked" in await text(page) and "flow_started" in await text(page)
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/explain")
        await page.get_by_label("Object id, email").fill("nobody@example.com")
        await page.get_by_role("button", name="Explain", exact=True).click()
        await page.get_by_role("button", name="Look now").click()
        assert (await text(page)).count("Nobody there has it") == 2  # contacts and users by email
    assert "look now" in await it.command("audit", "acme")


async def test_every_page_is_there_and_asks_for_nothing_from_elsewhere(it: World, browser: Browser) -> None:
    await connected(it)
    base = it.machine.endpoints.console_url
    async with visitor(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await sign_in(it, page)
        for path in ("/", "/road", "/doctor", "/activity", "/settings", "/i/acme", "/i/acme/connection"):
            answer = await page.goto(base + path)
            assert answer is not None and answer.status == 200, path
            assert await page.get_by_role("heading", level=1).count() == 1, path
        assert [url for url in asked if not url.startswith(base)] == []


async def test_seven_tabs_load(it: World, browser: Browser) -> None:
    async with visitor(browser) as page:
        await sign_in(it, page)
        tabs = [page, *[await page.context.new_page() for _ in range(6)]]
        for each in tabs:
            await each.goto(f"{it.machine.endpoints.console_url}/road")
            assert await heading(each) == "Road"


async def test_a_viewer_sees_no_button_and_may_not_press_one(it: World, browser: Browser) -> None:
    base = it.machine.endpoints.console_url
    async with visitor(browser) as page:
        await sign_in(it, page, "viewer")
        await page.goto(f"{base}/i/acme")
        assert await page.get_by_role("link", name="Run full sync").count() == 0
        answer = await page.goto(f"{base}/i/acme/disconnect")
        assert answer is not None and answer.status == 403
        assert await heading(page) == "This needs the role admin"


async def test_disconnecting_asks_for_the_name_and_stops(it: World, browser: Browser) -> None:
    async with visitor(browser) as page:
        await sign_in(it, page)
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/disconnect")
        await page.get_by_role("button", name="Disconnect acme", exact=True).click()
        await page.get_by_role("alert").wait_for()
        await page.get_by_label("Type acme to confirm").fill("acme")
        await page.get_by_role("button", name="Disconnect acme", exact=True).click()
        await page.get_by_text(re.compile("Disconnected( by .+)?[.]")).first.wait_for(timeout=SHOWN_MS)
    assert "disconnected" in await it.command("integration", "list")


async def test_ending_all_sessions_ends_this_one(it: World, browser: Browser) -> None:
    async with visitor(browser) as page:
        await sign_in(it, page)
        assert "ended" in await it.command("console", "sign-out")

        async def where() -> str:
            await page.goto(it.machine.endpoints.console_url)
            return urlsplit(page.url).path

        assert await eventually(where, lambda path: path == "/sign-in", 10.0) == "/sign-in"
