"""Where records wait and for how long, by stage: what `pairstream lag` says; and how long changes took."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.pages.overview import tried
from pipeline.console.road_picture import Box, Pipe, Road, picture
from pipeline.console.took import took_to
from pipeline.console.visit import Shown, Visit
from pipeline.console.words import clock, number, seconds
from pipeline.lag.hour import Hour
from pipeline.lag.judging import STANDSTILL, STATES, Lag, State, TopicLag
from pipeline.lag.text import held_back
from schemas.spent import PARTS, PartName
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
from schemas.vitals import Vitals

WORDS: Final[Mapping[State, str]] = {"OK": "Flowing", "WARN": "Falling behind", "STALL": "Stalled", "STOP": "Stopped"}
KINDS: Final[Mapping[State, str]] = {"OK": "ok", "WARN": "warn", "STALL": "bad", "STOP": "bad"}
NEAR_MS: Final = 12 * 60 * 60 * 1000
"""So near to the end of its retention, what waits has a note of its own."""
TO: Final[Sequence[System]] = ("userflow", "hubspot")
"""The directions in the order in which every page has them: from HubSpot first."""
AT_A_SYSTEM: Final = ("read", "budget", "write")
"""What a request is: a read, waiting for its system's limits, a write."""


@dataclass(frozen=True, slots=True)
class StageRow:
    """One topic before one stage."""

    stage: str
    topic: str
    kind: str
    word: str
    why: str
    behind_s: float
    records: int
    in_per_s: float
    out_per_s: float | None
    drain_s: float | None
    limited_by: str
    kept_s: float | None  # until retention reaches what waits
    lost_at: str  # when that is, where it is near
    hour: Sequence[int]  # records that ended there in each minute of the last hour; none: not known


@dataclass(frozen=True, slots=True)
class Share:
    """What one part of the way takes of live changes to a system, on average."""

    part: PartName
    seconds: float
    percent: float


async def road(visit: Visit) -> Shown:
    """`/road`; `?integration=<name>`: what of that one waits."""
    lag, of = await visit.desk.lag(), visit.query("integration")
    if lag is None:
        nothing: dict[str, object] = {"lag": None, "rows": [], "word": "Not known", "kind": "idle", "of": of}
        return Shown("road.html", {**nothing, "tried": tried(visit.desk)})
    days, hour = visit.desk.about.changes_retention_days, visit.desk.last_hour(lag)
    rows = [_row(lag, topic, of, days, hour) for topic in lag.topics]
    worst: State = max((topic.state for topic in lag.topics), key=STATES.index, default="OK")
    where = next((row.stage for row in rows if row.word == WORDS[worst]), "") if worst != "OK" else ""
    facts = {"lag": lag, "rows": rows, "took": [took_to(system, lag.processes) for system in TO], "of": of}
    told = {"word": f"{WORDS[worst]}{f' at {where}' if where else ''}", "kind": KINDS[worst]}
    picked = picture(road_of(lag, rows), "The road from both systems to both; the table below says the same in words")
    means = [(system, means_at(system, lag.processes)) for system in SYSTEMS]
    shares = [(system, shares_to(system, lag.processes)) for system in TO]
    asked = {"means": means, "shares": shares, "calls": calls_of(lag.processes)}
    return Shown("road.html", {**facts, **told, **asked, "picture": picked})


