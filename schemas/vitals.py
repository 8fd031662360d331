"""Vital signs: the figures that every process writes every few seconds, so that others can tell how it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class InMemory:
    """Records of one integration that a process has taken and not ended."""

    integration: str  # whose records; empty where that is not known yet
    records: int  # how many
    bulk: int  # how many of them are bulk, or of a full sync
    oldest_at_ms: int | None = None  # our clock: when the oldest of their first causes was first held
    oldest_live_at_ms: int | None = None  # the same of those that are not bulk
    oldest_offset: int | None = None  # where the oldest of them stands


@dataclass(frozen=True, slots=True)
class PlaceVitals:
    """One partition of a topic, as a stage in one process has handled it."""

    stage: str  # `objects`, `pairs`, `hubspot source`, ...
    topic: str  # the topic that is taken
    partition: int  # its partition
    next_offset: int  # the offset behind the last record that was taken; of an agent: that was handled
    taken: int  # records taken since the process began
    finished: int  # records that have an outcome, since then
    in_memory: tuple[InMemory, ...] = ()  # what was taken and has no outcome yet


@dataclass(frozen=True, slots=True)
class ApiVitals:
    """Requests to a system for one purpose since the process began."""

    system: str  # the system that is asked
    purpose: str  # `live_read`, `write`, ...
    calls: int  # requests that were sent
    limited: int = 0  # answers that said a limit was met
    waited_ms: int = 0  # milliseconds that they waited for a place in the system's limits


@dataclass(frozen=True, slots=True)
class LimitVitals:
    """What limits the requests of one integration to a system."""

    integration: str  # whose requests
    system: str  # the system that is asked
    remaining: int | None = None  # requests that the newest answer leaves
    limited_by: str = ""  # the limit that an answer said was met last: `burst`, `search`, `daily`, `unknown`
    limited_at_ms: int | None = None  # our clock: when


@dataclass(frozen=True, slots=True)
class DurationVitals:
    """How long one part of the way of a change took, since the process began."""

    part: str  # `whole`: webhook to written; `whole/read`, ..: its parts; `read`, `write`: a request; `budget`: waits
    system: str  # the system that is read, written or waited for; of the whole and its parts: the written one
    bulk: bool  # whether it was bulk
    counts: tuple[int, ...]  # how many fell under each bound of BOUNDS_MS and above the one before; last: above all
    sum_ms: int  # milliseconds of all of them
    integration: str = ""  # of the whole: whose changes; else, and of a release before, empty: of all


@dataclass(frozen=True, slots=True)
class MappingVitals:
    """How the records of one mapping's pairs ended in agent PAIRS since the process began."""

    mapping: str  # the mapping's name
    linked: int  # its two objects are paired
    not_linked: int  # nobody on the other side
    several: int  # several objects on a side
    refused: int  # a value was refused
    integration: str = ""  # whose mapping; empty: a release before told it by its name alone


@dataclass(frozen=True, slots=True)
class BudgetVitals:
    """One limit of the requests to an integration's account, at one moment: who uses it, and what waits for it."""

    integration: str  # whose requests
    system: str  # the system that is asked
    limit: str  # `general`; `search`: requests that the system counts apart
    ceiling: int  # requests that may leave in an interval
    interval_ms: int  # how long that is
    found: bool  # whether the ceiling was found by trying, since the system tells none
    used: Mapping[str, int] = field(default_factory=dict)  # purpose -> requests of the interval until now
    others: int = 0  # requests that others used of it, as answers tell
    waiting: Mapping[str, int] = field(default_factory=dict)  # purpose -> requests that wait for a place
    paused_ms: int = 0  # how long no request leaves from now on, since an answer asked for that
    day_ceiling: int | None = None  # requests of a day, where answers tell
    day_left: int | None = None  # how many of them the newest answer leaves


@dataclass(frozen=True, slots=True)
class OutcomeVitals:
    """How many records ended in one way since the process began."""

    stage: str  # where they ended: `objects`, `pairs`; in a connector `source`, `sink`, `timeline`
    integration: str  # whose they were; empty where that was not known
    outcome: str  # `written`, `equal`, ...
    number: int  # how many


@dataclass(frozen=True, slots=True)
class Vitals:
    """The figures of one process at one moment. Key: process."""

    process: str  # `worker-0`, `userflow-0`, ...
    role: str  # `worker`, `hubspot`, `userflow`, `receiver`, `scheduler`, `console`
    at_ms: int  # our clock: when they were taken
    started_at_ms: int  # our clock: when the process began
    every_ms: int  # how long after the figures before
    version: str  # the release it runs
    cpu_ms: int  # processor time of the process since it began
    own_cpu_ms: int  # the part of it that these figures took
    places: tuple[PlaceVitals, ...] = ()  # what it takes
    calls: tuple[ApiVitals, ...] = ()  # whom it asks
    limits: tuple[LimitVitals, ...] = ()  # what holds it up there
    durations: tuple[DurationVitals, ...] = ()  # how long changes took
    webhooks: int = 0  # receiver: webhooks that were stored since the process began
    last_webhook_at_ms: int | None = None  # receiver: our clock: when the last one was stored
    accepted: Mapping[str, int] = field(default_factory=dict)  # receiver: <integration>/<system> -> when its last was
    refused: Mapping[str, int] = field(default_factory=dict)  # receiver: <system>/<result> -> when the last one was
    mappings: tuple[MappingVitals, ...] = ()  # worker: how records ended, by mapping
    budgets: tuple[BudgetVitals, ...] = ()  # connector: the limits of each account that it has open
    outcomes: tuple[OutcomeVitals, ...] = ()  # how records ended, by stage and integration


BOUNDS_MS = (50, 100, 200, 400, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000)
"""Upper bounds of what `DurationVitals` counts, in milliseconds."""


def held(record: Any) -> tuple[str, int | None, bool]:
    """Of any decoded record: whose it is, when its first cause was first held, and whether it is bulk."""
    cause = getattr(record, "caused_by", None)
    at_ms = cause.at_ms if cause is not None else getattr(record, "received_at_ms", None)
    bulk = getattr(record, "bulk", False) or getattr(record, "run_id", None) is not None
    return getattr(record, "integration", ""), at_ms, bulk


def summed(records: Iterable[tuple[int, Any]]) -> tuple[InMemory, ...]:
    """Records, by their offsets, summed by integration. Tens of thousands may be in memory: one pass, no values."""
    found: dict[str, _Sum] = {}
    for offset, record in records:
        integration, at_ms, bulk = held(record)
        total = found.get(integration)
        if total is None:
            total = found[integration] = _Sum()
        total.records += 1
        total.bulk += bulk
        if at_ms is None:
            continue
        if total.oldest_at_ms is None or at_ms < total.oldest_at_ms:
            total.oldest_at_ms, total.offset = at_ms, offset
        if not bulk and (total.live_at_ms is None or at_ms < total.live_at_ms):
            total.live_at_ms = at_ms
    return tuple(
        InMemory(name, one.records, one.bulk, one.oldest_at_ms, one.live_at_ms, one.offset)
        for name, one in sorted(found.items())
    )


@dataclass(slots=True)
class _Sum:
    """One integration's records so far."""

    records: int = 0
    bulk: int = 0
    oldest_at_ms: int | None = None
    live_at_ms: int | None = None
    offset: int | None = None
