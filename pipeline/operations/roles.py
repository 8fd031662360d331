"""Whether every role is there and does its work, by its vital signs and by what waits before it."""

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.lag.judging import PATIENCE, Lag
from pipeline.operations.findings import Finding
from schemas.vitals import Vitals

ROLES: Final = {
    "receiver": "pairstream run receiver",
    "hubspot": "pairstream run connector hubspot",
    "userflow": "pairstream run connector userflow",
    "worker": "pairstream run worker",
    "scheduler": "pairstream run scheduler",
}


def roles(lag: Lag) -> Iterator[Finding]:
    """A finding for each role, and for each stage that stands still."""
    for role, command in ROLES.items():
        yield from _role(role, command, [row for row in lag.processes if row.role == role], lag.at_ms)
    for topic in lag.topics:
        if topic.state == "STOP":
            behind = lag.behind_s(topic.oldest)
            told = f"{topic.lag:,} records of {topic.topic} wait, the oldest for {behind or 0:.0f} s: {topic.why}"
            yield Finding(f"stage {topic.stage}", "wrong", f"{told}. Fix: `pairstream lag`, then that role's log")


def _role(role: str, command: str, rows: Iterable[Vitals], now_ms: int) -> Iterator[Finding]:
    known = sorted(rows, key=lambda row: row.process)
    alive = [row for row in known if now_ms - row.at_ms <= PATIENCE * row.every_ms]
    if not known:
        why = "no sign of life in the last two minutes"
        yield Finding(f"role {role}", "wrong", f"{why}. Fix: is `{command}` (or `up`) running, and up to date?")
    elif not alive:
        last = max(known, key=lambda row: row.at_ms)
        why = f"{last.process} gave its last sign of life {(now_ms - last.at_ms) / 1000:.0f} s ago"
        yield Finding(f"role {role}", "wrong", f"{why}: it was ended, or it is frozen. Fix: start `{command}` again")
    else:
        silent = [row.process for row in known if row not in alive]
        told = f"{', '.join(row.process for row in alive)} up"
        yield Finding(f"role {role}", "ok", f"{told}; {', '.join(silent)} no more" if silent else told)
