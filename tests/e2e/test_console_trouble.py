"""The console while something is killed: a connector, a grant, the broker; what it says is held to the truth."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.e2e.browsing import CHROMIUM, text
from tests.e2e.looking import becomes_true, number, settled
from tests.e2e.test_connect import ALLOW, ANOTHER, GRANTED_LATER, uninstall
from tests.e2e.usable import is_usable
from tests.e2e.visiting import SHOWN_MS, enter, link, until_said, visitor
from tests.e2e.world import TITLE, World, eventually, measured, world_with_console

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not here: apt-get install chromium"),
    pytest.mark.long,
]
PAIRS = 600
GONE_S = 60.0
OFF_S = 2.0
BY_ITSELF_S = 15.0
NOTED_S = 10.0
ETA_OFF = 0.3
AT_A_TIME = 50
SINK = "userflow-connector"
SINKS_TOPIC = "userflow.field-patches"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """On a broker of its own, which is killed; access to HubSpot is granted in the console."""
    async with world_with_console(tmp_path_factory.mktemp("trouble"), None) as whole:
        for begin in range(0, PAIRS, AT_A_TIME):
            await asyncio.gather(*(whole.pair(number()) for _ in range(begin, begin + AT_A_TIME)))
        yield whole


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(it: World, browser: Browser) -> AsyncIterator[Page]:
    """An admin's tab: access is granted in it, and all is in step."""
    path = it.folder / "integration.yaml"
    path.write_text(GRANTED_LATER)
    await it.command("apply", str(path), "--yes", expect=1, HUBSPOT_CLIENT_SECRET="hubspot-client-secret")  # noqa: S106
    async with visitor(browser) as tab:
        await enter(it, tab, await link(it))
        await granted(it, tab, ALLOW)
        await until_said(tab, "Connected to HubSpot account")
        await it.full_sync()
        await it.converged()
        yield tab


async def granted(it: World, page: Page, choice: str) -> None:
    """Press Connect with HubSpot, and choose in HubSpot's window."""
    await page.goto(at(it, "/i/acme/connection/grant"))
    await page.get_by_role("button", name="Make a link").click()
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Connect with HubSpot").click()
    window = await opened.value
    await window.get_by_role("button", name=choice).click()
    await (
        window.get_by_role("heading", level=1)
        .filter(has_not_text="One moment")
        .filter(has_not_text="Simulated")
        .wait_for()
    )
    await window.close()


def at(it: World, path: str) -> str:
    return f"{it.machine.endpoints.console_url}{path}"


async def cells(page: Page, topic: str) -> list[str]:
    """What the Road's table says of a topic."""
    row = page.locator("#live_road table tr", has_text=topic).first
    return await row.locator("th, td").all_inner_texts()


def in_seconds(told: str) -> float:
    """`4 min 12 s` as 252."""
    units = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
    return sum(float(figure) * units[unit] for figure, unit in re.findall(r"([\d.]+) (d|h|min|s)\b", told))


async def edited(it: World, word: str) -> float:
    """Every contact; returns when the first was."""
    began = time.monotonic()
    contacts = list(it.made)
    for begin in range(0, len(contacts), AT_A_TIME):
        some = contacts[begin : begin + AT_A_TIME]
        await asyncio.gather(
            *(it.hubspot.edit("contacts", contact_id, {"jobtitle": f"{word} {contact_id}"}) for contact_id in some)
        )
    return began


async def test_a_killed_connector_is_told_where_and_for_how_long_and_when_all_is_caught_up(
    it: World, page: Page
) -> None:
    await settled(it)
    await page.goto(at(it, "/road"))
    async with gone(it):
        began = await edited(it, "while it was gone")
        await page.get_by_text("Stopped at userflow sink", exact=True).wait_for(timeout=GONE_S * 1000)
        await is_usable(page)
        await asyncio.sleep(max(0.0, began + GONE_S - time.monotonic()))  # so long the story has it gone
        before = await cells(page, SINKS_TOPIC)
        told = await eventually(lambda: cells(page, SINKS_TOPIC), lambda told: told[2] != before[2], 10.0, 0.05)
        truth = time.monotonic() - began
        measured(f"the oldest waits {truth:.1f} s, and the Road says {told[2]}: {told}")
        await it.userflow.set(rate_per_s=10)
    foreseen, seen_s = await caught_up_in(page)
    await eventually(lambda: cells(page, SINKS_TOPIC), lambda told: told[6] == "now", 180.0, 0.2)
    took = time.monotonic() - seen_s
    measured(f"foreseen {foreseen:.0f} s, taken {took:.0f} s")
    await it.userflow.set(rate_per_s=None)
    await it.converged()
    assert "Stopped" in told[1] and abs(in_seconds(told[2]) - truth) <= OFF_S
    assert abs(foreseen - took) <= ETA_OFF * took


