"""The editor of mappings in a browser, over a console in memory: the keyboard alone, and pages as narrow as a phone."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.alone import console_in_memory, enter
from tests.e2e.browsing import CHROMIUM
from tests.e2e.visiting import visitor
from tests.unit.pipeline.console.fixtures import InMemory

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not here: apt-get install chromium"),
]
EDITOR = "/i/acme/mappings/contacts-users/edit"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it() -> AsyncIterator[InMemory]:
    async with console_in_memory() as made:
        yield made


async def test_a_field_is_added_reviewed_and_saved_by_keys_alone(it: InMemory, browser: Browser) -> None:
    async with visitor(browser) as page:
        await enter(it, page)
        await page.goto(it.address + EDITOR)
        summary = page.locator("summary", has_text="Add a HubSpot field")
        await summary.focus()
        await page.keyboard.press("Enter")
        await page.locator("[data-filter]:focus").wait_for()
        await page.keyboard.press("Escape")
        await page.locator("summary:focus").wait_for()
        await page.keyboard.press("Enter")
        await page.locator("[data-filter]:focus").wait_for()
        await page.keyboard.type("company")
        await page.keyboard.press("ArrowDown")
        await page.locator("button:focus", has_text="company.name").wait_for()
        await page.keyboard.press("Enter")
        await page.get_by_text("1 change, not saved").wait_for()
        await page.get_by_role("button", name="Review and save").first.press("Enter")
        await page.get_by_text("If you saved this now").wait_for()
        await page.get_by_label("Save only").press("Space")
        await page.get_by_role("button", name="Save mapping").press("Enter")
        await page.wait_for_url("**/mappings/contacts-users")
    assert "company.name" in it.publisher.sent[-1][2].desired.document


@pytest.mark.parametrize("width", [1600, 420, 320])
async def test_nothing_scrolls_sideways(it: InMemory, browser: Browser, width: int) -> None:
    async with visitor(browser, width=width) as page:
        await enter(it, page)
        for path in ("/connect", "/i/acme/connection/keys", "/i/acme/mappings/new", EDITOR):
            await page.goto(it.address + path)
            if path == EDITOR:
                await page.locator("summary", has_text="Add a HubSpot field").click()
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
        await page.get_by_role("button", name="Review and save").first.click()
        await page.get_by_text("If you saved this now").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, "review"


async def test_what_was_typed_and_not_sent_survives_a_button(it: InMemory, browser: Browser) -> None:
    async with visitor(browser) as page:
        await enter(it, page)
        await page.goto(it.address + EDITOR)
        await page.get_by_label("Target of Job title").fill("my_title")
        await page.get_by_label("All kinds, new ones too").check()
        await page.get_by_role("button", name="Remove Plan").click()
        await page.get_by_role("button", name="Put Plan back").wait_for()
        assert await page.get_by_label("Target of Job title").input_value() == "my_title"
        assert await page.get_by_label("All kinds, new ones too").is_checked()
        assert page.url.endswith("#to_hubspot"), "the page is shown where it was"
