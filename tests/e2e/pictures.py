"""Makes the pictures of the documentation from the running console: `make pictures`.

With a folder as its argument it takes every page that there is, at 1280 and 420 px, into that folder instead.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page

from pipeline.console.routes import PAGES
from tests.e2e.browsing import chromium
from tests.e2e.visiting import SHOWN_MS, Tour, add_integration, first_mapping, sign_in, until_said, visitor
from tests.e2e.world import World, world_with_console

PICTURES: Final = Path(__file__).parents[2] / "docs" / "how-to" / "pictures"
PAGE: Final = PICTURES.parent / "first-integration.md"
NAME: Final = "acme"
PAIRS: Final = 40
WIDTHS: Final = (1280, 420)


async def tour(it: World, browser: Browser, folder: Path) -> None:
    """From nothing to a green check, with a picture of each page on the way."""
    async with visitor(browser) as page:
        await sign_in(it, page)
        walked = Tour(page, folder)
        await add_integration(walked, NAME)
        await first_mapping(walked)

        async def save() -> None:
            await page.get_by_role("button", name="Save mapping").click()
            await until_said(page, "It waits for you: it would write")

        async def let_write() -> None:
            await page.get_by_role("link", name="Look at it").click()
            await page.get_by_role("button", name="Let it write").click()
            await page.get_by_role("heading", name="In step since").wait_for(timeout=SHOWN_MS)

        await walked.step("Save mapping", save, "counted")
        await walked.step("Let it write", let_write, "green-check")
        await edited(it, page, folder)
        sys.stdout.write(f"{walked.record()}\n")


async def edited(it: World, page: Page, folder: Path) -> None:
    """An edit that is counted beforehand."""
    await page.goto(f"{it.machine.endpoints.console_url}/i/{NAME}/mappings/contacts-users/edit")
    await page.get_by_label(re.compile("Target of job ?title", re.IGNORECASE)).fill("title")
    await page.get_by_role("button", name="Review and save").first.click()
    await page.get_by_text("Userflow objects written").wait_for(timeout=SHOWN_MS)
    await page.screenshot(path=folder / "review.png", full_page=True)


async def every(it: World, browser: Browser, folder: Path) -> None:
    """Every page whose address needs no more than an integration and a mapping."""
    parts = {"{integration}": NAME, "{mapping}": "contacts-users"}
    for width in WIDTHS:
        async with visitor(browser, width=width) as page:
            await sign_in(it, page)
            for path in [at.path for at in PAGES if at.method == "GET"]:
                for part, text in parts.items():
                    path = path.replace(part, text)
                if "{" not in path:
                    await page.goto(it.machine.endpoints.console_url + path)
                    name = path.strip("/").replace("/", "-") or "overview"
                    await page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)


@asynccontextmanager
async def populated() -> AsyncIterator[World]:
    """A pipeline of its own, with people on both sides and nothing connected."""
    with tempfile.TemporaryDirectory() as folder:
        async with world_with_console(Path(folder), None) as it:
            company = await it.hubspot.create("companies", {"name": "Acme"})
            for number in range(PAIRS):
                contact_id, _ = await it.pair(number)
                await it.hubspot.associate("contacts", contact_id, "companies", company, primary=True)
            yield it


async def main(given: Path | None) -> None:
    """Pictures of the tour for the documentation, or of every page."""
    async with populated() as it, chromium() as browser:
        folder = PICTURES if given is None else given
        folder.mkdir(parents=True, exist_ok=True)
        await tour(it, browser, folder)
        if given is not None:
            return await every(it, browser, folder)
    for picture in PICTURES.glob("*.png"):
        picture.chmod(0o644)
        if f"pictures/{picture.name}" not in PAGE.read_text():
            picture.unlink()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