@asynccontextmanager
async def gone(it: World) -> AsyncIterator[None]:
    """The connector is killed, and not started again meanwhile: nobody but a test keeps the supervisor from it."""
    supervisor = it.machine.supervisor
    keeper, guard = supervisor._keepers[SINK], supervisor._guard
    assert guard is not None
    keeper.restart_no_more()
    it.kill(SINK)
    try:
        yield
    finally:
        await asyncio.to_thread(keeper.stop, 1.0)
        keeper.start(guard)


async def caught_up_in(page: Page) -> tuple[float, float]:
    """What the Road foresees once it has measured a while, and when that was seen."""
    seen: list[float] = []

    async def look() -> float:
        told = await cells(page, SINKS_TOPIC)
        seen.append(in_seconds(told[6]) if re.search(r"\d", told[6]) else 0.0)
        return seen[-1]

    foreseen = await eventually(look, lambda _: len([one for one in seen if one]) > 40, 60.0, 0.25)
    return foreseen, time.monotonic()


async def test_a_revoked_grant_is_noted_another_account_is_refused_and_nothing_is_lost(it: World, page: Page) -> None:
    await page.goto(at(it, "/"))
    contacts = list(it.made.items())[:AT_A_TIME]
    await uninstall(it)
    revoked = time.monotonic()
    for contact_id, user_id in contacts:
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"revoked {contact_id}"})
        await it.userflow.edit("users", user_id, {"plan": f"revoked {user_id}"})
    await page.get_by_text("Needs reconnect").first.wait_for(timeout=60_000)
    noted = time.monotonic() - revoked
    measured(f"the overview says so {noted:.1f} s after the grant was revoked")
    await is_usable(page)
    assert noted <= NOTED_S
    await granted(it, page, ANOTHER)
    await until_said(page, "You chose HubSpot account 44120018; acme belongs to account 12345678.")
    await granted(it, page, ALLOW)
    await until_said(page, "Connected to HubSpot account")
    await it.converged(180.0)
    users = await it.userflow.objects("users")
    assert all(users[user_id][TITLE] == f"revoked {contact_id}" for contact_id, user_id in contacts)


async def test_a_broker_that_stands_still_makes_the_page_old_and_its_return_makes_it_live_again(
    it: World, page: Page
) -> None:
    broker = it.machine.broker
    assert broker is not None
    await page.goto(at(it, "/"))
    await page.locator("#live span", has_text=re.compile("^Live$")).wait_for()
    await page.evaluate("window.here = true")  # a reload would lose it
    await asyncio.to_thread(broker.kill)
    killed = time.monotonic()
    await page.get_by_text("The brokers do not answer.").first.wait_for(timeout=SHOWN_MS)
    told = time.monotonic() - killed
    measured(f"the page says that the brokers are away {told:.1f} s after they were killed")
    await page.locator("body.old").wait_for(timeout=5_000)
    await is_usable(page)
    await asyncio.to_thread(broker.start)
    back = time.monotonic()
    await page.get_by_text("The brokers do not answer.").first.wait_for(state="detached", timeout=SHOWN_MS)
    measured(f"and is live again {time.monotonic() - back:.1f} s after they came back")
    assert await page.evaluate("window.here === true")
    await it.converged(180.0)
    assert told <= BY_ITSELF_S
    await becomes_true(lambda: live(page), "the page is not live again")


async def live(page: Page) -> bool:
    return await page.locator("#live").inner_text() == "Live" and "In step" in await text(page)
