"""A live patch passes a full sync: how long it takes until Userflow has it, by a clock that only the test moves."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from connectors.contract.account import Account
from connectors.http.messages import Headers, Request, Response
from connectors.outbound.patch_writer import PatchWriter
from connectors.session.echoes import RecentWrites
from connectors.userflow.account import assemble
from schemas.records import FieldPatch
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import context_of
from tests.unit.connectors.userflow.account import KEY, Incidents, opening

ANSWER_S = 0.02
STEP_S = 0.01
OUTSTANDING = 300  # as many bulk records as the credit lets through
EDITS = 50
PACE_S = 0.4


@dataclass
class Environment:
    """Userflow with every user there is, answering in 20 ms; beyond `per_s` requests a second it refuses."""

    clock: FakeClock
    per_s: float = float("inf")
    refused: int = 0
    _recent: list[float] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        await self.clock.sleep(ANSWER_S)
        self._recent = [at for at in self._recent if at > self.clock.now - 1.0]
        if len(self._recent) >= self.per_s:
            self.refused += 1
            return Response(429, Headers([]), b"{}")
        self._recent.append(self.clock.now)
        id = json.loads(request.body)["id"] if request.body else request.path.rpartition("/")[2]
        user: Any = {"object": "user", "id": id, "created_at": "2026-01-01T00:00:00Z", "attributes": {}}
        if request.body:
            user["attributes"] = json.loads(request.body)["attributes"]
        return Response(200, Headers([]), json.dumps(user).encode())


@dataclass
class Road:
    """Patches into Userflow's sink while a crawl reads: bulk that never ends, and what a live one takes."""

    clock: FakeClock
    account: Account
    writing: PatchWriter
    numbers: Iterator[int] = field(default_factory=count)
    bulk_done: int = 0

    async def keep_full(self) -> None:
        """Take the next bulk patch whenever one has ended."""
        for _ in range(OUTSTANDING):
            await self._bulk()

    async def crawl(self) -> None:
        while True:
            await self.account.source.read("users", ["crawled"], "bulk_read")

    async def live(self) -> float:
        """Seconds until a live patch was written."""
        started, ended = self.clock.now, asyncio.Event()
        await self.writing.take(patch(next(self.numbers), bulk=False), ended.set)
        await ended.wait()
        return self.clock.now - started

    async def passes(self, seconds: float) -> None:
        """Let time pass in small steps: a write is many turns of the event loop."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            await self.clock.advance(STEP_S)
            await self.clock.settle()

    async def _bulk(self) -> None:
        await self.writing.take(patch(next(self.numbers), bulk=True), self._ended)

    def _ended(self) -> None:
        self.bulk_done += 1
        self._next = asyncio.ensure_future(self._bulk())


def patch(number: int, *, bulk: bool) -> FieldPatch:
    return FieldPatch(
        integration="acme",
        connection=2,
        revision=1,
        mapping="contacts-users",
        match_value=f"{number}@example.com",
        system="userflow",
        object_type="users",
        object_id=f"u-{number}",
        fields={"plan": f"plan {number}"},
        bulk=bulk,
    )


@asynccontextmanager
async def road(per_s: float = float("inf")) -> AsyncIterator[tuple[Road, Environment]]:
    clock = FakeClock()
    environment = Environment(clock, per_s)
    account = assemble(replace(opening(Incidents()), clock=clock), environment, KEY)
    context, _ = context_of("userflow", clock, connection=2, account=account)
    it = Road(clock, account, PatchWriter(context, RecentWrites()))
    work = [asyncio.create_task(it.writing.run())]
    await it.keep_full()
    work.append(asyncio.create_task(it.crawl()))
    try:
        yield it, environment
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def edits(it: Road) -> list[float]:
    """Seconds that each of the live edits took, shortest first."""
    live = []
    for _ in range(EDITS):
        live.append(asyncio.create_task(it.live()))
        await it.passes(PACE_S)
    while not all(task.done() for task in live):
        await it.passes(PACE_S)
    return sorted(task.result() for task in live)


async def test_a_live_edit_takes_no_longer_than_its_two_requests_from_the_first_second_on() -> None:
    """When live and bulk writes stood in one line, half of the edits took more than 0.5 s, the last ones 1.5 s."""
    async with road() as (it, _):
        took = await edits(it)
    assert took[-1] < 3 * ANSWER_S
    assert it.bulk_done > EDITS


async def test_a_vendor_that_refuses_holds_few_live_edits_up() -> None:
    """It asks for a second's silence now and then; in one line, nearly every edit took longer than a second."""
    async with road(per_s=12.0) as (it, environment):
        await it.passes(60.0)
        took = await edits(it)
    assert environment.refused > 0
    assert took[EDITS // 2] < 3 * ANSWER_S
    assert took[-1] < 2.0


async def test_bulk_alone_uses_the_rate() -> None:
    """The rate grows from 8 to 50 requests a second; a write takes two of them, and the crawl as many as all writes."""
    async with road() as (it, _):
        await it.passes(20.0)
    assert it.bulk_done > 200  # 40 at the rate it begins with
