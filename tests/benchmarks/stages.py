"""Where the time between a webhook and its write goes: by the parts of each change's way, and hop by hop."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, quantiles
from typing import Any, Final

from confluent_kafka import Message
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from connectors.kafka.cluster import Cluster
from schemas.codec import Codec
from schemas.records import ChangeEvent, FieldPatch, MatchedChange, Notification
from schemas.registry import LocalRegistry
from schemas.spent import PARTS, split
from schemas.topics import (
    HUBSPOT_CHANGES,
    HUBSPOT_FIELD_PATCHES,
    HUBSPOT_NOTIFICATIONS,
    MATCHES,
    USERFLOW_CHANGES,
    USERFLOW_FIELD_PATCHES,
    USERFLOW_NOTIFICATIONS,
)
from schemas.values import SYSTEMS, System
from tests.benchmarks.latency import edits, plan_edit, title_edit
from tests.e2e.world import World, messages, read_url, world

EDITS: Final = int(os.environ.get("BENCH_STAGE_EDITS", "100"))
TOPICS: Final = (
    HUBSPOT_NOTIFICATIONS,
    USERFLOW_NOTIFICATIONS,
    HUBSPOT_CHANGES,
    USERFLOW_CHANGES,
    MATCHES,
    HUBSPOT_FIELD_PATCHES,
    USERFLOW_FIELD_PATCHES,
)
HOPS: Final = ("receiver", "connector", "objects", "pairs", "sink")
"""A hop ends as it hands its record to its producer: storing and committing that one count to the next."""

Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """Milliseconds."""

    p50: float
    p95: float
    mean: float


@dataclass(frozen=True, slots=True)
class Stages:
    """One direction: its changes, their parts and hops, and the means that the metric tells of the parts."""

    changes: int
    parts: Mapping[str, Figures]
    hops: Mapping[str, Figures]
    told: Mapping[str, float]


@dataclass(slots=True)
class Way:
    """When the records of one change were handed over, hop by hop, and its first answer."""

    system: System  # that is written
    at_ms: dict[str, int]
    began_ms: int = 0
    answer: ChangeEvent | None = None

    @property
    def hops(self) -> dict[str, int] | None:
        """How long each hop took; None where the change did not go the whole way."""
        if set(self.at_ms) != set(HOPS) or not self.began_ms:
            return None
        before = (self.began_ms, *(self.at_ms[hop] for hop in HOPS))
        return {hop: self.at_ms[hop] - since for hop, since in zip(HOPS, before, strict=False)}


async def stages(folder: Path) -> tuple[dict[System, Stages], dict[str, float]]:
    """EDITS edits in each direction at idle, simulators answering in 20 ms; and the worker's mean step by stage."""
    async with world(folder) as it:
        pairs = [await it.pair(number) for number in range(EDITS)]
        await it.apply()
        await it.full_sync()
        await it.converged()
        before, steps = {system: await _sums(it, system) for system in SYSTEMS}, await _steps(it)
        await edits(pairs, lambda pair: title_edit(it, pair))
        await edits(pairs, lambda pair: plan_edit(it, pair))
        await it.idle()
        told = {system: _means(before[system], await _sums(it, system)) for system in SYSTEMS}
        after = await _steps(it)
        ways = await asyncio.to_thread(_ways, it.cluster, min(one["began_ms"] for one in before.values()))
    found = {system: _stages([way for way in ways if way.system == system], told[system]) for system in SYSTEMS}
    sums = {stage: (one[0] - steps[stage][0], one[1] - steps[stage][1]) for stage, one in after.items()}
    return found, {stage: seconds / number * 1000 for stage, (seconds, number) in sums.items()}


def _stages(ways: Sequence[Way], told: Mapping[str, float]) -> Stages:
    whole = [(way, hops) for way in ways if (hops := way.hops) is not None and way.answer is not None]
    answers = [(way.answer, sum(hops.values())) for way, hops in whole]
    parts = [
        split(ms, answer.caused_by) for answer, ms in answers if answer is not None and answer.caused_by is not None
    ]
    return Stages(
        len(whole),
        {part: _figures([getattr(one, part) for one in parts]) for part in PARTS},
        {hop: _figures([hops[hop] for _, hops in whole]) for hop in HOPS},
        told,
    )


def _figures(found: Sequence[int]) -> Figures:
    cuts = quantiles(found, n=20, method="inclusive")
    return Figures(cuts[9], cuts[18], mean(found))


