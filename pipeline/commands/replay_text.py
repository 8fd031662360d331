"""Replays in words and as objects for scripts. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.commands.replay_desk import Planned
from pipeline.counting import counted
from pipeline.full_sync.text import duration
from pipeline.operations.letter_report import age, clock, table
from pipeline.replay.choice import NOTIFICATIONS, place_name, places
from schemas.operating import Replay
from schemas.topics import REPLAYABLE
from schemas.values import SYSTEMS

HEAD: Final = ("REPLAY", "INTEGRATION", "STATE", "STARTED", "PUBLISHED", "PLANNED", "WRITTEN", "REFUSED", "BY")
SILENT_MS: Final = 60_000
"""A running replay that wrote no row for so long was interrupted, or waits behind live changes."""


def plan_lines(planned: Planned, earliest_ms: int | None) -> Iterator[str]:
    """What `plan` tells; `earliest_ms` is since when records were asked for."""
    row, found = planned.row, planned.rehearsed
    width = max(map(len, row.topics))
    for topic in row.topics:
        records = planned.by_topic.get(topic, 0)
        yield f"{topic.ljust(width)}  {counted(records, 'record')}  {_spans(row, topic)}{_retained(planned, topic)}"
    yield from _too_late(planned, earliest_ms)
    translated = sum(planned.by_topic.get(topic, 0) for topic in NOTIFICATIONS)
    if not planned.records:
        yield "nothing of it is retained there: no record would be published again"
    if translated:
        notifications = counted(translated, "notification")
        yield f"{notifications} would be translated again: what the systems hold now is read and written"
    if translated == planned.records:
        return
    unchanged = len(found.objects) - len(found.changed)
    objects = counted(len(found.objects), "object")
    yield f"{objects}; for {unchanged:,} something as new is known: equal or stale, no write"
    writes = ", ".join(f"{name} {found.writes(system):,}" for system, name in zip(SYSTEMS, NAMES, strict=True))
    events = f"{found.events:,}" if found.events else "none"
    more = f" (--activity adds {planned.left_out:,}, each at most once)" if planned.left_out else ""
    yield f"at most {counted(found.written, 'write')} ({writes}) · timeline events: {events}{more}"
    if found.refused:
        yield f"{counted(found.refused, 'value')} would be refused"
    about = "" if planned.about_s is None else f": about {duration(planned.about_s)}, as the last replays took"
    yield f"as bulk, behind live changes{about}"


NAMES: Final = tuple("HubSpot" if system == "hubspot" else "Userflow" for system in SYSTEMS)


def _spans(row: Replay, topic: str) -> str:
    begins, ends = places(row.reached), places(row.ends)
    spans = [(place, at, ends[place]) for place, at in begins.items() if place[0] == topic and at < ends[place]]
    shown = " ".join(f"[{place[1]}]@{begin}..{end}" for place, begin, end in spans[:4])
    return shown + (" …" if len(spans) > 4 else "")


def _retained(planned: Planned, topic: str) -> str:
    from_ms = planned.retained_from_ms.get(topic, 0)
    return f" (retained from {_minute(from_ms)})" if from_ms else ""


def _too_late(planned: Planned, earliest_ms: int | None) -> Iterator[str]:
    oldest_ms = min((at for at in planned.retained_from_ms.values() if at), default=0)
    if earliest_ms is not None and oldest_ms and earliest_ms < oldest_ms - 60_000:
        setting = f" (PAIRSTREAM_CHANGES_RETENTION_DAYS={planned.retention_days})"
        setting = setting if planned.retained_from_ms.keys() & set(REPLAYABLE) else ""
        yield (f"retained from {_minute(oldest_ms)}{setting}: what is older comes back by `full-sync start` only")


def _minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def plan_report(planned: Planned, at_ms: int) -> Mapping[str, Any]:
    """The plan as one object."""
    row, found = planned.row, planned.rehearsed
    return {
        "at_ms": at_ms,
        "integration": row.integration,
        "topics": {
            topic: {
                "records": planned.by_topic.get(topic, 0),
                "begin": _offsets(row.reached, topic),
                "end": _offsets(row.ends, topic),
                "retained_from_ms": planned.retained_from_ms.get(topic, 0),
            }
            for topic in row.topics
        },
        "records": planned.records,
        "objects": len(found.objects),
        "unchanged_objects": len(found.objects) - len(found.changed),
        "outcomes": {word: found.outcomes[word] for word in ("equal", "stale", "written", "refused")},
        "writes": {system: found.writes(system) for system in SYSTEMS},
        "fields": found.fields,
        "refused": found.refused,
        "timeline_events": found.events,
        "activity_left_out": planned.left_out,
        "about_s": planned.about_s,
    }


def _offsets(named: Mapping[str, int], topic: str) -> Mapping[str, int]:
    return {place_name(place): at for place, at in places(named).items() if place[0] == topic}


def row_report(row: Replay) -> Mapping[str, Any]:
    """A replay as an object."""
    return {
        "replay": row.replay_id,
        "integration": row.integration,
        "state": row.state,
        "by": row.by,
        "started_at_ms": row.started_at_ms,
        "updated_at_ms": row.updated_at_ms,
        "topics": list(row.topics),
        "begin": dict(row.begins),
        "end": dict(row.ends),
        "reached": dict(row.reached),
        "mapping": row.mapping,
        "object": row.object_key,
        "records": row.records,
        "published": row.published,
        "planned": row.planned,
        "written": row.written,
        "refused": row.refused,
    }


def status_lines(rows: Sequence[Replay], now_ms: int) -> Iterator[str]:
    """A line for each replay under a head."""
    yield from table(HEAD, [_row(row, now_ms) for row in rows])
    for row in rows:
        if row.state == "running" and now_ms - row.updated_at_ms > SILENT_MS:
            yield (
                f"{row.replay_id} told nothing for {age(now_ms - row.updated_at_ms)}: "
                f"`pairstream replay run --resume {row.replay_id}` goes on"
            )


def _row(row: Replay, now_ms: int) -> Sequence[str]:
    counted = row.state == "completed"
    return (
        row.replay_id,
        row.integration,
        row.state,
        clock(row.started_at_ms, now_ms),
        f"{row.published:,}/{row.records:,}",
        f"{row.planned:,}",
        f"{row.written:,}" if counted else "-",
        f"{row.refused:,}" if counted else "-",
        row.by,
    )
