"""A console over tables in memory that answers on this machine, for a browser; nothing behind it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from playwright.async_api import Page

from pipeline.bounded_http import ConnectionLimits
from pipeline.console.access import new_link
from pipeline.integration_file.export import to_yaml
from pipeline.integration_file.loader import read_document
from pipeline.local.ports import free_port
from pipeline.serving import serve
from schemas.topics import CONSOLE
from tests.unit.pipeline.console import fixtures
from tests.unit.pipeline.console.fixtures import DOCUMENT, InMemory, connect, in_memory
from tests.unit.pipeline.console.test_adding import scheduler
from tests.unit.pipeline.console.test_pages import lag, mapped

LIMITS: Final = ConnectionLimits(exchange_s=60.0, body_bytes=200_000)


@asynccontextmanager
async def console_in_memory() -> AsyncIterator[InMemory]:
    """Acme is connected, one mapping in force."""
    port = free_port()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fixtures, "URL", f"http://127.0.0.1:{port}")
        made = in_memory(lag)
    connect(made, document=to_yaml(read_document(DOCUMENT)))
    mapped(made)
    made.tables.subscribers.append(scheduler(made))
    made.desk.about.example.update({"integration": "demo"})  # type: ignore[attr-defined] # a dict here
    async with serve(made.console.app, "127.0.0.1", port, LIMITS):
        made.address = f"http://127.0.0.1:{port}"
        yield made
        made.console.close()


async def enter(it: InMemory, page: Page) -> None:
    """Sign in by a link."""
    made = new_link("admin", "ada@build-7", it.now_ms[0])
    it.tables.put(CONSOLE, made.key, made.row)
    await page.goto(f"{it.address}/sign-in#{made.secret}")
    await page.get_by_role("button", name="Sign in").press("Enter")
    await page.get_by_role("heading", level=1, name="Overview").wait_for()