def _ways(cluster: Cluster, since_ms: float) -> list[Way]:
    """The way of each live change whose webhook was received since then; blocks."""
    found: dict[Place, Way] = {}
    codec = Codec(LocalRegistry())
    for message in messages(cluster, [cluster.physical(topic) for topic in TOPICS]):
        topic = cluster.logical(message.topic() or "")
        place = (topic, message.partition() or 0, message.offset() or 0)
        _note(found, place, message, codec.decode(topic, message.value() or b""))
    return [way for way in found.values() if way.began_ms >= since_ms]


def _note(found: dict[Place, Way], place: Place, message: Message, record: Any) -> None:
    cause = getattr(record, "caused_by", None)
    of = place if isinstance(record, Notification) else (cause.topic, cause.partition, cause.offset) if cause else None
    hop = _hop(record)
    if of is None or hop is None or getattr(record, "run_id", None) is not None or not of[0].endswith("notifications"):
        return
    way = found.setdefault(of, Way("userflow" if of[0] == HUBSPOT_NOTIFICATIONS else "hubspot", {}))
    at_ms = message.timestamp()[1]
    if at_ms < way.at_ms.get(hop, at_ms + 1):
        way.at_ms[hop] = at_ms
        way.answer = record if hop == "sink" else way.answer
    if isinstance(record, Notification):
        way.began_ms = record.received_at_ms


def _hop(record: Any) -> str | None:
    """The hop that handed the record over."""
    match record:
        case Notification():
            return "receiver"
        case ChangeEvent(origin="receipt", equal=False):
            return "sink"
        case ChangeEvent(origin="webhook"):
            return "connector"
        case MatchedChange(origin="webhook"):
            return "objects"
        case FieldPatch():
            return "pairs"
    return None


async def _sums(it: World, system: System) -> dict[str, float]:
    """What the sink's metric has summed up of live changes: seconds by part, how many; and when it was asked."""
    name, live = "pairstream_change_to_visible_part_seconds", {"direction": f"to_{system}", "bulk": "false"}
    mine = [one for one in await _samples(it, f"{system}-connector", name) if live.items() <= one.labels.items()]
    sums = {one.labels["part"]: one.value for one in mine if one.name == f"{name}_sum"}
    counts = [one.value for one in mine if one.name == f"{name}_count"]
    return {**dict.fromkeys(PARTS, 0.0), **sums, "count": max(counts, default=0.0), "began_ms": time.time() * 1000}


async def _steps(it: World) -> dict[str, tuple[float, float]]:
    """Stage -> seconds of its steps so far, commit and all, and how many there were."""
    found: dict[tuple[str, str], float] = {}
    for one in await _samples(it, "worker", "pairstream_step_seconds"):
        found[one.labels["stage"], one.name.rpartition("_")[2]] = one.value
    return {stage: (found[stage, "sum"], found[stage, "count"]) for stage in ("objects", "pairs")}


async def _samples(it: World, role: str, name: str) -> list[Sample]:
    text = await asyncio.to_thread(read_url, f"{it.machine.endpoints.health_urls[role]}/metrics")
    samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
    return [one for one in samples if one.name.startswith(name)]


def _means(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Milliseconds of each part on average."""
    number = after["count"] - before["count"]
    return {part: (after[part] - before[part]) / number * 1000 for part in PARTS}


def section(folder: Path) -> str:
    """The section of the page."""
    lines = ["## Where the time between a webhook and its write goes", ""]
    lines += ["One edit every 0.1 s, at idle; the simulators answer in 20 ms. Parts as each change's cause tells them;"]
    lines += ["the last column is the mean that `pairstream_change_to_visible_part_seconds` tells."]
    found, steps = asyncio.run(stages(folder))
    for system, one in found.items():
        road = "HubSpot to Userflow" if system == "userflow" else "Userflow to HubSpot"
        lines += ["", f"{road}, {one.changes} changes:", ""]
        lines += ["| part | p50 | p95 | mean | metric |", "|---|---|---|---|---|"]
        lines += [f"{_row(part, one.parts[part])} {one.told[part]:.0f} ms |" for part in PARTS]
        lines += ["", "| hop | p50 | p95 | mean |", "|---|---|---|---|"]
        lines += [_row(hop, one.hops[hop]) for hop in HOPS]
    lines += ["", "A hop ends as it hands its record to its producer: storing and committing it count to the next one."]
    took = " and ".join(f"{ms:.0f} ms in {stage}" for stage, ms in steps.items())
    lines += [f"A step of the worker, transaction and all, took {took} on average."]
    return "\n".join(lines) + "\n"


def _row(name: str, figures: Figures) -> str:
    return f"| {name} | {figures.p50:.0f} ms | {figures.p95:.0f} ms | {figures.mean:.0f} ms |"
