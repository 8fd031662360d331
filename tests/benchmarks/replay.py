"""A replay of what is in step: its rate, its writes (none), how it goes on after Ctrl-C; and live edits beside one."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, takewhile
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.full_sync import created
from tests.benchmarks.latency import Latency, edits, plan_edit, summed_up, title_edit
from tests.e2e.world import PLAN, STAGE, TITLE, World, world

CHANGES: Final = int(os.environ.get("BENCH_REPLAYED", "100000"))
CHUNK: Final = 2_000
LIVE_PAIRS: Final = 100
LIVE_PACE_S: Final = 0.4
CUT_OFF_AT: Final = 0.2
"""The share of the records after which the first replay gets its Ctrl-C."""
SHOWN: Final = re.compile(r"replay (\S+) \.\.\. ([\d,]+)/([\d,]+)")
INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of two replays of the same records."""

    records: int
    planned: int  # writes, by the plan
    written: int  # writing calls that the vendors' request logs counted
    cut_off_at: int  # records that were published when Ctrl-C came
    took_s: float  # of the rest of them
    live: dict[str, Latency]  # edits while the second one was on its way

    @property
    def rate(self) -> float:
        return (self.records - self.cut_off_at) / self.took_s


async def in_step(folder: Path) -> Replayed:
    """CHANGES retained changes of pairs in step, replayed twice: cut off and resumed, then beside live edits."""
    async with world(folder) as it:
        pairs = [await it.pair(number) for number in range(LIVE_PAIRS)]
        await it.apply()
        await it.full_sync()
        await _many(it, CHANGES // 4)  # on each side; each of two full syncs tells a change of each
        for _ in range(2):
            await it.command("full-sync", "start", "acme", "--wait")
        await it.idle(300)
        plan = json.loads(await it.answer("replay", "plan", "acme", "--format", "json"))
        before = await it.writes()
        cut_off_at, replay = await asyncio.to_thread(_cut_off, it, int(plan["records"] * CUT_OFF_AT))
        started = time.monotonic()
        done = json.loads(await it.answer("replay", "run", "--resume", replay, "--yes", "--format", "json"))
        took_s = time.monotonic() - started
        if not done["handled"] or done["published"] != done["records"]:
            raise RuntimeError(f"the replay did not end as planned: {done}")
        after = await it.writes()
        written = sum(after.values()) - sum(before.values())
        live = await _beside_live_edits(it, pairs)
        return Replayed(done["records"], sum(plan["writes"].values()), written, cut_off_at, took_s, live)


def _cut_off(it: World, at: int) -> tuple[int, str]:
    """Begin a replay, and Ctrl-C it once so many records are published; returns how many were, and its id."""
    argv = (sys.executable, "-m", "pipeline.cli", "replay", "run", "acme", "--yes")
    environment = {**os.environ, **it.machine.environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = SHOWN.search(line)
            if found and int(found[2].replace(",", "")) >= at:
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
    if process.returncode != INTERRUPTED:
        raise RuntimeError(f"a replay that got Ctrl-C ended with {process.returncode}")
    answer = subprocess.run(
        (sys.executable, "-m", "pipeline.cli", "replay", "status", "acme", "--format", "json"),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    row: dict[str, Any] = json.loads(answer.stdout)["replays"][0]
    return row["published"], row["replay"]


async def _beside_live_edits(it: World, pairs: list[tuple[str, str]]) -> dict[str, Latency]:
    replay = asyncio.create_task(it.answer("replay", "run", "acme", "--yes", "--format", "json"))
    await asyncio.sleep(0)
    await _publishing(it)
    half = len(pairs) // 2

    def until_it_ends(part: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        return takewhile(lambda _: not replay.done(), cycle(part))

    one_way, other_way = await asyncio.gather(
        edits(until_it_ends(pairs[:half]), lambda pair: title_edit(it, pair), LIVE_PACE_S),
        edits(until_it_ends(pairs[half:]), lambda pair: plan_edit(it, pair), LIVE_PACE_S),
    )
    rows = {
        "HubSpot edit -> Userflow value": summed_up(one_way),
        "Userflow edit -> HubSpot value": summed_up(other_way),
    }
    await replay
    return rows


async def _publishing(it: World) -> None:
    """Wait until the replay that was just begun publishes."""
    while True:
        rows = json.loads(await it.answer("replay", "status", "acme", "--format", "json"))["replays"]
        if rows[0]["state"] == "running" and rows[0]["published"]:
            return
        await asyncio.sleep(0.5)


async def _many(it: World, number: int) -> None:
    """Pairs that are in step, of which nobody is told."""
    for start in range(0, number, CHUNK):
        numbers = range(start, min(start + CHUNK, number))
        contacts = [
            {"email": f"bulk{n}@example.com", "jobtitle": f"title {n}", "lifecyclestage": "lead", PLAN: f"plan {n}"}
            for n in numbers
        ]
        users = {
            f"bulk-{n}": {"email": f"bulk{n}@example.com", "plan": f"plan {n}", TITLE: f"title {n}", STAGE: "lead"}
            for n in numbers
        }
        await it.hubspot.bulk([created("contacts", properties=one) for one in contacts])
        await it.userflow.bulk([created("users", id=one, attributes=fields) for one, fields in users.items()])
