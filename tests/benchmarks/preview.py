"""What a plan counts beforehand against what the full sync then writes, and what counting does to live changes."""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.commands.child import NICER
from tests.benchmarks.full_sync import many
from tests.benchmarks.latency import Latency, edits, summed_up, title_edit
from tests.e2e.stores import calm
from tests.e2e.visiting import as_counted
from tests.e2e.world import FILE, World, world

USERS = int(os.environ.get("BENCH_PREVIEW_USERS", "20000"))
CONTACTS_A_USER = 4
EDITS = int(os.environ.get("BENCH_PREVIEW_EDITS", "100"))
PACE_S = 0.3
TURNS = 4  # without and beside counting in turn, since other work on the machine comes and goes
EDITED = FILE.replace("to_userflow: [jobtitle,", "to_userflow: [{from: jobtitle, to: title},")
WITHIN_S = 1_800


@dataclass(frozen=True, slots=True)
class Preview:
    """Both sets of figures, how long one count took, and live changes without and beside counting."""

    foreseen: Mapping[str, int]
    written: Mapping[str, int]
    took_s: float
    counts: int
    quiet: Latency
    beside: Latency


async def preview(folder: Path) -> Preview:
    """USERS users among CONTACTS_A_USER times as many contacts, in step; then a target of another name."""
    async with world(folder) as it:
        pairs = [await it.pair(number) for number in range(2 * EDITS)]
        await it.apply()
        await many(it, USERS, CONTACTS_A_USER)
        await it.full_sync(WITHIN_S)
        (it.folder / "edited.yaml").write_text(EDITED)
        quiet, beside, counts = list[float | None](), list[float | None](), 0
        for turn in range(TURNS):
            alone, watched = pairs[turn :: 2 * TURNS], pairs[turn + TURNS :: 2 * TURNS]
            quiet += await edits(alone, lambda pair: title_edit(it, pair), PACE_S)
            under_way = asyncio.create_task(edits(watched, lambda pair: title_edit(it, pair), PACE_S))
            while not under_way.done():
                await _foreseen(it)
                counts += 1
            beside += await under_way
        await calm(it, WITHIN_S)  # an edit's echo that comes late would write a pair before the full sync does
        foreseen, took_s = await _foreseen(it)
        await it.apply(EDITED)
        answer = await it.answer("full-sync", "start", "acme", "--wait", "--supersede", "--format", "json")
        written = as_counted(json.loads(answer.splitlines()[-1]))
        return Preview(foreseen, written, took_s, counts, summed_up(quiet), summed_up(beside))


async def _foreseen(it: World) -> tuple[Mapping[str, int], float]:
    """What the plan counts, as the console counts: giving way to what moves live traffic."""
    started = time.monotonic()
    argv = ("plan", str(it.folder / "edited.yaml"), "--format", "json")
    told: dict[str, Any] = json.loads(await it.answer(*argv, expect=2, nicer=NICER))
    return _as_counted(told["pairs"]["contacts-users"]), time.monotonic() - started


def _as_counted(told: Mapping[str, Any]) -> Mapping[str, int]:
    pairs, written = told["pairs"], told["written"]
    return {
        "written.userflow": written.get("userflow", 0),
        "written.hubspot": written.get("hubspot", 0),
        "cleared": told["emptied"],
        "equal": pairs.get("equal", 0),
        "refused": sum(told["refused"].values()),
        "unmatched.userflow": told["userflow_only"],
        "unmatched.hubspot": told["hubspot_only"],
        "several": pairs.get("ambiguous", 0) + pairs.get("crowded", 0),
    }
