"""Pictures of every page of the console in every state, wide and narrow, and beside those of a prototype.

    python -m tests.pictures FOLDER [--prototype FOLDER]

The console stands on tables in memory and answers on this machine; Debian's chromium takes the pictures.
"""

import argparse
import asyncio
import html
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from playwright.async_api import Browser, Page

from pipeline.integration_file.export import MAPS_NOTHING
from pipeline.operations.pair_counts import End, PairCounts, Sample
from schemas.configuration import SystemSettings
from schemas.operating import ConsoleRole
from schemas.topics import MAPPINGS
from tests.e2e.browsing import chromium
from tests.e2e.showroom import OBJECT, PATHS, Room, furnish, room
from tests.unit.pipeline.console.fixtures import DOCUMENT, InMemory, connect
from tests.unit.pipeline.core.given import CONTACT

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
    "object-values": "explain-object-values",
    "review": "mapping-review",
    "review-values": "mapping-edit-values",
    "replay-draft": "replay",
    "edit-problem": "mapping-edit-problem",
    "overview-away": "index-broker-away",
    "overview-empty": "index-empty",
    "nothing-mapped": "integration-new",
}
"""Pages that the prototype calls otherwise; the rest are called there as here, or are not drawn."""


OTHERS: Final = ("overview-empty", "overview-away", "no-permission", "road-stopped")
"""Of another installation, role or time."""
Walk = Callable[[Page], Awaitable[object]]
EDIT: Final = "/i/acme/mappings/contacts-users/edit"


def pressed(path: str, button: str, role: Literal["button", "link"] = "button") -> Walk:
    """What one button of a page leads to."""

    async def walk(page: Page) -> None:
        await page.goto(path)
        await page.get_by_role(role, name=button).first.click()
        await page.wait_for_load_state()

    return walk


def opened(path: str) -> Walk:
    return lambda page: page.goto(path)


async def _misfit(page: Page) -> None:
    await page.goto(EDIT)
    await page.get_by_label("Target of Plan").fill("score")
    await page.get_by_role("button", name="Review and save").first.click()
    await page.get_by_role("alert").wait_for()


async def _reviewed(page: Page) -> None:
    await page.goto(EDIT)
    await page.get_by_label("Target of Job title").fill("title")
    await page.get_by_role("button", name="Review and save").first.click()
    await page.get_by_text("If you saved this now").wait_for()


async def _with_values(page: Page) -> None:
    await _reviewed(page)
    await page.get_by_role("button", name="Show values").click()
    await page.get_by_text("Values are shown for one minute.").wait_for()


async def _taken(page: Page) -> None:
    """Add an integration under a name that another has."""
    await page.goto("/connect")
    named = {"Name": "acme", "API key": "uf", "Account number": "1", "Client ID": "app", "Client secret": "of-the-app"}
    for label, typed in named.items():
        await page.get_by_label(label, exact=label == "Name").fill(typed)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await page.get_by_text("There is an integration of this name already").first.wait_for()


async def _waits(page: Page) -> None:
    await page.goto("/i/newco/connection/grant")
    await page.get_by_role("button", name="Make a link").click()
    await page.get_by_text("Waiting for you in HubSpot").wait_for()


async def _by_draft(page: Page) -> None:
    await _reviewed(page)
    await page.get_by_role("link", name="Plan a replay by these rules").click()
    await page.get_by_text("Through which rules?").wait_for()


async def _picked(page: Page) -> None:
    await page.goto(EDIT)
    await page.locator("summary", has_text="Add a HubSpot field").click()


async def _not_taken(page: Page) -> None:
    await page.goto("/sign-in")
    await page.get_by_label("One-time code").fill("of another day")
    await page.get_by_role("button", name="Sign in").click()


WALKS: Final[Mapping[str, Walk]] = {
    **{name: opened(path) for name, path in PATHS},
    "sign-in": opened("/sign-in"),
    "sign-in-expired": _not_taken,
    "nothing-mapped": opened("/i/newco"),
    "edit-picker": _picked,
    "edit-problem": _misfit,
    "review": _reviewed,
    "review-values": _with_values,
    "connect-errors": _taken,
    "connect-waiting": _waits,
    "replay-draft": _by_draft,
    "replay-plan": pressed("/i/acme/replay", "Plan replay"),
    "object-values": pressed(f"{OBJECT}/{CONTACT}", "Show values"),
    "object-looked-for": pressed(f"{OBJECT}/999", "Look now"),
    "connection-keys": opened("/i/acme/connection/keys"),
    "mapping-remove": opened("/i/acme/mappings/contacts-users/remove"),
    "disconnect-mistyped": pressed("/i/acme/disconnect", "Disconnect acme"),
}
"""Each page in each state, and how one comes there."""


def furnished(it: InMemory) -> None:
    furnish(it)
    nothing = DOCUMENT.replace("acme", "newco").partition("mappings:")[0] + MAPS_NOTHING
    connect(it, "newco", document=nothing, hubspot=SystemSettings("44120018", {"client_id": "app"}))
    sample = Sample("userflow", "8812", {"title": (None, "Captain")})
    counts: Counter[End] = Counter({"written": 1_204, "equal": 46_801, "refused": 3})
    it.planner.records = (it.tables.table(MAPPINGS)["acme/contacts-users"],)
    it.planner.counts = PairCounts(counts, 12, Counter({"userflow": 1_204}), samples=[sample])


async def take(folder: Path, prototype: Path | None) -> list[str]:
    """Take all pictures; returns the names of the pages."""
    async with room(furnished) as it, room(lambda _: None) as empty, chromium() as browser:
        for width in WIDTHS:
            await _ours(browser, it, folder, width)
            await _one(browser, empty, "admin", folder / f"overview-empty-{width}.png", width, "/")
            await _one(browser, it, "viewer", folder / f"no-permission-{width}.png", width, "/connect")
            it.waits_ms, it.state = 252_000, "STOP"
            await _one(browser, it, "viewer", folder / f"road-stopped-{width}.png", width, "/road?integration=acme")
            it.waits_ms, it.state, it.away = 2_000, "OK", True
            await _one(browser, it, "viewer", folder / f"overview-away-{width}.png", width, "/")
            it.away = False
            if prototype is not None:
                await _theirs(browser, prototype, folder, width)
    return [*WALKS, *OTHERS]


async def _ours(browser: Browser, it: Room, folder: Path, width: int) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
        storage_state=await it.cookies(browser, "admin"),
        base_url=it.url,
    )
    page = await context.new_page()
    for name, walk in WALKS.items():
        await walk(page)
        await page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
    await context.close()


async def _one(browser: Browser, it: Room, role: ConsoleRole, picture: Path, width: int, path: str) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
        storage_state=await it.cookies(browser, role),
        base_url=it.url,
    )
    page = await context.new_page()
    await page.goto(path)
    await page.screenshot(path=picture, full_page=True)
    await context.close()


async def _theirs(browser: Browser, prototype: Path, folder: Path, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = await context.new_page()
    for name in (*WALKS, *OTHERS):
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
