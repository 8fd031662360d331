"""What a page shows is told anew when it changes, aloud what it has come to, and as long as its session lasts."""

import asyncio
import json
import re
from typing import Any, Final

import pytest

from connectors.kafka.groups import BrokersUnreachable
from pipeline.console import live
from pipeline.console.access import IDLE_MS
from pipeline.console.live import MOST_OF_ONE
from pipeline.console.routes import PAGES
from schemas.operating import AuditEntry
from tests.unit.pipeline.console.fixtures import AT_MS, InMemory, connect, in_memory
from tests.unit.pipeline.console.test_pages import hostile, lag, ran, text

PARTS: Final = {
    **{"{integration}": "acme", "{system}": "hubspot", "{type}": "contacts"},
    **{"{handle}": "101", "{replay}": "1-7c1e"},
}


async def test_a_part_is_told_when_it_changes_and_only_then() -> None:
    it = in_memory(lag)
    connect(it)
    ran(it, "running", phase="read", step="crawl")
    signed_in = await it.signed_in("viewer")
    told: dict[str, list[str]] = {"live_run": [], "live_head": []}

    async def listen() -> None:
        async for line in lines_of(it, signed_in.client.cookies, "/i/acme/full-sync"):
            if line.startswith("data: ") and len(line) > 10:
                part = json.loads(line[6:])
                if part["id"] not in told:  # the list beside the page changes with it
                    continue
                told[part["id"]].append(text(part["html"]))
                if [len(some) for some in told.values()] == [1, 1]:
                    ran(it, "completed")
                elif min(len(some) for some in told.values()) == 2:
                    return

    async with asyncio.timeout(30):
        await listen()
    first, last = told["live_run"]
    assert "Full sync running" in first and "In step since" in last
    assert "Running" in first and "Running" not in last  # so says its history
    assert told["live_head"] == ["First full sync", "In step"]


async def test_what_is_told_anew_is_of_the_same_filter() -> None:
    it = in_memory(lambda: lag("globex", waits_ms=60_000, records=5))
    connect(it)
    signed_in = await it.signed_in("viewer")
    page = (await signed_in.get("/road?integration=globex")).text
    (of,) = re.findall(r'data-live-path="/live\?of=([^"]+)"', page)
    async with asyncio.timeout(30):
        async for line in lines_of(it, signed_in.client.cookies, of):
            if line.startswith("data: ") and len(line) > 10:
                assert "By stage, of globex" in text(json.loads(line[6:])["html"])
                return


async def test_a_state_is_said_when_it_changes_and_no_figure_ever() -> None:
    it = in_memory(lag)
    connect(it)
    ran(it, "running", phase="read", step="crawl")
    signed_in = await it.signed_in("viewer")
    heard: list[str] = []

    async def listen() -> None:
        said = False
        async for line in lines_of(it, signed_in.client.cookies, "/i/acme/full-sync"):
            if line == "event: region" and not heard:
                ran(it, "completed")
            said = said or line == "event: said"
            if said and line.startswith("data: "):
                heard.append(json.loads(line[6:])["text"])
                return

    async with asyncio.timeout(30):
        await listen()
    assert heard == ["acme: In step"]


async def test_a_stream_outlives_brokers_that_are_away() -> None:
    it = in_memory(lag)
    connect(it)
    signed_in = await it.signed_in("viewer")
    looks: list[int] = []

    def look() -> Any:
        looks.append(1)
        if len(looks) == 2:
            raise BrokersUnreachable("no answer")
        return [AuditEntry(AT_MS, "acme", f"look {len(looks)}", "ada", "here")]

    it.desk.audit_look.look = look

    async def listen() -> None:
        async for line in lines_of(it, signed_in.client.cookies, "/activity"):
            if "look 3" in line:
                return

    async with asyncio.timeout(30):
        await listen()


async def test_a_stream_ends_with_its_session() -> None:
    it = in_memory(lag)
    connect(it)
    signed_in = await it.signed_in("viewer")
    cookies = signed_in.client.cookies

    async def listen() -> None:
        async for line in lines_of(it, cookies, "/"):
            session = it.access.session(next(iter(cookies.jar)).value or "")
            if line.startswith("data: ") and session is not None:
                await it.access.sign_out(session)

    async with asyncio.timeout(30):
        await listen()


