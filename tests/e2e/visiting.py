"""Somebody at the console in Debian's chromium: signing in, and the steps from nothing to a green check, each timed."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page
from playwright.async_api import TimeoutError as NotInTime

from tests.e2e.browsing import text
from tests.e2e.world import World

SHOWN_MS: Final = 90_000.0
ALLOW: Final = "Connect account 12345678"


@asynccontextmanager
async def visitor(browser: Browser, *, script: bool = True, width: int = 1280) -> AsyncIterator[Page]:
    """A tab of its own profile; whatever the content security policy refuses fails the test."""
    context = await browser.new_context(java_script_enabled=script, viewport={"width": width, "height": 900})
    page = await context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
    try:
        yield page
        assert refused == []
    finally:
        await context.close()


async def link(it: World, role: str = "admin") -> str:
    return (await it.answer("console", "link", "--role", role)).strip()


async def enter(it: World, page: Page, url: str, *, script: bool = True) -> None:
    """Sign in by a link; without script its code is pasted."""
    await page.goto(url if script else it.machine.endpoints.console_url)
    if not script:
        await page.get_by_label("One-time code").fill(url)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", level=1).filter(has_not_text="Sign in").wait_for()


async def sign_in(it: World, page: Page, role: str = "admin", *, script: bool = True) -> None:
    """Sign in by a link of one's own."""
    await enter(it, page, await link(it, role), script=script)


async def until_said(page: Page, words: str, *, script: bool = True, within_s: float = SHOWN_MS / 1000) -> None:
    """Wait until the page says so: by itself, or without script after reloads."""
    if script:
        try:
            await page.get_by_text(words).first.wait_for(timeout=within_s * 1000)
        except NotInTime as error:
            raise AssertionError(f"{words} is not said: {await text(page)}") from error
        return
    deadline = time.monotonic() + within_s
    while words not in await text(page):
        assert time.monotonic() < deadline, f"{words} is not said: {await text(page)}"
        await asyncio.sleep(0.5)
        await page.reload()


async def downloaded(page: Page) -> str:
    """The file of ids."""
    async with page.expect_download() as got:
        await page.get_by_role("link", name="Download ids as CSV").click()
    kept = await (await got.value).path()
    return await asyncio.to_thread(Path(kept).read_text)


@dataclass
class Tour:
    """Steps on a page, timed; a picture of each where a folder is given."""

    page: Page
    pictures: Path | None = None
    steps: list[tuple[str, float]] = field(default_factory=list)

    async def step(self, name: str, do: Callable[[], Awaitable[object]], picture: str = "") -> None:
        """One step, and a picture of what it leads to."""
        began = time.monotonic()
        await do()
        self.steps.append((name, time.monotonic() - began))
        if self.pictures is not None and picture:
            await self.page.screenshot(path=self.pictures / f"{picture}.png", full_page=True)

    @property
    def took_s(self) -> float:
        return sum(took for _, took in self.steps)

    def record(self) -> str:
        """The steps and their times, a line each."""
        lines = [f"{took:6.1f} s  {name}" for name, took in self.steps]
        return "\n".join([*lines, f"{self.took_s:6.1f} s  in all"])


async def add_integration(tour: Tour, name: str) -> None:
    """From the overview to an integration that is connected: the form, HubSpot's window, and back."""
    page = tour.page
    await tour.step("Add integration", page.get_by_role("link", name="Add integration").click, "add")
    await page.get_by_label("Name", exact=True).fill(name)

    async def connect() -> None:
        await page.get_by_role("button", name="Connect").click()
        await until_said(page, "Waiting for you in HubSpot's window.")

    await tour.step("Name it, Connect", connect, "waiting")

    async def grant() -> None:
        async with page.context.expect_page() as opened:
            await page.get_by_role("link", name="Connect with HubSpot").click()
        window = await opened.value
        await window.get_by_role("button", name=ALLOW).click()
        await until_said(page, "Connected to HubSpot account")
        await window.close()

    await tour.step("Connect with HubSpot, choose the account", grant, "connected")


async def add_field(page: Page, side: str, search: str) -> None:
    """Open a picker, search, and take what is found first by Enter."""
    await page.locator("summary", has_text=f"Add a {side} field").click()
    box = page.locator("[data-picker][open] [data-filter]")
    await box.fill(search)
    async with page.expect_navigation():
        await box.press("Enter")


async def first_mapping(tour: Tour) -> None:
    """The first mapping, as far as its review."""
    page = tour.page
    await tour.step("Set up a mapping", page.get_by_role("link", name="Set up a mapping").first.click, "new-mapping")
    await tour.step("Continue", page.get_by_role("button", name="Continue").click)
    for side, search in (("HubSpot", "jobtitle"), ("HubSpot", "company.name"), ("Userflow", "plan")):

        async def pick(side: str = side, search: str = search) -> None:
            await add_field(page, side, search)

        await tour.step(f"Add {search}", pick)
    await page.get_by_label("All kinds, new ones too").check()
    if tour.pictures is not None:
        await page.evaluate("scrollTo(0, 0)")
        await page.screenshot(path=tour.pictures / "editor.png", full_page=True)

    async def review() -> None:
        await page.get_by_role("button", name="Review and save").first.click()
        await until_said(page, "If you saved this now")

    await tour.step("Review and save", review, "first-review")


async def counts(page: Page) -> dict[str, int]:
    """The figures of a review."""
    found = await page.eval_on_selector_all(
        "[data-count]", "all => all.map(one => [one.dataset.count, one.textContent.replaceAll(',', '')])"
    )
    return {name: int(number) for name, number in found}


def as_counted(told: dict[str, object]) -> dict[str, int]:
    """The figures of a full sync, under the names that a review has."""

    def of(name: str, system: str) -> int:
        by_system = told[name]
        assert isinstance(by_system, dict)
        return int(by_system.get(system, 0))

    refused = told["refused"]
    assert isinstance(refused, dict)
    return {
        "written.userflow": of("written", "userflow"),
        "written.hubspot": of("written", "hubspot"),
        "cleared": int(str(told["cleared"])),
        "equal": int(str(told["equal"])),
        "refused": sum(refused.values()),
        "unmatched.userflow": of("unmatched", "userflow"),
        "unmatched.hubspot": of("unmatched", "hubspot"),
        "several": int(str(told["ambiguous"])) + int(str(told["crowded"])),
    }
