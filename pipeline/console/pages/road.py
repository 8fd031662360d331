"""Where records wait and for how long, by stage: what `pairstream lag` says; and how long changes took."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.visit import Shown, Visit
from pipeline.lag.judging import Lag, TopicLag
from schemas.values import SYSTEMS
from schemas.vitals import BOUNDS_MS, Vitals

WORDS: Final[Mapping[str, str]] = {"OK": "Flowing", "WARN": "Falling behind", "STALL": "Stalled", "STOP": "Stopped"}
KINDS: Final[Mapping[str, str]] = {"OK": "ok", "WARN": "warn", "STALL": "bad", "STOP": "bad"}


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


@dataclass(frozen=True, slots=True)
class Took:
    """How long changes took from their webhook until they were written, at most; None: none was written."""

    to: str
    number: int
    half_ms: int | None
    most_ms: int | None


async def road(visit: Visit) -> Shown:
    """`/road`."""
    lag = await visit.desk.lag()
    if lag is None:
        return Shown("road.html", {"lag": None, "rows": [], "took": [], "word": "Not known", "kind": "idle"})
    rows = [_row(lag, topic) for topic in lag.topics]
    worst = max((topic.state for topic in lag.topics), key=list(WORDS).index, default="OK")
    took = [took_to(system, lag.processes) for system in SYSTEMS]
    return Shown("road.html", {"lag": lag, "rows": rows, "took": took, "word": WORDS[worst], "kind": KINDS[worst]})


def _row(lag: Lag, topic: TopicLag) -> StageRow:
    return StageRow(
        topic.stage,
        topic.topic,
        KINDS[topic.state],
        WORDS[topic.state],
        topic.why,
        lag.behind_s(topic.oldest) or 0.0,
        topic.lag,
        topic.in_per_s,
        topic.out_per_s,
        topic.drain_s,
        topic.limited_by,
    )


def took_to(system: str, processes: Iterable[Vitals]) -> Took:
    """Live changes since the connectors began, by the bounds that they count under."""
    ours = [one for row in processes for one in row.durations if (one.part, one.system) == ("whole", system)]
    whole = [one.counts for one in ours if not one.bulk]
    counts = [sum(column) for column in zip(*whole, strict=True)]
    return Took(system, sum(counts), _within(counts, 0.5), _within(counts, 0.99))


def _within(counts: Sequence[int], share: float) -> int | None:
    """The bound under which that share lies; None where none was counted, or it lies above all."""
    wanted, passed = sum(counts) * share, 0
    if not wanted:
        return None
    for bound, number in zip(BOUNDS_MS, counts, strict=False):
        passed += number
        if passed >= wanted:
            return bound
    return None
