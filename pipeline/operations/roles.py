"""Whether every role is there and does its work, by its vital signs and by what waits before it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from pipeline.lag.facts import Place
from pipeline.lag.judging import STANDSTILL, Lag, fresh
from pipeline.lag.text import RETENTION_SOON_S
from pipeline.operations.finding_kinds import FindingCode
from pipeline.operations.findings import Finding
from schemas.vitals import Vitals

ROLES: Final = {
    "receiver": "pairstream run receiver",
    "hubspot": "pairstream run connector hubspot",
    "userflow": "pairstream run connector userflow",
    "worker": "pairstream run worker",
    "scheduler": "pairstream run scheduler",
}

OFTEN: Final = 2  # a deployment begins a process twice within two minutes, if it is quick
CLOCKS_MS: Final = 2_000


def roles(lag: Lag) -> Iterator[Finding]:
    """A finding for each role; and for processes that do not last, share a name, or have another time than we."""
    for role, command in ROLES.items():
        yield from _role(role, command, [row for row in lag.processes if row.role == role], lag.at_ms)
    yield from _beginnings(lag)
    yield from _clocks(lag)


def stages(lag: Lag, changes_retention_days: int | None = None) -> Iterator[Finding]:
    """A finding for each stage that stands still, whose offsets were reset, or of which retention reaches records."""
    for topic in lag.topics:
        what = f"stage {topic.stage}"
        if topic.state in STANDSTILL:
            behind = lag.behind_s(topic.oldest)
            told = f"{topic.lag:,} records of {topic.topic} wait, the oldest for {behind or 0:.0f} s: {topic.why}"
            code: FindingCode = "stage_stopped" if topic.state == "STOP" else "stage_stalled"
            yield Finding(what, "wrong", f"{told}. Fix: `pairstream lag`, then that role's log", code)
        reset = [one.place for one in topic.places if _was_reset(one.place)]
        if reset:
            places = ", ".join(f"{one.topic}[{one.partition}]" for one in reset)
            why = "its offsets were reset, or it was away for long"
            told = f"group {topic.group} goes on where nothing is retained: {places}: {why}"
            yield Finding(what, "wrong", told, "group_reset")
        reaches_ms = topic.retention_reaches_ms(changes_retention_days)
        if reaches_ms is not None and (reaches_ms - lag.at_ms) / 1000 < RETENTION_SOON_S:
            moment = datetime.fromtimestamp(reaches_ms / 1000, UTC)
            told = f"retention reaches unread records of {topic.topic} at {moment:%Y-%m-%d %H:%M} UTC"
            yield Finding(what, "wrong", told, "retention_near")


def _was_reset(place: Place) -> bool:
    """Whether a group goes on behind the end, or before the beginning though records wait."""
    if place.position > place.end:
        return True
    return place.position < place.begin and place.unread.records > 0


def _beginnings(lag: Lag) -> Iterator[Finding]:
    """Processes that begin again and again, and two that share a name."""
    for process, begins in sorted(lag.begins.items()):
        what = f"process {process}"
        if len(set(begins)) < len(begins):
            told = "two processes have this name, and fence each other. Fix: give each an ordinal of its own"
            yield Finding(what, "wrong", told, "role_twice")
        elif len(begins) > OFTEN:
            told = f"began {len(begins)} times in two minutes. Fix: its log says why it ends"
            yield Finding(what, "wrong", told, "role_restarts")


def _clocks(lag: Lag) -> Iterator[Finding]:
    """Figures from the future: that process's clock, or ours, is wrong."""
    for row in lag.processes:
        ahead_ms = row.at_ms - lag.at_ms
        if ahead_ms > CLOCKS_MS:
            told = f"its clock is {ahead_ms / 1000:,.0f} s ahead of this machine's. Fix: set both by NTP"
            yield Finding(f"process {row.process}", "wrong", told, "clocks_differ")


def _role(role: str, command: str, rows: Iterable[Vitals], now_ms: int) -> Iterator[Finding]:
    known = sorted(rows, key=lambda row: row.process)
    alive = [row for row in known if fresh(row, now_ms)]
    if not known:
        why = "no sign of life in the last two minutes"
        told = f"{why}. Fix: is `{command}` (or `up`) running, and up to date?"
        yield Finding(f"role {role}", "wrong", told, "role_absent")
    elif not alive:
        last = max(known, key=lambda row: row.at_ms)
        why = f"{last.process} gave its last sign of life {(now_ms - last.at_ms) / 1000:.0f} s ago"
        told = f"{why}: it was ended, or it is frozen. Fix: start `{command}` again"
        yield Finding(f"role {role}", "wrong", told, "role_silent")
    else:
        silent = [row.process for row in known if row not in alive]
        told = f"{', '.join(row.process for row in alive)} up"
        yield Finding(f"role {role}", "ok", f"{told}; {', '.join(silent)} no more" if silent else told)
