"""The console in a real browser, against the whole pipeline with both vendors simulated."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.e2e.browsing import CHROMIUM, chromium, heading, text
from tests.e2e.looking import number
from tests.e2e.visiting import SHOWN_MS, enter, link, visitor
from tests.e2e.world import World, eventually, world_with_console
from tests.kafka import Kafka

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not here: apt-get install chromium"),
]
PAIRS = 12


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka) -> AsyncIterator[World]:
    async with world_with_console(tmp_path_factory.mktemp("console"), kafka) as whole:
        await asyncio.gather(*(whole.pair(number()) for _ in range(PAIRS)))
        yield whole


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


async def sign_in(it: World, page: Page, role: str = "admin") -> None:
    await enter(it, page, await link(it, role))


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


@pytest.mark.parametrize(("script", "width"), [(True, 1280), (False, 1280)])
async def test_a_full_sync_runs_to_a_green_check_that_every_store_agrees_with(
    it: World, browser: Browser, script: bool, width: int
) -> None:
    await it.apply()
    async with visitor(browser, script=script, width=width) as page:
        await sign_in(it, page) if script else await pasted(it, page)
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/full-sync")
        await page.get_by_role("link", name="Run full sync").click()
        await page.get_by_role("button", name="Run full sync").click()
        await page.wait_for_url("**/i/acme/full-sync")
        if script:  # the page tells of the end by itself
            await page.get_by_role("heading", name="In step since").wait_for(timeout=SHOWN_MS)
        else:
            await eventually(lambda: reloaded(page), lambda said: "In step since" in said, SHOWN_MS / 1000, 0.5)
        assert "In step since" in await text(page)
        assert await it.differences() == []
        wide = await page.evaluate("document.documentElement.scrollWidth") if script else width
        assert wide <= width, "the page scrolls sideways"


async def pasted(it: World, page: Page) -> None:
    await page.goto(it.machine.endpoints.console_url)
    await page.get_by_label("One-time code").fill(await link(it))
    await page.get_by_role("button", name="Sign in").click()


async def reloaded(page: Page) -> str:
    await page.reload()
    return await text(page)


async def test_what_is_done_is_told_by_name(it: World, browser: Browser) -> None:
    async with visitor(browser) as page:
        await sign_in(it, page, "operator")
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/pause")
        await page.get_by_role("button", name="Pause writing").click()
        await page.get_by_text("Paused.").wait_for()
        assert "paused" in await it.command("integration", "list")
        await page.goto(f"{it.machine.endpoints.console_url}/i/acme/resume")
        await page.get_by_role("button", name="Resume writing").click()
        await page.get_by_role("link", name="Pause…").wait_for()
    told = await it.command("audit", "acme")
    assert "console" in told and "pause" in told and "resume" in told


async def test_every_page_is_there_and_asks_for_nothing_from_elsewhere(it: World, browser: Browser) -> None:
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
        await page.get_by_text("Disconnected.").wait_for(timeout=SHOWN_MS)
    assert "disconnected" in await it.command("integration", "list")


async def test_ending_all_sessions_ends_this_one(it: World, browser: Browser) -> None:
    async with visitor(browser) as page:
        await sign_in(it, page)
        assert "ended" in await it.command("console", "sign-out")

        async def where() -> str:
            await page.goto(it.machine.endpoints.console_url)
            return urlsplit(page.url).path

        assert await eventually(where, lambda path: path == "/sign-in", 10.0) == "/sign-in"
