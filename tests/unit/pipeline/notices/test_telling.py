"""The shell against a real socket: one scheduler of three tells, a takeover repeats under the same id at most, and
who does not answer is given up."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from pipeline.notices import telling
from pipeline.notices.conditions import of_integrations
from pipeline.notices.telling import GIVE_UP_MS, NoticeRoad, Notices
from schemas.configuration import ConnectorState, ConnectorStatus, IntegrationPart
from schemas.operating import Notice
from schemas.runs import FullSyncRun, RunProgress
from schemas.topics import INTEGRATIONS, NOTICES, RUNS
from tests.unit.connectors.http.listening import listening
from tests.unit.pipeline.full_sync.simulated import SETTINGS

SIGNS = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CONNECTION = SETTINGS.connection


@dataclass
class Installation:
    """Tables that show at once what is published, and three schedulers of which one is active."""

    url: str
    active: int = 0
    now_ms: int = 1_000_000
    status: ConnectorStatus = "ok"
    runs: dict[str, RunProgress] = field(default_factory=dict)
    rows: dict[str, Notice] = field(default_factory=dict)
    counted: list[str] = field(default_factory=list)
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    schedulers: list[Notices] = field(default_factory=list)
    roads: list[NoticeRoad] = field(default_factory=list)

    def table(self, topic: str) -> Mapping[str, Any]:
        state = ConnectorState(CONNECTION, 1, 1, self.status, reason=None if self.status == "ok" else "grant_revoked")
        parts = {
            "acme/settings": IntegrationPart("acme", settings=SETTINGS),
            "acme/hubspot": IntegrationPart("acme", connector=state),
        }
        tables: dict[str, Mapping[str, Any]] = {INTEGRATIONS: parts, RUNS: self.runs, NOTICES: self.rows}
        return dict(tables[topic])

    def get(self, topic: str, key: str) -> Any:
        return self.table(topic).get(key)

    async def send(self, topic: str, key: str, record: Any) -> tuple[int, int]:
        assert topic == NOTICES
        self.rows[key] = record
        return 0, 0

    def start(self, number: int) -> Notices:
        """A scheduler's notices that know nothing but the rows."""
        road = NoticeRoad.to(self.url, SIGNS, "")
        self.roads.append(road)
        return Notices(
            self,
            cast(Any, self),
            road,
            active=lambda: self.active == number,
            now_ms=lambda: self.now_ms,
            uniform=lambda low, high: high,
            count=self._count,
        )

    def _count(self, result: str) -> None:
        self.counted.append(result)
        self.tried.set()

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.now_ms += 1_000
            await asyncio.gather(*(one.look() for one in self.schedulers))


@dataclass
class Hook:
    """What was sent to the URL, and the status it answers."""

    status: int = 204
    ids: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
            lines = (line.partition(": ") for line in head.split("\r\n")[1:])
            names = {name: text for name, _, text in lines}
            body = await reader.readexactly(int(names["content-length"]))
            assert head.startswith("post /hook?team=a ")
            self.ids.append(names["webhook-id"])
            self.bodies.append(json.loads(body))
            writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()


@asynccontextmanager
async def installation(hook: Hook) -> AsyncIterator[Installation]:
    async with listening(hook.serve) as url:
        it = Installation(f"{url}/hook?team=a")
        it.schedulers = [it.start(number) for number in range(3)]
        try:
            yield it
        finally:
            for road in it.roads:
                await road.transport.aclose()


async def test_one_of_three_schedulers_tells_each_change_once() -> None:
    hook = Hook()
    async with installation(hook) as it:
        it.status = "needs_reconnect"
        await it.look(3)
        it.active = 2
        await it.look(3)
        it.schedulers = [it.start(number) for number in range(3)]  # all are started anew
        await it.look(3)
        it.status = "ok"
        await it.look(40)
    assert [body["data"]["condition"] for body in hook.bodies] == ["needs_reconnect", "ok"]
    assert [body["data"]["before"] for body in hook.bodies] == ["ok", "needs_reconnect"]
    assert hook.bodies[0]["data"]["reason"] == "grant_revoked"
    assert hook.ids == [body["id"] for body in hook.bodies]
    assert it.counted == ["told", "told"]


