"""Parts of a page that are told anew, in a browser over a console in memory: what is refused, and what comes late."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.e2e.alone import console_in_memory, enter
from tests.e2e.browsing import CHROMIUM
from tests.e2e.visiting import visitor
from tests.unit.pipeline.console.fixtures import InMemory

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not here: apt-get install chromium"),
]
LONGEST_MS = 15_000.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it() -> AsyncIterator[InMemory]:
    async with console_in_memory() as made:
        yield made


async def part_in_use(page: Page) -> Locator:
    """The field in a part of the page, the focus in it."""
    await page.evaluate("""
        const part = document.createElement("div");
        part.id = "part";
        part.append(document.createElement("input"));
        document.body.append(part);
    """)
    field = page.locator("#part input")
    await field.focus()
    return field


async def test_a_page_whose_stream_was_refused_asks_again(
    it: InMemory, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams of pages that were left may still be open as the next is asked for: a page was old for ever then."""
    async with visitor(browser) as page:
        await enter(it, page)
        monkeypatch.setattr("pipeline.console.live.MOST_OF_ONE", 0)
        await page.goto(it.address)
        await expect(page.locator("#live")).to_contain_text("Not live")
        await expect(page.locator("body.old")).to_have_count(0)  # it is old, and works
        monkeypatch.undo()
        await expect(page.locator("#live")).to_have_text("Live", timeout=LONGEST_MS)


async def test_what_waits_for_a_part_in_use_replaces_nothing_newer(it: InMemory, browser: Browser) -> None:
    """It was swapped in by a timer of its own, after what had come meanwhile, and stayed."""
    async with visitor(browser) as page:
        await enter(it, page)
        field, part = await part_in_use(page), page.locator("#part")
        await page.evaluate("swap({id: 'part', html: 'older'})")
        await expect(field).to_be_focused()
        await field.blur()
        await page.evaluate("swap({id: 'part', html: 'newer'})")
        await expect(part).to_have_text("newer")
        await page.evaluate("new Promise((passed) => setTimeout(passed, 1500))")  # behind every timer of before
        await expect(part).to_have_text("newer")


async def test_of_what_waits_for_a_part_in_use_the_newest_is_shown(it: InMemory, browser: Browser) -> None:
    async with visitor(browser) as page:
        await enter(it, page)
        field = await part_in_use(page)
        for told in ("older", "newer"):
            await page.evaluate(f"swap({{id: 'part', html: '{told}'}})")
        await page.evaluate("new Promise((passed) => setTimeout(passed, 1500))")  # one turn of its timer: still in use
        await expect(field).to_be_focused()
        await field.blur()
        await expect(page.locator("#part")).to_have_text("newer")
