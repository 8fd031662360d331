"""Change to visible: at idle, and while a full sync of many records is under way."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from tests.e2e.world import PLAN, TITLE, World, world

EDITS = int(os.environ.get("BENCH_EDITS", "200"))
PACE_S = 0.1
BULK_PACE_S = 0.4  # the requests that Userflow is sent grow from 8 a second, and a write takes two
VISIBLE_S = 30.0
BULK_OBJECTS = int(os.environ.get("BENCH_BULK_OBJECTS", "15000"))  # of each side: twice as many records
BULK_EDITS = 100
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds until visible; `lost` edits did not become visible within VISIBLE_S."""

    edits: int
    p50: float
    p95: float
    p99: float
    lost: int


def summed_up(taken: Sequence[float | None]) -> Latency:
    seconds = [one for one in taken if one is not None]
    cuts = quantiles(seconds, n=100, method="inclusive")
    p50, p95, p99 = (cuts[n - 1] * 1000 for n in (50, 95, 99))
    return Latency(len(taken), p50, p95, p99, len(taken) - len(seconds))


async def idle(folder: Path) -> dict[str, Latency]:
    """200 edits in each direction, one at a time every PACE_S, simulators answering in 20 ms."""
    async with world(folder) as it:
        pairs = [await it.pair(number) for number in range(EDITS)]
        await it.apply()
        await it.full_sync()
        await it.converged()
        return {
            "HubSpot edit -> Userflow value": summed_up(await edits(pairs, lambda pair: title_edit(it, pair))),
            "Userflow edit -> HubSpot value": summed_up(await edits(pairs, lambda pair: plan_edit(it, pair))),
        }


async def under_bulk(folder: Path, limit: int | None = None) -> dict[str, Latency]:
    """Live edits while 30,000 records go through a full sync; HubSpot takes `limit` requests in ten seconds, or any.

    Raises RuntimeError where the run ended before the edits did, or HubSpot refused a request for its rate.
    """
    async with world(folder) as it:
        pairs = [await it.pair(number) for number in range(BULK_EDITS)]
        await it.apply()
        await it.full_sync()
        await it.converged()
        await _many(it)
        if limit is not None:
            await it.hubspot.set(rate_limit=limit)
        await it.command("full-sync", "start", "acme")
        half = BULK_EDITS // 2
        rows = {
            name: summed_up(await edits(part, edit, BULK_PACE_S))
            for name, part, edit in (
                ("HubSpot edit -> Userflow value", pairs[:half], lambda pair: title_edit(it, pair)),
                ("Userflow edit -> HubSpot value", pairs[half:], lambda pair: plan_edit(it, pair)),
            )
        }
        left = len(await it.differences())
        if left == 0:
            raise RuntimeError("the full sync ended before the edits did: raise BENCH_BULK_OBJECTS")
        refused = (await it.hubspot.requests())["statuses"].get("429", 0)
        if refused:
            raise RuntimeError(f"HubSpot refused {refused} requests for their rate")
        return rows


async def _many(it: World) -> None:
    """Objects on both sides that nobody is told of, so that only the full sync finds them."""
    for start in range(0, BULK_OBJECTS, CHUNK):
        numbers = range(start, min(start + CHUNK, BULK_OBJECTS))
        await it.hubspot.bulk(
            [
                {
                    "operation": "create",
                    "type": "contacts",
                    "properties": {"email": f"bulk{n}@example.com", "jobtitle": f"title {n}"},
                    "silent": True,
                }
                for n in numbers
            ]
        )
        await it.userflow.bulk(
            [
                {
                    "operation": "create",
                    "type": "users",
                    "id": f"bulk-{n}",
                    "attributes": {"email": f"bulk{n}@example.com", "plan": f"plan {n}"},
                    "silent": True,
                }
                for n in numbers
            ]
        )


Pair = tuple[str, str]
Probe = Callable[[], Awaitable[bool]]


async def edits(
    pairs: Iterable[Pair], edit: Callable[[Pair], Awaitable[Probe]], pace_s: float = PACE_S
) -> list[float | None]:
    watches = []
    for pair in pairs:
        watches.append(asyncio.create_task(_timed(pair, edit)))
        await asyncio.sleep(pace_s)
    return list(await asyncio.gather(*watches))


async def _timed(pair: Pair, edit: Callable[[Pair], Awaitable[Probe]]) -> float | None:
    arrived = await edit(pair)
    started = time.monotonic()
    while not await arrived():
        if time.monotonic() - started > VISIBLE_S:
            return None
        await asyncio.sleep(0.005)
    return time.monotonic() - started


async def title_edit(it: World, pair: Pair) -> Probe:
    value = f"title at {time.monotonic_ns()}"
    await it.hubspot.edit("contacts", pair[0], {"jobtitle": value})

    async def arrived() -> bool:
        return bool((await it.userflow.fields("users", pair[1])).get(TITLE) == value)

    return arrived


async def plan_edit(it: World, pair: Pair) -> Probe:
    value = f"plan at {time.monotonic_ns()}"
    await it.userflow.edit("users", pair[1], {"plan": value})

    async def arrived() -> bool:
        return bool((await it.hubspot.fields("contacts", pair[0])).get(PLAN) == value)

    return arrived
