"""Every page of the console, in every state, in a browser: nothing that axe finds, nothing that scrolls sideways.

The console stands on tables in memory, so that each state can be had at once and no broker runs for it.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Dialog, Error, Page, Route

from schemas.operating import ConsoleRole
from schemas.topics import RUNS
from tests.e2e.browsing import heading, text
from tests.e2e.showroom import OBJECT, PATHS, Room, room
from tests.e2e.usable import HERE, Scheme, findings, is_usable
from tests.unit.pipeline.console.fixtures import letter
from tests.unit.pipeline.console.test_pages import looked_at, make_hostile
from tests.unit.pipeline.core.given import CONTACT, EMAIL

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not HERE, reason="Debian's chromium is not here: apt-get install chromium"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def furnished() -> AsyncIterator[Room]:
    async with room() as made:
        yield made


async def tab(
    browser: Browser, it: Room, role: ConsoleRole, width: int, scheme: Scheme, *, script: bool = True
) -> tuple[Page, list[str]]:
    """A tab that is signed in, and what the content policy refused in it."""
    refused: list[str] = []
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
        java_script_enabled=script,
        storage_state=await it.cookies(browser, role),
        base_url=it.url,
    )
    context.on("console", lambda told: refused.append(told.text) if "Content Security" in told.text else None)
    return await context.new_page(), refused


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (420, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.long),
        pytest.param(420, "light", marks=pytest.mark.long),
    ],
)
async def test_axe_finds_nothing_on_any_page(furnished: Room, browser: Browser, width: int, scheme: Scheme) -> None:
    page, refused = await tab(browser, furnished, "admin", width, scheme)
    found = []
    for name, path in PATHS:
        await page.goto(path)
        found += [f"{name}: {one}" for one in await findings(page)]
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found += [f"{name} scrolls sideways by {wide} px"] if wide > 0 else []
        if await page.get_by_role("heading", level=1).count() != 1:
            found.append(f"{name} has not one heading of the first level")
    await page.context.close()
    assert not found, "\n".join(found)
    assert refused == []


async def test_nothing_scrolls_sideways_where_a_page_is_read_at_four_times_its_size(
    furnished: Room, browser: Browser
) -> None:
    """WCAG 2.2, reflow: at 320 px, which is what 400 % leave of 1280, nothing has to be scrolled in two directions."""
    page, _ = await tab(browser, furnished, "admin", 320, "light")
    found = []
    for name, path in PATHS:
        await page.goto(path)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found += [f"{name} by {wide} px: {await page.evaluate(WIDEST)}"] if wide > 0 else []
    await page.context.close()
    assert not found, "\n".join(found)


async def test_a_state_stands_in_one_line_however_wide_the_figures_beside_it(furnished: Room, browser: Browser) -> None:
    page, _ = await tab(browser, furnished, "viewer", 1280, "light")
    await page.goto("/")
    await page.evaluate("document.querySelectorAll('td.num').forEach(one => one.textContent = '1,234,567 wait')")
    heights = await page.eval_on_selector_all("td[data-l=State] .st", "all => all.map(one => one.offsetHeight)")
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    await page.context.close()
    assert len(heights) > 3 and len(set(heights)) == 1 and wide <= 0


async def without_refresh(route: Route) -> None:
    """A page that comes again by itself stays while it is looked at."""
    answer = await route.fetch()
    await route.fulfill(response=answer, headers={**answer.headers, "refresh": ""})


async def test_what_forms_lead_to_is_as_usable(furnished: Room, browser: Browser) -> None:
    page, refused = await tab(browser, furnished, "admin", 1280, "light")
    for path in ("/i/acme", f"{OBJECT}/{CONTACT}"):
        await page.goto(path)
        await page.get_by_label("More actions").click()
        await page.locator("details.menu[open] .list").wait_for()
        await is_usable(page)
        await page.keyboard.press("Escape")
        assert await page.locator("details.menu[open]").count() == 0
    await page.goto("/i/acme/replay")
    await page.get_by_role("button", name="Plan replay").click()
    await page.get_by_text("would lead to").wait_for()
    await is_usable(page)
    await page.goto(f"{OBJECT}/{CONTACT}")
    await page.get_by_role("button", name="Show values").click()
    await page.get_by_text("Values are shown for one minute.").wait_for()
    await is_usable(page)
    await page.goto("/i/acme/refused/not_an_option?field=plan")
    assert "platinum" not in await page.content()
    await page.get_by_role("button", name="Show values").click()
    await page.get_by_text("Values are shown for one minute.").wait_for()
    assert "platinum" in await text(page) and "platinum" not in page.url
    await is_usable(page)
    await page.goto("/i/acme/explain")
    await page.get_by_label("Object id").fill("nobody")
    await page.get_by_role("button", name="Explain", exact=True).click()
    await page.get_by_role("alert").wait_for()
    await is_usable(page)
    await page.get_by_label("Look in").select_option("HubSpot contacts")
    await page.get_by_role("button", name="Look now").click()
    await page.get_by_role("heading", name="Asked just now").wait_for()
    assert await page.get_by_label("Look in").input_value() == "hubspot.contacts" and "nobody" not in page.url
    await is_usable(page)
    await page.route("**/i/hooli/unlinked", without_refresh)
    await page.goto("/i/hooli/unlinked")
    await page.get_by_text("Looking through what is known").wait_for()
    await is_usable(page)
    await page.goto("/settings")
    await page.get_by_label("Name").fill("report")
    await page.get_by_role("button", name="New token").click()
    await page.get_by_text("This is the token.").wait_for()
    await is_usable(page)
    await page.goto("/i/acme/disconnect")
    await page.get_by_role("button", name="Disconnect acme", exact=True).click()
    await page.get_by_role("alert").wait_for()
    await is_usable(page)
    await page.context.close()
    assert refused == []


async def test_keys_lead_everywhere_and_are_turned_off(furnished: Room, browser: Browser) -> None:
    page, refused = await tab(browser, furnished, "viewer", 1280, "light")
    await page.goto("/i/acme")
    for keys, path in (
        ("ge", "/i/acme/explain"),
        ("gm", "/i/acme/mappings"),
        ("gp", "/i/acme/replay"),
        ("gl", "/road"),
    ):
        await page.get_by_role("heading", level=1).click()
        for key in keys:
            await page.keyboard.press(key)
        await page.wait_for_url(f"**{path}")
    for key in ("g", "o"):
        await page.keyboard.press(key)
    await page.wait_for_url(f"{furnished.url}/")
    for name in ("globex", "initech"):
        await page.keyboard.press("j")
        await page.locator("[data-row] a:focus", has_text=name).wait_for()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/i/initech")
    await page.keyboard.press("?")
    await page.get_by_role("heading", name="Keys").wait_for()
    assert await findings(page) == []
    await page.get_by_role("button", name="Turn single keys off").click()
    for key in ("g", "o"):
        await page.keyboard.press(key)
    await page.keyboard.press("?")
    await page.get_by_role("heading", name="Keys").wait_for()
    assert page.url.endswith("/i/initech")
    await page.context.close()
    assert refused == []


async def test_leaving_an_edited_mapping_asks_first(furnished: Room, browser: Browser) -> None:
    page, refused = await tab(browser, furnished, "operator", 1280, "light")
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.goto("/i/acme/mappings/contacts-users/edit")
    await page.get_by_label("Target of Job title").fill("title")
    async with page.expect_event("dialog"):
        await page.get_by_role("link", name="Road").click(no_wait_after=True)
    assert page.url.endswith("/edit") and await page.get_by_label("Target of Job title").input_value() == "title"
    await page.get_by_role("button", name="Check types").click()
    await page.get_by_text("2 changes, not saved").wait_for()
    await page.get_by_role("button", name="Review and save").first.click()
    await page.wait_for_url("**/review/*")
    await page.get_by_role("link", name="Back to editing").click()
    await page.get_by_label("Target of Job title").press("End")
    await page.get_by_role("link", name="Discard changes").click()
    await page.wait_for_url("**/i/acme/mappings")
    assert asked == ["beforeunload"]
    await page.context.close()
    assert refused == []


async def test_seven_tabs_load_and_hidden_ones_hold_no_stream(furnished: Room, browser: Browser) -> None:
    page, _ = await tab(browser, furnished, "viewer", 1280, "light")
    tabs = [page, *[await page.context.new_page() for _ in range(6)]]
    for each in tabs:
        await each.goto("/road")
        assert await heading(each) == "Road"
    hide = "Object.defineProperty(document, 'hidden', {value: true})"
    await page.evaluate(f"{hide}; document.dispatchEvent(new Event('visibilitychange'))")
    assert await page.evaluate("stream === null")
    await page.context.close()


async def test_values_go_after_a_minute_and_do_not_come_back(furnished: Room, browser: Browser) -> None:
    page, _ = await tab(browser, furnished, "operator", 1280, "light")
    await page.goto(f"{OBJECT}/{CONTACT}")
    assert EMAIL not in await page.content()
    async with page.expect_response(lambda answer: answer.url.endswith("/values")) as answered:
        await page.get_by_role("button", name="Show values").click()
    headers = await (await answered.value).all_headers()
    assert headers["refresh"] == f"60; url={OBJECT}/{CONTACT}" and headers["cache-control"] == "no-store"
    assert EMAIL in await text(page) and EMAIL not in page.url
    await page.get_by_role("link", name="Hide values").click()
    await page.wait_for_url(f"**{OBJECT}/{CONTACT}")
    stored = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert EMAIL not in stored
    with pytest.raises(Error, match="ERR_CACHE_MISS"):  # the browser would have to ask, and be recorded, once more
        await page.go_back()
    await page.context.close()


async def test_a_group_is_tried_again_and_a_viewer_sees_it(furnished: Room, browser: Browser) -> None:
    for script in (True, False):
        page, refused = await tab(browser, furnished, "operator", 420, "light", script=script)
        await page.goto("/i/acme/refused")
        await page.get_by_role("link", name="Not an option of the target").first.click()
        await page.get_by_role("link", name="Try 9 again").click()
        assert "Try 9 again?" in await text(page)
        furnished.it.letters.tried.clear()
        furnished.it.letters.put(letter("cc"))  # refused after it was looked at
        await page.get_by_role("button", name="Try the 9 again").click()
        await page.wait_for_url("**/i/acme/refused")
        assert len(furnished.it.letters.tried) == 9 and "cc" * 16 not in furnished.it.letters.tried
        furnished.it.letters.there = [one for one in furnished.it.letters.there if one.letter.id != "cc" * 16]
        await page.context.close()
        assert refused == []


async def test_a_full_sync_and_what_was_refused_are_started_by_keys_alone(furnished: Room, browser: Browser) -> None:
    page, refused = await tab(browser, furnished, "operator", 1280, "light")
    furnished.it.publisher.sent.clear()
    await page.goto("/i/acme/full-sync")
    await entered(page, "main a", "Run full sync")
    await page.wait_for_url("**/full-sync/start")
    await entered(page, "main form button", "Run full sync")
    await page.wait_for_url("**/i/acme/full-sync")
    assert [topic for topic, *_ in furnished.it.publisher.sent if topic == RUNS] == [RUNS]
    furnished.it.letters.tried.clear()
    await page.goto("/i/acme/refused")
    await entered(page, "main a", "Not an option of the target")
    await page.wait_for_url("**/refused/not_an_option*")
    await entered(page, "main a", "Try 9 again")
    await page.wait_for_url("**/again*")
    await entered(page, "main form button", "Try the 9 again")
    await page.wait_for_url("**/i/acme/refused")
    assert len(furnished.it.letters.tried) == 9
    await page.context.close()
    assert refused == []


async def entered(page: Page, kind: str, name: str) -> None:
    """Go on by the tab key until what has that name is focused, and press Enter."""
    focused = page.locator(f"{kind}:focus", has_text=name)
    for _ in range(100):
        await page.keyboard.press("Tab")
        if await focused.count():
            return await page.keyboard.press("Enter")
    pytest.fail(f"no tab key leads to {name}")


async def test_a_stage_that_stands_still_is_told_and_so_is_its_end(furnished: Room, browser: Browser) -> None:
    page, refused = await tab(browser, furnished, "viewer", 1280, "light")
    await page.goto("/road?integration=acme")
    await page.get_by_role("heading", name="Road").wait_for()
    furnished.waits_ms, furnished.state = 252_000, "STOP"
    await page.get_by_text("Stopped at userflow sink", exact=True).wait_for(timeout=15_000)
    assert "4 min 12 s" in (await page.locator("svg.road").text_content() or "")
    assert await page.locator("#said").inner_text() == "Road: Stopped at userflow sink"
    assert await findings(page) == []
    furnished.waits_ms, furnished.state = 2_000, "OK"
    await page.get_by_text("Stopped at userflow sink", exact=True).wait_for(state="detached", timeout=15_000)
    await page.context.close()
    assert refused == []


async def test_what_is_hostile_runs_nowhere_and_the_policy_has_nothing_to_refuse(browser: Browser) -> None:
    scrolls, opened = list[str](), list[str]()
    async with room(make_hostile) as it:
        for width, scheme in ((1280, "light"), (320, "dark")):
            page, refused = await tab(browser, it, "admin", width, "light" if scheme == "light" else "dark")
            page.on("dialog", lambda dialog: opened.append(dialog.message))
            for path in looked_at():
                await page.goto(path)
                wide = await page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                if wide > 0:
                    scrolls.append(f"{path} by {wide} px at {width}: {await page.evaluate(WIDEST)}")
                assert await page.evaluate("[...document.scripts].every(one => one.src.includes('/static/'))"), path
            await page.context.close()
            assert refused == []
    assert opened == []
    assert not scrolls, "\n".join(scrolls)


async def test_what_a_viewer_may_not_do_is_not_offered(furnished: Room, browser: Browser) -> None:
    page, _ = await tab(browser, furnished, "viewer", 420, "light")
    for _, path in PATHS:
        answer = await page.goto(path)
        assert answer is not None
        if answer.status == 403:
            assert "This needs the role" in await heading(page)
        for form in await page.locator("form[method=post]").all():
            action = await form.get_attribute("action") or ""
            looks = "/unlinked" in path or action.endswith("/explain")  # a search changes nothing
            assert looks or action.endswith(("/sign-out", "/doctor")), (path, action)
    await page.context.close()


async def test_everything_is_read_without_script(furnished: Room, browser: Browser) -> None:
    """What it is for stands in the page that is sent, and nothing waits for a script."""
    with_script, _ = await tab(browser, furnished, "operator", 1280, "light")
    without, _ = await tab(browser, furnished, "operator", 1280, "light", script=False)
    for name, path in PATHS:
        await with_script.goto(path)
        await without.goto(path)
        both = [await page.locator("main").inner_text() for page in (with_script, without)]
        assert both[0].split() == both[1].split() or name in CLOCKS, name
    await with_script.context.close()
    await without.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_without_script_has_systems_asked(furnished: Room, browser: Browser, scheme: Scheme) -> None:
    page, refused = await tab(browser, furnished, "operator", 420, scheme, script=False)
    await page.goto(f"{OBJECT}/999")
    assert await heading(page) == "acme" and "Nothing is known of Contact 999." in await text(page)
    await page.get_by_role("button", name="Look now").click()
    said = await text(page)
    assert "Nobody there has it" in said and "missing_scopes" in said and "is asked once it is back" in said
    assert await page.get_by_role("button", name="Look again").count() == 1
    assert refused == []
    await page.context.close()


WIDEST = """[...document.querySelectorAll("main *")].filter(one => one.getBoundingClientRect().right > innerWidth + 1)
  .slice(-3).map(one => `${one.tagName}.${one.getAttribute("class")}`).join(", ")"""
"""What sticks out of the window."""
CLOCKS = frozenset({"doctor"})
"""Pages that say how long they took."""


async def test_brokers_that_are_away_are_told_while_one_looks(furnished: Room, browser: Browser) -> None:
    page, refused = await tab(browser, furnished, "operator", 1280, "dark")
    for path in ("/", "/road"):
        await page.goto(path)
        furnished.away = True
        await page.get_by_text("The brokers do not answer.").wait_for(timeout=15_000)
        await page.locator("body.old").wait_for(timeout=15_000)
        await is_usable(page)
        furnished.away = False
        await page.get_by_text("The brokers do not answer.").wait_for(state="detached", timeout=15_000)
        await page.locator("body:not(.old)").wait_for(timeout=15_000)
    await page.goto(f"{OBJECT}/{CONTACT}")
    await page.get_by_label("More actions").click()
    asks = page.get_by_role("button", name="Read both sides again")
    await page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<i data-away></i>')")
    await page.locator("body.old").wait_for(timeout=15_000)
    assert await asks.is_disabled()
    await page.evaluate("document.querySelector('[data-away]').remove()")
    await page.locator("body:not(.old)").wait_for(timeout=15_000)
    assert await asks.is_enabled()
    await page.goto("/road")
    assert "not known" not in (await text(page)).split("By stage")[0]
    await page.context.close()
    assert refused == []