def road_of(lag: Lag, rows: Sequence[StageRow]) -> Road:
    """What the picture shows."""
    by_topic = {row.topic: row for row in reversed(rows)}
    by_stage: dict[str, list[TopicLag]] = {}
    for topic in lag.topics:
        by_stage.setdefault(topic.stage, []).append(topic)

    def pipe(topic: str) -> Pipe:
        row = by_topic.get(topic)
        if row is None:
            return Pipe("not known", "not known")
        return Pipe(seconds(row.behind_s), number(row.records), "" if row.kind == "ok" else row.kind)

    def box(stage: str) -> Box:
        topics = by_stage.get(stage, [])
        if any(topic.state in STANDSTILL for topic in topics):
            return Box("stands still", "bad")
        rates = [topic.out_per_s for topic in topics if topic.out_per_s is not None]
        return Box(f"{sum(rates):.0f}/s" if rates else "not known")

    arrived = sum(topic.in_per_s for topic in lag.topics if topic.topic.endswith(".notifications"))
    return Road(
        receiver=Box(f"{arrived:.0f}/s"),
        hubspot_notifications=pipe(HUBSPOT_NOTIFICATIONS),
        userflow_notifications=pipe(USERFLOW_NOTIFICATIONS),
        hubspot_source=box("hubspot source"),
        userflow_source=box("userflow source"),
        hubspot_changes=pipe(HUBSPOT_CHANGES),
        userflow_changes=pipe(USERFLOW_CHANGES),
        objects=box("objects"),
        matches=pipe(MATCHES),
        pairs=box("pairs"),
        to_userflow=pipe(USERFLOW_FIELD_PATCHES),
        to_hubspot=pipe(HUBSPOT_FIELD_PATCHES),
        userflow_sink=box("userflow sink"),
        hubspot_sink=box("hubspot sink"),
    )


def _row(lag: Lag, topic: TopicLag, of: str, days: int | None, hour: Hour | None) -> StageRow:
    reached_ms = topic.retention_reaches_ms(days)
    behind_s, records = lag.behind_s(topic.oldest) or 0.0, topic.lag
    if of:
        shares = [share for place in topic.places if (share := place.place.unread.shares.get(of)) is not None]
        oldest = min((one.live_at_ms for one in shares if one.live_at_ms is not None), default=lag.at_ms)
        behind_s, records = max(lag.at_ms - oldest, 0) / 1000, sum(share.records for share in shares)
    return StageRow(
        topic.stage,
        topic.topic,
        KINDS[topic.state],
        WORDS[topic.state],
        topic.why,
        behind_s,
        records,
        topic.in_per_s,
        topic.out_per_s,
        topic.drain_s,
        held_back(topic),
        None if reached_ms is None else (reached_ms - lag.at_ms) / 1000,
        clock(reached_ms, lag.at_ms) if reached_ms is not None and reached_ms - lag.at_ms < NEAR_MS else "",
        hour.handled(topic.stage, topic.topic) if hour is not None else (),
    )


def shares_to(system: System, processes: Iterable[Vitals]) -> list[Share]:
    """Where the time of live changes went from their webhook until they were written; none: none was written."""
    rows = list(processes)
    sums: dict[PartName, int] = {}
    changes = 0
    for part in PARTS:
        there = [one for row in rows for one in row.durations if (one.part, one.system) == (f"whole/{part}", system)]
        sums[part] = sum(one.sum_ms for one in there if not one.bulk)
        changes = sum(sum(one.counts) for one in there if not one.bulk)
    whole = sum(sums.values())
    if not changes:
        return []
    return [Share(part, ms / changes / 1000, 100 * ms / whole if whole else 0.0) for part, ms in sums.items()]


def means_at(system: System, processes: Iterable[Vitals]) -> list[float | None]:
    """What a live request takes at a system, in seconds on average; None: none was counted."""
    found: list[float | None] = []
    rows = list(processes)
    for part in AT_A_SYSTEM:
        there = [one for row in rows for one in row.durations if (one.part, one.system) == (part, system)]
        live = [one for one in there if not one.bulk]
        counted = sum(sum(one.counts) for one in live)
        found.append(sum(one.sum_ms for one in live) / counted / 1000 if counted else None)
    return found


def calls_of(processes: Iterable[Vitals]) -> list[tuple[str, str, int, int, float]]:
    """System, purpose, requests, answers that said a limit was met, and seconds waited for a place; the most first."""
    found: dict[tuple[str, str], list[int]] = {}
    for row in processes:
        for one in row.calls:
            total = found.setdefault((one.system, one.purpose), [0, 0, 0])
            for at, more in enumerate((one.calls, one.limited, one.waited_ms)):
                total[at] += more
    rows = [(*key, calls, limited, waited_ms / 1000) for key, (calls, limited, waited_ms) in found.items()]
    return sorted(rows, key=lambda row: -row[2])
