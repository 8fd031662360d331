"""A person in Debian's own chromium who follows the link of `pairstream connect`, and the command that waits for it."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from playwright.async_api import Browser, Page, Response, async_playwright

from tests.e2e.world import World

CHROMIUM: Final = shutil.which("chromium")
WAITED_S: Final = 60.0
COOKIE: Final = "pairstream_browser"
_LINK: Final = re.compile(r"https?://\S+/oauth/hubspot/start\?link=\S+")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser of the distribution, so that none is downloaded."""
    async with async_playwright() as playwright:
        # root runs tests in containers, where the browser's own sandbox cannot be made
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def tab(browser: Browser) -> AsyncIterator[Page]:
    """A page of a browser profile of its own: it shares no cookie with others."""
    context = await browser.new_context()
    try:
        yield await context.new_page()
    finally:
        await context.close()


@dataclass
class Connecting:
    """A `pairstream connect` that waits, and its link."""

    process: asyncio.subprocess.Process
    link: str
    said: str

    async def ends(self, code: int) -> str:
        """All that it printed, once it ended with that code."""
        async with asyncio.timeout(WAITED_S):
            out, _ = await self.process.communicate()
        self.said += out.decode()
        assert self.process.returncode == code, self.said
        return self.said


@asynccontextmanager
async def connecting(it: World, name: str = "acme") -> AsyncIterator[Connecting]:
    """Run the command until it shows its link."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pipeline.cli",
        "connect",
        name,
        env={**os.environ, **it.machine.environment, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield await _shown(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _shown(process: asyncio.subprocess.Process) -> Connecting:
    said = ""
    assert process.stdout is not None
    async with asyncio.timeout(WAITED_S):
        while line := (await process.stdout.readline()).decode():
            said += line
            if found := _LINK.search(line):
                return Connecting(process, found[0], said)
    raise AssertionError(f"no link was shown: {said}")


async def choose(page: Page, link: str, button: str) -> Response:
    """Open the link, press a button on HubSpot's page, and wait until Pairstream's page tells how it ended."""
    await page.goto(link)
    await page.get_by_role("button", name=button).click()
    heading = page.get_by_role("heading", level=1)
    await heading.filter(has_not_text="One moment").filter(has_not_text="Simulated").wait_for()
    answer = await page.reload()
    assert answer is not None
    return answer


async def heading(page: Page) -> str:
    return await page.get_by_role("heading", level=1).inner_text()


async def text(page: Page) -> str:
    return await page.inner_text("body")
