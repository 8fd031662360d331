"""What edits cost in calls to HubSpot: a burst of users' edits, and a steady mix at HubSpot's own limit."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.records import ChangeEvent
from tests.benchmarks.associated import MAPPED
from tests.benchmarks.latency import Latency, edits, plan_edit, summed_up, title_edit
from tests.e2e.stores import calm
from tests.e2e.world import World, world

PAIRS: Final = int(os.environ.get("BENCH_CALL_PAIRS", "500"))
BURST: Final = 2  # edits of each user, all at once
MIXED: Final = int(os.environ.get("BENCH_MIXED_EDITS", "600"))
MIXED_PER_S: Final = 15.0
LIMIT: Final = 110  # HubSpot's requests in ten seconds
WINDOW_S: Final = 11.0
COMPANIES: Final = 20
CHUNK: Final = 250
WITHIN_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Calls:
    """Requests that HubSpot received, writes that named one field of one record, and those that changed nothing."""

    edits: int
    seconds: float
    updates: int
    reads: int
    fields: int
    repeated: int
    kinds: Mapping[str, int]  # the calls by what the simulator counts

    def per_thousand(self, calls: int) -> float:
        return calls * 1000 / self.edits


@dataclass(frozen=True, slots=True)
class CallCosts:
    burst: Calls
    mixed: Calls
    to_hubspot: Latency
    to_userflow: Latency


async def costs(folder: Path) -> CallCosts:
    """Pairs in step, each contact with a company; then the burst; then the mix under HubSpot's limit."""
    async with world(folder) as it:
        pairs = [await it.pair(number) for number in range(PAIRS)]
        await _employ(it, [contact_id for contact_id, _ in pairs])
        await it.apply(MAPPED)
        await it.full_sync()
        await calm(it, WITHIN_S)  # webhooks of before the apply were refused, and come again
        burst = await _burst(it, [user_id for _, user_id in pairs])
        await it.hubspot.set(rate_limit=LIMIT)
        await asyncio.sleep(WINDOW_S)  # the burst's requests count too until they leave the window
        return await _mixed(it, pairs, burst)


async def _employ(it: World, contact_ids: list[str]) -> None:
    companies = [
        {"id": str(800_000 + number), "properties": {"name": f"company {number}"}} for number in range(COMPANIES)
    ]
    links = [
        {"from": ["contacts", one], "to": ["companies", str(800_000 + number % COMPANIES)], "primary": True}
        for number, one in enumerate(contact_ids)
    ]
    await it.hubspot.seed({"objects": {"companies": companies}, "associations": links})


async def _burst(it: World, user_ids: list[str]) -> Calls:
    before, started = await _counted(it), time.monotonic()
    for turn in range(BURST):
        for start in range(0, len(user_ids), CHUNK):
            rows = [
                {"operation": "edit", "type": "users", "id": one, "attributes": {"plan": f"burst {turn} of {one}"}}
                for one in user_ids[start : start + CHUNK]
            ]
            await it.userflow.bulk(rows)
    await it.idle(WITHIN_S)
    await it.converged(WITHIN_S)
    return await _since(it, before, BURST * len(user_ids), started)


async def _mixed(it: World, pairs: list[tuple[str, str]], burst: Calls) -> CallCosts:
    before, started, half = await _counted(it), time.monotonic(), len(pairs) // 2
    pace_s = 2 / MIXED_PER_S
    chosen = [pairs[number % half] for number in range(MIXED // 2)]
    others = [pairs[half + number % half] for number in range(MIXED // 2)]
    to_hubspot, to_userflow = await asyncio.gather(
        edits(chosen, lambda pair: plan_edit(it, pair), pace_s),
        edits(others, lambda pair: title_edit(it, pair), pace_s),
    )
    await it.idle(WITHIN_S)
    mixed = await _since(it, before, MIXED, started)
    return CallCosts(burst, mixed, summed_up(to_hubspot), summed_up(to_userflow))


@dataclass(frozen=True, slots=True)
class _Counted:
    calls: Mapping[str, int]
    fields: int
    repeated: int


async def _counted(it: World) -> _Counted:
    found = (await it.hubspot.requests())["counters"]
    fields, repeated = _written(await asyncio.to_thread(it.records, "hubspot.changes"))
    return _Counted({name: int(number) for name, number in found.items()}, fields, repeated)


async def _since(it: World, before: _Counted, number: int, started: float) -> Calls:
    seconds, now = time.monotonic() - started, await _counted(it)
    made = Counter(now.calls)
    made.subtract(before.calls)
    updates = sum(calls for name, calls in made.items() if "update" in name)
    return Calls(
        number,
        seconds,
        updates,
        made.total() - updates,
        now.fields - before.fields,
        now.repeated - before.repeated,
        {name: calls for name, calls in made.most_common() if calls},
    )


def _written(changes: list[ChangeEvent]) -> tuple[int, int]:
    """Fields that our writes were answered for, and those that a write repeated: no edit repeats a value."""
    last: dict[tuple[str, str], object] = {}
    fields = repeated = 0
    for change in (one for one in changes if one.origin == "receipt"):
        for name, seen in change.fields.items():
            fields += 1
            repeated += last.get((change.object_id, name)) == seen.value
            last[change.object_id, name] = seen.value
    return fields, repeated
