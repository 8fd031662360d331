"""How fast a full sync is: of pairs in step, of pairs that differ under HubSpot's limit, and beside live edits."""

import asyncio
import datetime as dt
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.latency import Latency, edits, plan_edit, summed_up, title_edit
from tests.benchmarks.processes import Used, load, used
from tests.e2e.world import PLAN, STAGE, TITLE, World, world

PAIRS: Final = int(os.environ.get("BENCH_SYNC_PAIRS", "6000"))
LIVE_PAIRS: Final = 40
LIVE_PACE_S: Final = 0.25
LIMIT: Final = 190  # HubSpot's requests in ten seconds
BATCH: Final = 100  # records in one of them
NO_LIMIT: Final = 1_000_000
CHUNK: Final = 2_000
TURNS: Final = 3


@dataclass(frozen=True, slots=True)
class SyncRun:
    """One run, by its own times: the objects that were read on both sides, and the requests that HubSpot received."""

    name: str
    took_s: float
    objects: int
    written: int
    requests: int
    load: float
    used: Used

    @property
    def objects_per_s(self) -> float:
        return self.objects / self.took_s

    @property
    def cpu_ms(self) -> float:
        """Of all processes, for one object."""
        return sum(self.used.by_role.values()) / self.objects * 1000

    @property
    def share_of_limit(self) -> float:
        """Of the requests that LIMIT allows within the run's time."""
        return self.requests / (self.took_s * LIMIT / 10)


@dataclass(frozen=True, slots=True)
class SyncRates:
    runs: Sequence[SyncRun]
    to_userflow: Latency  # of edits while the second run was under way
    to_hubspot: Latency


async def rates(folder: Path) -> SyncRates:
    """The state is empty before the first run; TURNS more find nothing new; as many have every pair to write."""
    async with world(folder) as it:
        live = [await it.pair(number) for number in range(2 * LIVE_PAIRS)]
        await it.apply()
        await it.full_sync()
        await it.converged()
        await _many(it)
        runs = [await _run(it, "in step, state empty")]
        for turn in range(TURNS):
            runs.append(await _run(it, "in step"))
            await _edited(it, turn)
            await it.hubspot.set(rate_limit=LIMIT)
            runs.append(await _run(it, f"every pair to write, {LIMIT} requests in ten seconds"))
            await it.hubspot.set(rate_limit=NO_LIMIT)
        beside = asyncio.create_task(_until_cancelled(it))
        try:
            to_userflow, to_hubspot = await asyncio.gather(
                edits(live[:LIVE_PAIRS], lambda pair: title_edit(it, pair), LIVE_PACE_S),
                edits(live[LIVE_PAIRS:], lambda pair: plan_edit(it, pair), LIVE_PACE_S),
            )
        finally:
            beside.cancel()
            await it.command("full-sync", "stop", "acme", expect=None)  # its command waits for it on a thread
            await asyncio.gather(beside, return_exceptions=True)
        return SyncRates(runs, summed_up(to_userflow), summed_up(to_hubspot))


async def _until_cancelled(it: World) -> None:
    """One full sync after the other."""
    while True:
        await it.full_sync()


async def _run(it: World, name: str) -> SyncRun:
    requests, before = await _requests(it), used(it)
    answer = await it.answer("full-sync", "start", "acme", "--wait", "--format", "json")
    told: dict[str, Any] = json.loads(answer.splitlines()[-1])
    if told["state"] != "completed":
        raise RuntimeError(f"the full sync ended {told['state']}: {told['reason']}")
    began, ended = (dt.datetime.fromisoformat(told[name]) for name in ("started_at", "finished_at"))
    return SyncRun(
        name,
        (ended - began).total_seconds(),
        sum(one["read"] for one in told["read"].values()),
        sum(told["written"].values()),
        await _requests(it) - requests,
        load(),
        used(it).since(before),
    )


async def _requests(it: World) -> int:
    return Counter((await it.hubspot.requests())["counters"]).total()


async def _many(it: World) -> None:
    """Pairs in step that nobody is told of."""
    for start in range(0, PAIRS, CHUNK):
        contacts, users = [], []
        for n in range(start, min(start + CHUNK, PAIRS)):
            email, title, plan = f"bulk{n}@example.com", f"title {n}", f"plan {n}"
            contact = {"email": email, "jobtitle": title, "lifecyclestage": "lead", PLAN: plan}
            user = {"email": email, "plan": plan, TITLE: title, STAGE: "lead"}
            contacts.append(_silent("create", "contacts", properties=contact))
            users.append(_silent("create", "users", id=f"bulk-{n}", attributes=user))
        await it.hubspot.bulk(contacts)
        await it.userflow.bulk(users)


async def _edited(it: World, turn: int) -> None:
    """Every user gets another plan, which nobody is told of."""
    for start in range(0, PAIRS, CHUNK):
        await it.userflow.bulk(
            [
                _silent("edit", "users", id=f"bulk-{n}", attributes={"plan": f"plan {n} of {turn}"})
                for n in range(start, min(start + CHUNK, PAIRS))
            ]
        )


def _silent(operation: str, object_type: str, **more: Any) -> dict[str, Any]:
    return {"operation": operation, "type": object_type, "silent": True, **more}
