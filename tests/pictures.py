"""Pictures of every page of the console in every state, wide and narrow, and beside those of a prototype.

    python -m tests.pictures FOLDER [--prototype FOLDER]

The console stands on tables in memory and answers on this machine; Debian's chromium takes the pictures.
"""

import argparse
import asyncio
import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from playwright.async_api import Browser

from tests.e2e.browsing import chromium
from tests.e2e.showroom import PATHS, Room, room

WIDTHS: Final = (1280, 420)
DRAWN_AS: Final[Mapping[str, str]] = {
    "overview": "index",
    "health": "integration",
    "health-reconnect": "integration-reconnect",
    "health-away": "integration-away",
    "health-paused": "integration-paused",
    "health-disconnected": "integration-disconnected",
    "full-sync-running": "full-sync",
    "refused-none": "refused-empty",
    "unlinked": "explain-list",
    "object": "explain-object",
    "object-not-linked": "explain-unlinked",
    "object-several": "explain-several",
    "replay-done": "replay-running",
    "mapping-edit": "mapping-edit",
}
"""Pages that the prototype calls otherwise; the rest are called there as here, or are not drawn."""


async def take(folder: Path, prototype: Path | None) -> list[str]:
    """Take all pictures; returns the names of the pages."""
    async with room() as it, chromium() as browser:
        for width in WIDTHS:
            await _ours(browser, it, folder, width)
            if prototype is not None:
                await _theirs(browser, prototype, folder, width)
    return [name for name, _ in PATHS]


async def _ours(browser: Browser, it: Room, folder: Path, width: int) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
        storage_state=await it.cookies(browser, "admin"),
        base_url=it.url,
    )
    page = await context.new_page()
    for name, path in PATHS:
        await page.goto(path)
        await page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
    await context.close()


async def _theirs(browser: Browser, prototype: Path, folder: Path, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = await context.new_page()
    for name, _ in PATHS:
        drawn = prototype / f"{DRAWN_AS.get(name, name)}.html"
        if drawn.is_file():
            await page.goto(drawn.resolve().as_uri())
            await page.screenshot(path=folder / f"{name}-{width}-drawn.png", full_page=True)
    await context.close()


def _beside(folder: Path, names: list[str]) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><title>The console</title><h1>Built and drawn</h1>'
    for name in names:
        for width in WIDTHS:
            yield f"<h2>{html.escape(name)}, {width} px</h2>"
            for file in (f"{name}-{width}.png", f"{name}-{width}-drawn.png"):
                if (folder / file).is_file():
                    yield f'<a href="{file}"><img src="{file}" width="{width // 2}" alt="{html.escape(file)}"></a> '
    yield "</html>"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prototype", type=Path, help="a folder of still pages to take beside")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    names = asyncio.run(take(given.folder, given.prototype))
    (given.folder / "index.html").write_text("".join(_beside(given.folder, names)))
    print(f"{len(names)} pages at {' and '.join(map(str, WIDTHS))} px: {given.folder / 'index.html'}")  # noqa: T201


if __name__ == "__main__":
    main()
