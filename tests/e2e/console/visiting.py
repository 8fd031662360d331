"""Visitors of a running console: tabs that see whether anything is refused, asked elsewhere, or hard to use."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import unquote_plus

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # it has none
from playwright.async_api import Browser, BrowserContext, Page

from pipeline.commands.console_actions import console_link
from schemas.operating import ConsoleRole
from schemas.topics import AUDIT
from tests.e2e.browsing import CHROMIUM
from tests.e2e.world import World, eventually

RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
WIDE, NARROW = 1280, 420
SHOWN_MS: Final = 90_000.0
Scheme = Literal["light", "dark"]
SCHEMES: Final[Sequence[Scheme]] = ("light", "dark")
HERE: Final = CHROMIUM is not None


@dataclass
class House:
    """The running pipeline, the pairs that were made, and who is signed in already."""

    it: World
    made: Sequence[tuple[str, str]]
    states: dict[str, Any] = field(default_factory=dict)  # Any: cookies, as the browser keeps them
    synced: bool = False

    @property
    def url(self) -> str:
        return self.it.machine.endpoints.console_url

    async def link(self, role: ConsoleRole = "admin") -> str:
        """A link, by what the command does."""
        return await asyncio.to_thread(console_link, self.it.machine.settings, role)

    async def in_step(self) -> None:
        """Apply and sync once, whoever comes first."""
        if not self.synced:
            await self.it.apply()
            await self.it.full_sync()
            self.synced = True


@asynccontextmanager
async def visitor(
    browser: Browser,
    house: House | None = None,
    role: ConsoleRole | None = None,
    *,
    script: bool = True,
    width: int = WIDE,
    scheme: Scheme = "light",
) -> AsyncIterator[Page]:
    """A tab of its own profile, signed in where a role is named; what the content policy refuses fails the test."""
    state = await _signed_in(browser, house, role) if house is not None and role is not None else None
    context = await browser.new_context(
        java_script_enabled=script,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",  # spinners are painted by the processor here
        storage_state=state,
        base_url=house.url if house is not None else None,
    )
    refused: list[str] = []
    try:
        yield await _watched(context, refused)
        assert refused == []
    finally:
        await context.close()


async def _watched(context: BrowserContext, refused: list[str]) -> Page:
    context.on("console", lambda told: refused.append(told.text) if "Content Security" in told.text else None)
    return await context.new_page()


async def _signed_in(browser: Browser, house: House, role: ConsoleRole) -> Any:
    """The cookie of that role: somebody signs in once, and all visitors of the role are of that session."""
    if role not in house.states:
        context = await browser.new_context()
        page = await context.new_page()
        await enter(page, await house.link(role))
        house.states[role] = await context.storage_state()
        await context.close()
    return house.states[role]


async def enter(page: Page, url: str) -> None:
    """Open a link and sign in."""
    await page.goto(url)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", level=1).filter(has_not_text="Sign in").wait_for()


async def findings(page: Page) -> list[str]:
    """What axe finds on the page, each with the elements that it is about."""
    told = await Axe().run(page, options={"runOnly": list(RULES), "resultTypes": ["violations"]})
    return [
        f"{one['id']}: {one['help']}: {json.dumps([node['html'][:160] for node in one['nodes'][:3]])}"
        for one in told.response["violations"]
    ]


async def is_usable(page: Page) -> None:
    """Nothing that axe finds, one heading of the first level, nothing that scrolls sideways."""
    assert await findings(page) == [], page.url
    assert await page.get_by_role("heading", level=1).count() == 1, page.url
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} scrolls sideways by {wide} px"


async def shows(page: Page, words: str, within_s: float = SHOWN_MS / 1000, *, script: bool = True) -> None:
    """Wait until the page says so; without script it is asked for anew."""
    if script:
        return await page.get_by_text(words).first.wait_for(timeout=within_s * 1000)

    async def text() -> str:
        await page.reload()
        return await page.inner_text("body")

    said = await eventually(text, lambda text: words in text, within_s, 0.5)
    assert words in said, said


async def usable_in_both(page: Page) -> None:
    """Light and dark."""
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        await is_usable(page)


async def told_nowhere(it: World, asked: Sequence[str], page: Page, *secrets: str) -> None:
    """Values stand in no address, log, audit or storage of the browser."""
    stored = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    audited = repr(await asyncio.to_thread(it.records, AUDIT))
    for secret in secrets:
        assert not [url for url in asked if secret in unquote_plus(url)]
        assert not [place for place in (stored, audited, it.log("console")) if secret in place]
