"""A run as people and scripts see it: one object with fixed keys, from the run's own row. Pure."""

from datetime import UTC, datetime
from typing import Literal, TypedDict

from pipeline.full_sync.rows import Run
from pipeline.full_sync.situation import COUNT, CRAWL, HOLD, STALLED_MS, TOTALS, WRITE, WRITTEN
from schemas.values import SYSTEMS

ReportState = Literal["running", "completed", "failed", "stopped", "superseded"]

READ_SHARE, WRITE_SHARE = 60.0, 95.0
"""Percent of a run that is over once everything was read, and once every patch has its outcome."""


class ReadReport(TypedDict):
    """One object type of a run; `expected` None: nobody knows, or it is not listed."""

    read: int
    expected: int | None
    calls: int


class RunReport(TypedDict):
    """One run. `pairs` = pairs written + equal + refused; a pair that was written on both sides counts on both."""

    run: str
    integration: str
    mappings: list[str]
    state: ReportState
    phase: str
    started_at: str
    updated_at: str
    finished_at: str | None
    requested_by: str
    percent: float | None
    eta_s: int | None
    read: dict[str, ReadReport]
    pairs: int
    written: dict[str, int]
    cleared: int
    equal: int
    unmatched: dict[str, int]
    ambiguous: int
    crowded: int
    refused: dict[str, int]
    vanished: int
    rate_per_s: float | None
    reason: str | None


def report(run: Run, now_ms: int) -> RunReport:
    """The run as it is now."""
    row, counts = run.row, run.row.counts
    rate = rate_per_s(run)
    return RunReport(
        run=run.run_id,
        integration=row.integration,
        mappings=list(row.mappings),
        state="running" if row.state == "requested" else row.state,
        phase=run.full_sync.phase or "read",
        started_at=instant(row.started_at_ms),
        updated_at=instant(row.updated_at_ms),
        finished_at=instant(run.full_sync.finished_at_ms) if run.full_sync.finished_at_ms else None,
        requested_by=run.full_sync.requested_by,
        percent=percent(run),
        eta_s=eta_s(run, rate),
        read=reads(run),
        pairs=counts.get("pairs", 0),
        written=_by_system(run, "written"),
        cleared=counts.get("cleared", 0),
        equal=counts.get("equal", 0),
        unmatched=_by_system(run, "unmatched"),
        ambiguous=counts.get("ambiguous", 0),
        crowded=counts.get("crowded", 0),
        refused={name[len("refused.") :]: n for name, n in sorted(counts.items()) if name.startswith("refused.")},
        vanished=counts.get("vanished", 0),
        rate_per_s=rate,
        reason=reason(run, now_ms),
    )


def reads(run: Run) -> dict[str, ReadReport]:
    """What was read of each object type."""
    counts = run.row.counts
    types = [name[len("read.") :] for name in sorted(counts) if name.startswith("read.")]
    return {
        name: ReadReport(
            read=counts[f"read.{name}"], expected=counts.get(f"expected.{name}"), calls=counts.get(f"calls.{name}", 0)
        )
        for name in types
    }


def reason(run: Run, now_ms: int) -> str | None:
    """Why it ended, what it waits for, or since when nobody has told of it."""
    if not run.under_way:
        return run.row.reason
    silent_ms = now_ms - run.row.updated_at_ms
    if silent_ms > STALLED_MS:
        silent = f"stalled: no scheduler has told of it for {silent_ms // 1000} s"
        return f"{silent}: is `pairstream run scheduler` (or `up`) running?"
    if run.row.state == "requested":
        return run.row.reason or "it waits for its turn"
    return run.row.reason


def percent(run: Run) -> float | None:
    """How much of the run is over; None while nobody knows."""
    full_sync = run.full_sync
    if run.row.state == "completed":
        return 100.0
    if full_sync.step in (TOTALS, CRAWL, ""):
        done = _share_read(run)
        return None if done is None else round(done * READ_SHARE, 1)
    if full_sync.phase == "read":
        return READ_SHARE
    if full_sync.step in (COUNT, HOLD, WRITE):
        return READ_SHARE
    if full_sync.phase == "compare":
        began, waiting = full_sync.began_waiting, full_sync.waiting
        done = (began - waiting) / began if began and full_sync.step == WRITTEN else 0.0
        return round(READ_SHARE + done * (WRITE_SHARE - READ_SHARE), 1)
    return WRITE_SHARE


def _share_read(run: Run) -> float | None:
    listed = [one for name, one in reads(run).items() if name in run.full_sync.crawls]
    expected = [one["expected"] for one in listed]
    if not listed or None in expected or len(listed) < len(run.full_sync.crawls):
        return None
    total = sum(number or 0 for number in expected)
    return min(sum(one["read"] for one in listed) / total, 1.0) if total else 1.0


def rate_per_s(run: Run) -> float | None:
    """Objects read, then patches that found their outcome, a second; of a run that ended, pairs a second."""
    row, full_sync = run.row, run.full_sync
    if full_sync.finished_at_ms:
        return _rate(row.counts.get("pairs", 0), full_sync.finished_at_ms - row.started_at_ms)
    if full_sync.phase == "read":
        return _rate(sum(one["read"] for one in reads(run).values()), row.updated_at_ms - row.started_at_ms)
    if full_sync.step == WRITTEN:
        return _rate(full_sync.began_waiting - full_sync.waiting, row.updated_at_ms - full_sync.step_at_ms)
    return None


def eta_s(run: Run, rate: float | None) -> int | None:
    """Seconds until everything is read, or every patch has its outcome; None where nobody knows."""
    if run.row.state != "running" or not rate:
        return None
    if run.full_sync.step == WRITTEN:
        return round(run.full_sync.waiting / rate)
    if run.full_sync.step != CRAWL or _share_read(run) is None:
        return None
    left = sum(max((one["expected"] or 0) - one["read"], 0) for one in reads(run).values())
    return round(left / rate)


def _rate(number: int, within_ms: int) -> float | None:
    return round(number * 1000 / within_ms, 1) if within_ms > 0 and number >= 0 else None


def _by_system(run: Run, name: str) -> dict[str, int]:
    return {system: run.row.counts.get(f"{name}.{system}", 0) for system in SYSTEMS}


def instant(at_ms: int) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
