"""The road as one object with stable keys."""

from typing import Any

from pipeline.lag.facts import Waiting
from pipeline.lag.judging import Lag, PlaceLag, TopicLag
from schemas.vitals import BOUNDS_MS, DurationVitals, MappingVitals

Shown = dict[str, Any]


def report(lag: Lag, parked: dict[str, list[str]], changes_retention_days: int | None = None) -> Shown:
    """What `pairstream lag --format json` prints. Seconds are null where nothing waits, rates where nobody tells."""
    oldest = lag.oldest
    live = [one.oldest_live for one in lag.places if one.oldest_live is not None]
    return {
        "at_ms": lag.at_ms,
        "lag": sum(topic.lag for topic in lag.topics),
        "behind_s": lag.behind_s(oldest[1]) if oldest else 0.0,
        "live_behind_s": lag.behind_s(min(live, key=lambda one: one.at_ms)) if live else 0.0,
        "oldest": _oldest(*oldest) if oldest else None,
        "stages": [_topic(lag, one, changes_retention_days) for one in lag.topics],
        "partitions": [_place(lag, one) for one in lag.places],
        "integrations": by_integration(lag),
        "runs": lag.runs(),
        "parked": parked,
        "processes": [
            {
                "process": row.process,
                "role": row.role,
                "version": row.version,
                "age_s": max(lag.at_ms - row.at_ms, 0) / 1000,
                "cpu_ms": row.cpu_ms,
                "own_cpu_ms": row.own_cpu_ms,
                "calls": {f"{one.system} {one.purpose}": one.calls for one in row.calls},
                "waited_ms": {f"{one.system} {one.purpose}": one.waited_ms for one in row.calls},
                "mappings": {f"{one.integration}/{one.mapping}": _links(one) for one in row.mappings},
                "took": [_took(one) for one in row.durations],
            }
            for row in lag.processes
        ],
    }


def _links(one: MappingVitals) -> Shown:
    return {"linked": one.linked, "not_linked": one.not_linked, "several": one.several, "refused": one.refused}


def _took(one: DurationVitals) -> Shown:
    """A histogram as vital signs have it: one count for each bound, and one for what is above all."""
    return {
        "part": one.part,
        "system": one.system,
        "bulk": one.bulk,
        "bounds_ms": list(BOUNDS_MS),
        "counts": list(one.counts),
        "sum_ms": one.sum_ms,
    }


def by_integration(lag: Lag) -> list[Shown]:
    """What waits of each integration before each stage; only what was read of very long queues."""
    found: dict[tuple[str, str, str], tuple[int, int | None, int | None]] = {}
    for one in lag.places:
        for name, share in one.place.unread.shares.items():
            key = (name, one.place.stage, one.place.topic)
            records, at_ms, live = found.get(key, (0, None, None))
            found[key] = (records + share.records, _least(at_ms, share.at_ms), _least(live, share.live_at_ms))
    return [
        {
            "integration": name,
            "stage": stage,
            "topic": topic,
            "lag": records,
            "behind_s": _ago(lag, at_ms),
            "live_behind_s": _ago(lag, live),
        }
        for (name, stage, topic), (records, at_ms, live) in found.items()
    ]


def _topic(lag: Lag, one: TopicLag, changes_retention_days: int | None) -> Shown:
    return {
        "stage": one.stage,
        "group": one.group,
        "topic": one.topic,
        "state": one.state,
        "why": one.why or None,
        "lag": one.lag,
        "exact": one.exact,
        "markers": one.markers,
        "behind_s": lag.behind_s(one.oldest),
        "live_behind_s": lag.behind_s(one.oldest_live),
        "in_per_s": one.in_per_s,
        "out_per_s": one.out_per_s,
        "trend": one.trend or None,
        "drain_s": one.drain_s,
        "limited_by": one.limited_by or None,
        "in_memory": one.in_memory,
        "in_memory_s": _ago(lag, one.in_memory_at_ms),
        "retention_reaches_at_ms": one.retention_reaches_ms(changes_retention_days),
    }


def _place(lag: Lag, one: PlaceLag) -> Shown:
    place = one.place
    return {
        "stage": place.stage,
        "group": place.group,
        "topic": place.topic,
        "partition": place.partition,
        "current_offset": place.position,
        "log_end_offset": place.end,
        "lag": place.unread.records,
        "markers": place.markers,
        "behind_s": lag.behind_s(one.oldest),
        "consumer_id": place.member,
        "state": one.state,
    }


def _oldest(one: PlaceLag, waiting: Waiting) -> Shown:
    cause = waiting.cause
    return {
        "place": f"{one.place.topic}[{one.place.partition}]@{waiting.offset}",
        "stage": one.place.stage,
        "first_held_at_ms": waiting.at_ms,
        "caused_by": f"{cause.topic}[{cause.partition}]@{cause.offset}" if cause is not None and cause.topic else None,
    }


def _ago(lag: Lag, at_ms: int | None) -> float | None:
    return None if at_ms is None else max(lag.at_ms - at_ms, 0) / 1000


def _least(*times: int | None) -> int | None:
    return min((one for one in times if one is not None), default=None)
