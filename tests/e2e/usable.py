"""What every page of a running console is to be: usable by all, in light and dark, and telling values nowhere else."""

import asyncio
import json
from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import unquote_plus

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # it has none
from playwright.async_api import Page

from schemas.topics import AUDIT
from tests.e2e.browsing import CHROMIUM
from tests.e2e.world import World

RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
Scheme = Literal["light", "dark"]
SCHEMES: Final[Sequence[Scheme]] = ("light", "dark")
HERE: Final = CHROMIUM is not None


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
