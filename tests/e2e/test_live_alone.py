"""Parts of a page that are told anew, in a browser over a console in memory: what is refused, and what comes late."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from schemas.topics import INTEGRATIONS, RUNS
from tests.e2e.alone import console_in_memory, enter
from tests.e2e.browsing import CHROMIUM
from tests.e2e.visiting import visitor
from tests.e2e.world import eventually
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


@pytest.mark.parametrize("clicks", [1, 2])
async def test_a_form_is_sent_once_and_its_page_waits_for_the_answer(
    it: InMemory, browser: Browser, monkeypatch: pytest.MonkeyPatch, clicks: int
) -> None:
    """A review is over once it is saved: its page asked for itself anew then, and so gave up the answer to the save.

    It said that the review was made in another session.
    """
    sent, release, began = it.publisher.send, asyncio.Event(), len(it.publisher.sent)

    def send(topic: str, *of_it: Any, **more: Any) -> "asyncio.Future[Any]":
        taken = sent(topic, *of_it, **more)
        return asyncio.ensure_future(_once(release, taken)) if topic == RUNS else taken

    monkeypatch.setattr(it.publisher, "send", send)
    async with visitor(browser) as page:
        await enter(it, page)
        await page.goto(f"{it.address}/i/acme/mappings/contacts-users/edit")
        await page.get_by_role("button", name="Review and save").first.click()
        await page.get_by_text("If you saved this now").wait_for()
        await page.get_by_label("Save and run a full sync").check()
        async with page.expect_event("requestfailed", lambda request: "/live" in request.url):  # its stream is closed
            await page.get_by_role("button", name="Save mapping").click(click_count=clicks, no_wait_after=True)
        assert await eventually(lambda: asked(it), bool, LONGEST_MS / 1000), "no full sync is asked for"
        release.set()
        await page.get_by_role("heading", name="Full sync").first.wait_for()
    told = [topic for topic, _, _ in it.publisher.sent[began:]]
    assert (told.count(INTEGRATIONS), told.count(RUNS)) == (1, 1)


async def asked(it: InMemory) -> bool:
    return any(topic == RUNS for topic, _, _ in it.publisher.sent)


async def _once(release: asyncio.Event, taken: "asyncio.Future[Any]") -> Any:
    await release.wait()
    return await taken
