"""A run in words: lines for a terminal or a log, and a row of a table. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from pipeline.counting import counted
from pipeline.full_sync.counts import out_of_step
from pipeline.full_sync.report import ReadReport, RunReport, instant, report
from pipeline.full_sync.rows import Run
from pipeline.full_sync.situation import HOLD

HEAD: Final = ("INTEGRATION", "RUN", "STATE", "STARTED", "TOOK", "READ", "PAIRS", "WRITTEN", "REFUSED", "WHY")
BY: Final = {"person": "by hand", "schedule": "every day", "reconnect": "reconnected", "gap": "records were missed"}
PHASES: Final = {"read": "read", "compare": "compare and write", "confirm": "confirm"}


def lines(run: Run, now_ms: int) -> Iterator[tuple[str, str]]:
    """A word and what it tells, a line each, as far as the run has come."""
    told = report(run, now_ms)
    yield "read", "   ".join(_read(name, one) for name, one in told["read"].items()) or "not begun yet"
    if told["phase"] != "read":
        yield "pairs", _pairs(told)
        yield "written", _written(run, told)
    if run.full_sync.waiting and told["eta_s"] is not None:
        patches = counted(run.full_sync.waiting, "patch", "patches")
        yield "waiting", f"{patches} at {told['rate_per_s']}/s: about {duration(told['eta_s'])}"
    if told["reason"]:
        yield "why", told["reason"]
    if run.full_sync.step == HOLD:
        for sample in run.row.samples:
            yield "", sample


def _read(name: str, one: ReadReport) -> str:
    of = f"/{one['expected']:,}" if one["expected"] is not None else ""
    return f"{name.replace('.', ' ')} {one['read']:,}{of} ({one['calls']:,} calls)"


def _pairs(told: RunReport) -> str:
    unmatched = told["unmatched"]
    return (
        f"{told['pairs']:,} matched · {unmatched['hubspot']:,} HubSpot only · {unmatched['userflow']:,} Userflow only"
        f" · {told['ambiguous']:,} ambiguous · {told['crowded']:,} crowded"
    )


def _written(run: Run, told: RunReport) -> str:
    word = "to write: " if run.full_sync.phase == "compare" else ""
    written = told["written"]
    return (
        f"{word}HubSpot {written['hubspot']:,} · Userflow {written['userflow']:,} · equal {told['equal']:,}"
        f" · refused {sum(told['refused'].values()):,} · emptied {told['cleared']:,}"
    )


def plain(run: Run, now_ms: int) -> str:
    """The run in one line, for logs and pipes."""
    told = report(run, now_ms)
    share = "" if told["percent"] is None else f" {told['percent']:.0f} %"
    facts = "; ".join(text for word, text in lines(run, now_ms) if word)
    return f"{told['integration']}: {PHASES[told['phase']]}{share}: {facts}"


def ending(run: Run, now_ms: int) -> str:
    """How it ended, in one line."""
    told = report(run, now_ms)
    took = duration(round((run.full_sync.finished_at_ms - run.row.started_at_ms) / 1000))
    if told["state"] != "completed":
        return f"{told['integration']}: {told['state']} after {took}: {told['reason']}"
    refused = out_of_step(run.row.counts)
    in_step = told["pairs"] - refused
    ended = f"{counted(told['pairs'], 'pair')}, {in_step:,} in step, {refused:,} refused"
    return f"{told['integration']}: {state_word(told['state'])} after {took}: {ended}"


def ending_lines(run: Run, now_ms: int) -> Iterator[str]:
    """How it ended, and the command that shows what was refused."""
    yield ending(run, now_ms)
    if out_of_step(run.row.counts):
        yield f"  pairstream dead-letters list --run {run.run_id}"


def state_word(state: str) -> str:
    """A state as text has it; objects have the record's own word."""
    return "complete" if state == "completed" else state


def table(runs: Sequence[Run], now_ms: int) -> list[str]:
    """One line for each run under a head, columns as wide as they need to be."""
    rows = [HEAD, *(_row(run, now_ms) for run in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=False)] for row in rows)
    return ["  ".join([*cells, row[-1]]) for cells, row in zip(padded, rows, strict=True)]


def _row(run: Run, now_ms: int) -> tuple[str, ...]:
    told, finished = report(run, now_ms), run.full_sync.finished_at_ms
    took = duration(round(((finished or now_ms) - run.row.started_at_ms) / 1000)).replace(" min", "m")
    counted = told["phase"] != "read"
    return (
        told["integration"],
        told["run"],
        state_word(told["state"]),
        _clock(told["started_at"], now_ms),
        took.replace(" ", ""),
        f"{sum(one['read'] for one in told['read'].values()):,}",
        f"{told['pairs']:,}" if counted else "-",
        f"{run.row.counts.get('written', 0):,}" if counted else "-",
        f"{sum(told['refused'].values()):,}" if counted else "-",
        told["reason"] or BY.get(told["requested_by"], told["requested_by"]),
    )


def _clock(started_at: str, now_ms: int) -> str:
    """The time of today, else the day; in UTC."""
    day, _, time = started_at.partition("T")
    return time[:8] if instant(now_ms).startswith(day) else day


def duration(seconds: int) -> str:
    """`6 min 12 s`."""
    minutes, rest = divmod(max(seconds, 0), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