async def test_a_takeover_before_the_answer_is_kept_repeats_it_under_the_same_id() -> None:
    hook = Hook()
    async with installation(hook) as it:
        it.status = "failed"
        await it.look()
        (row,) = it.rows.values()
        it.rows = {row.key: replace(row, state="waiting")}  # it was sent, and the scheduler died before it kept that
        it.active = 1
        await it.look(3)
    assert len(hook.ids) == 2
    assert len(set(hook.ids)) == 1


async def test_who_does_not_take_it_is_tried_again_and_less_often() -> None:
    hook = Hook(status=503)
    async with installation(hook) as it:
        it.status = "failed"
        await it.look(20)
        tries = len(hook.ids)
        hook.status = 200
        await it.look(40)
    assert 2 < tries < 8
    assert len(hook.ids) == tries + 1
    assert len(set(hook.ids)) == 1
    assert [row.state for row in it.rows.values()] == ["told"]


async def test_after_an_hour_it_is_given_up_and_the_next_change_is_told() -> None:
    hook = Hook(status=500)
    async with installation(hook) as it:
        it.status = "failed"
        await it.look()
        it.now_ms += GIVE_UP_MS
        await it.look()
        assert [row.state for row in it.rows.values()] == ["given_up"]
        assert it.counted[-1] == "given_up"
        tries, hook.status = len(hook.ids), 200
        await it.look(3)
        assert len(hook.ids) == tries
        it.status = "needs_reconnect"
        await it.look()
    assert hook.bodies[-1]["data"] | {"reason": ""} == {
        "installation": "",
        "integration": "acme",
        "subject": "hubspot",
        "condition": "needs_reconnect",
        "before": "ok",  # nobody took that it had failed
        "reason": "",
        "number": 2,
    }


async def test_a_full_sync_that_failed_is_told_and_so_is_the_next_that_completes() -> None:
    hook = Hook()
    async with installation(hook) as it:
        it.runs["1-a"] = run("1-a", "failed", "paging_in_a_circle")
        await it.look()
        it.runs["2-b"] = run("2-b", "running")
        await it.look(40)
        it.runs["2-b"] = run("2-b", "completed")
        await it.look(40)
    told = [(body["data"]["subject"], body["data"]["condition"], body["data"]["reason"]) for body in hook.bodies]
    assert told == [("full-sync", "failed", "paging_in_a_circle"), ("full-sync", "ok", "")]


async def test_a_url_that_nobody_answers_at_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "LOOK_S", 0.01)
    async with listening(Hook().serve) as url:
        pass  # nobody listens there any more
    it = Installation(f"{url}/hook?team=a", status="failed")
    notices = it.start(0)
    running = asyncio.create_task(notices.run())
    try:
        async with asyncio.timeout(20):
            await it.tried.wait()
        assert it.counted[0] == "failed"
        assert not running.done()
        assert [row.state for row in it.rows.values()] == ["waiting"]
    finally:
        running.cancel()
        await asyncio.wait([running])


def test_a_report_of_a_former_connection_says_nothing() -> None:
    old = ConnectorState(CONNECTION - 1, 1, 1, "failed", reason="x")
    parts = {
        "acme/settings": IntegrationPart("acme", settings=SETTINGS),
        "acme/hubspot": IntegrationPart("acme", connector=old),
    }
    assert not of_integrations(parts, ())


def run(run_id: str, state: Any, reason: str | None = None) -> RunProgress:
    whole = FullSyncRun(connection=CONNECTION)
    return RunProgress(run_id, "acme", "run", state, 0, 0, reason=reason, full_sync=whole)