async def test_there_is_no_stream_of_what_is_no_page() -> None:
    it = in_memory(lag)
    signed_in = await it.signed_in("viewer")
    for of in ("/settings", "/nothing", "http://evil.example/", "", "http://[", "//[x/"):
        assert (await signed_in.get(f"/live?of={of}")).status_code == 204


async def test_a_page_that_is_left_open_keeps_no_session_awake() -> None:
    it = in_memory(lag)
    signed_in = await it.signed_in("viewer")
    for _ in range(3):  # its script asks again every nine minutes
        it.now_ms[0] += IDLE_MS // 2
        status = (await signed_in.get("/live?of=/nothing")).status_code
    assert status == 303
    assert (await signed_in.get("/")).status_code == 303


async def test_a_stream_ends_when_its_session_grows_idle() -> None:
    it = in_memory(lag)
    connect(it)
    signed_in = await it.signed_in("viewer")

    async with asyncio.timeout(30):
        async for line in lines_of(it, signed_in.client.cookies, "/"):
            if line.startswith("data: "):
                it.now_ms[0] = AT_MS + IDLE_MS + 1


async def test_streams_that_are_asked_for_at_once_are_counted_before_they_begin() -> None:
    it = in_memory(lag)
    connect(it)
    signed_in = await it.signed_in("viewer")
    begun: asyncio.Queue[bool] = asyncio.Queue()

    async def listen() -> None:
        first = True
        async for _ in lines_of(it, signed_in.client.cookies, "/"):
            if first:
                first = False
                await begun.put(True)
        if first:
            await begun.put(False)

    for _ in range(2):  # what was open is not counted once it is over
        tasks = [asyncio.create_task(listen()) for _ in range(12)]
        async with asyncio.timeout(30):
            got = [await begun.get() for _ in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert sum(got) == MOST_OF_ONE


async def test_what_all_of_a_role_are_told_holds_nothing_of_one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SIGN_OF_LIFE_S", 0.0)  # it is given once every part was told
    it = hostile()
    connect(it)
    signed_in = await it.signed_in("admin")

    async def told(path: str) -> str:
        heard: list[str] = []
        async for line in lines_of(it, signed_in.client.cookies, path):
            if line in ("event: alive", "event: over"):
                return "\n".join(heard)
            heard.append(line)
        raise AssertionError(path)

    shared = [at.path for at in PAGES if at.live and not at.own]
    for name, part in PARTS.items():
        shared = [path.replace(name, part) for path in shared]
    async with asyncio.timeout(60):
        parts = dict(zip(shared, await asyncio.gather(*map(told, shared[:MOST_OF_ONE])), strict=False))
        for path in shared[MOST_OF_ONE:]:
            parts[path] = await told(path)
    assert sum("event: region" in part for part in parts.values()) >= len(shared) - 1
    for path, part in parts.items():
        assert signed_in.token not in part and "ada@build-7" not in part, path


async def lines_of(it: InMemory, cookies: Any, of: str) -> Any:
    """The lines of a stream as they are sent: httpx's transport gives an answer only once it is whole."""
    sent: asyncio.Queue[bytes | None] = asyncio.Queue()
    cookie = "; ".join(f"{one.name}={one.value}" for one in cookies.jar)
    headers = [(b"host", b"127.0.0.1:8090"), (b"cookie", cookie.encode()), (b"accept", b"text/event-stream")]
    scope = {
        **{"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/live"},
        **{"query_string": f"of={of}".encode(), "headers": headers, "root_path": "", "asgi": {"spec_version": "2.3"}},
    }

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await sent.put(message.get("body", b""))
            if not message.get("more_body"):
                await sent.put(None)

    app: Any = it.console.app
    answering: asyncio.Task[None] = asyncio.create_task(app(scope, receive, send))
    try:
        while (part := await sent.get()) is not None:
            for line in part.decode().splitlines():
                yield line
    finally:
        answering.cancel()
        await asyncio.wait([answering])
