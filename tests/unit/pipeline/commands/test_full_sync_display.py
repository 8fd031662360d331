"""A run while it goes on: drawn on a terminal, told in lines where there is none, objects for scripts."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from rich.live import Live

from pipeline.commands.full_sync_display import Lines, Objects, Terminal
from pipeline.full_sync.rows import Run
from schemas.runs import FullSyncRun, RunProgress, RunState

AT = 1_800_000_000_000
COUNTS = {"read.userflow.users": 500, "expected.userflow.users": 2_000, "calls.userflow.users": 5, "pairs": 3}


def run(state: RunState = "running", phase: str = "read", samples: tuple[str, ...] = (), step: str = "crawl") -> Run:
    row = RunProgress("1800000000000-aaaa", "acme", "run", state, AT, AT + 10_000, counts=COUNTS, samples=samples)
    finished_at_ms = 0 if state == "running" else AT + 10_000
    full_sync = FullSyncRun(phase=phase, step=step, crawls=("userflow.users",), finished_at_ms=finished_at_ms)
    return Run(replace(row, full_sync=full_sync))


def test_on_a_terminal_it_is_drawn_by_phase_with_rate_and_rest_and_its_end_stays() -> None:
    output = io.StringIO()
    with Live(console=Console(file=output, force_terminal=True, width=80), auto_refresh=False, transient=True) as live:
        shown = Terminal(live)
        shown.show(run(), AT + 10_000)
        live.refresh()
        drawn = output.getvalue()
        shown.ended(run("completed", "confirm"), AT + 10_000)
    assert "acme: full sync 1800000000000-aaaa: read  50.0/s  about 30 s" in drawn
    assert "userflow users 500/2,000 (5 calls)" in drawn
    assert "✓ acme: complete after 10 s: 3 pairs, 3 in step, 0 refused" in output.getvalue()


def test_one_that_asks_shows_whose_fields_would_be_emptied() -> None:
    output = io.StringIO()
    with Live(console=Console(file=output, force_terminal=True, width=80), auto_refresh=False) as live:
        Terminal(live).show(run(phase="compare", step="hold", samples=("user user-1: title",)), AT)
        live.refresh()
    assert "user user-1: title" in output.getvalue()


def test_elsewhere_a_line_is_told_once_and_its_end_once(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Lines()
    for _ in range(5):
        shown.show(run(), AT)
    shown.show(run("failed"), AT)
    shown.ended(run("failed"), AT)
    first, last = capsys.readouterr().out.splitlines()
    assert first == "acme: read 15 %: userflow users 500/2,000 (5 calls)"
    assert last.startswith("acme: failed after 10 s")


def test_for_scripts_the_last_object_is_that_of_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Objects()
    shown.show(run(), AT)
    shown.show(run("completed", "confirm"), AT)
    shown.ended(run("completed", "confirm"), AT)
    told = [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()]
    assert told == ["running", "completed"]
