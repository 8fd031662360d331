"""A watched run is shown as stalled; Ctrl-C ends the display, shows the cursor again, and says that the run goes on."""

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from pipeline.commands import full_sync_actions
from pipeline.exit_codes import INTERRUPTED
from pipeline.full_sync.report import report
from pipeline.full_sync.rows import Run
from schemas.runs import FullSyncRun, RunProgress, RunState

WATCH: Final = """
import asyncio, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the program begins
from pipeline.commands import full_sync_actions as actions
from schemas.runs import FullSyncRun, RunProgress

class Tables:
    def table(self, topic):
        return {"1-a": RunProgress("1-a", "acme", "run", "running", 1, 1, full_sync=FullSyncRun())}

asyncio.run(actions._watched(Tables(), ["1-a"], None, "text"))
"""
WITHIN_S: Final = 60.0
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


def until_there(terminal: int, wanted: bytes, seen: bytes = b"") -> bytes:
    """What the terminal was shown until it held something."""
    deadline = time.monotonic() + WITHIN_S
    while wanted not in seen:
        left = deadline - time.monotonic()
        ready, _, _ = select.select([terminal], [], [], max(left, 0))
        assert ready, seen
        seen += os.read(terminal, 65_536)
    return seen


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4]), "TERM": "xterm"}


def test_on_a_terminal(environment: dict[str, str]) -> None:
    ours, its = pty.openpty()
    argv = [sys.executable, "-c", WATCH]
    with subprocess.Popen(argv, env=environment, stdin=its, stdout=its, stderr=its) as command:
        os.close(its)
        try:
            seen = until_there(ours, b"full sync 1-a")
            command.send_signal(signal.SIGINT)
            seen = until_there(ours, b"shows it again", seen)
            code = command.wait(WITHIN_S)
        finally:
            command.kill()
            os.close(ours)

    assert code == INTERRUPTED
    assert seen.rindex(SHOW_CURSOR) > seen.rindex(HIDE_CURSOR)
    assert b"the run goes on" in seen
    assert b"Traceback" not in seen


def test_in_a_pipe(environment: dict[str, str]) -> None:
    pipe = subprocess.PIPE
    argv = [sys.executable, "-u", "-c", WATCH]
    with subprocess.Popen(argv, env=environment, stdout=pipe, stderr=pipe) as command:
        try:
            assert command.stdout is not None
            assert command.stdout.readline().startswith(b"acme: read")
            command.send_signal(signal.SIGINT)
            _, errors = command.communicate(timeout=WITHIN_S)
        finally:
            command.kill()

    assert command.returncode == INTERRUPTED
    assert errors == b"the run goes on: `pairstream full-sync watch` shows it again\n"


class Silent:
    """A run of which nobody tells, until it ends at the tenth look."""

    def __init__(self) -> None:
        self.looks = 0
        self._row = RunProgress("1-a", "acme", "run", "running", 1, 1, full_sync=FullSyncRun())
        self._ended = replace(self._row, state="stopped", reason="stopped")

    def table(self, _: str) -> Mapping[str, RunProgress]:
        self.looks += 1
        return {"1-a": self._row if self.looks < 10 else self._ended}


class Seen:
    """A display that keeps why a run was shown to stand."""

    def __init__(self) -> None:
        self.reasons: list[str | None] = []

    def show(self, run: Run, now_ms: int) -> None:
        self.reasons.append(report(run, now_ms)["reason"])

    def ended(self, run: Run, now_ms: int) -> None:
        self.show(run, now_ms)

    def goes_on(self, run: Run, run_id: str, now_ms: int) -> None:
        self.show(run, now_ms)


def test_a_run_that_nobody_tells_of_any_more_is_shown_as_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    tables, seen = Silent(), Seen()
    monkeypatch.setattr(full_sync_actions, "LOOK_S", 0.0)
    monkeypatch.setattr(full_sync_actions, "SHOWN_AGAIN_S", 0.0)
    monkeypatch.setattr(full_sync_actions, "now_ms", lambda: 20_000 * tables.looks)

    asyncio.run(full_sync_actions._to_its_end(tables, "1-a", None, seen))  # type: ignore[arg-type]

    assert seen.reasons[0] is None
    assert any(reason and reason.startswith("stalled: no scheduler has told of it for 79 s") for reason in seen.reasons)


def over(run_id: str, state: RunState, reason: str | None = None) -> RunProgress:
    """The last row of a run."""
    return RunProgress(run_id, "acme", "run", state, 1, 2, reason=reason, full_sync=FullSyncRun(finished_at_ms=2))


class Rows:
    """Runs that have ended."""

    def __init__(self, *rows: RunProgress) -> None:
        self._rows = {row.run_id: row for row in rows}

    def table(self, _: str) -> Mapping[str, RunProgress]:
        return self._rows


def watched(capsys: pytest.CaptureFixture[str], tables: Rows, *run_ids: str) -> tuple[object, list[str]]:
    """The exit code of whoever watches these, and the lines."""
    with pytest.raises(SystemExit) as end:
        asyncio.run(full_sync_actions._watched(tables, run_ids, None, "text"))  # type: ignore[arg-type]
    return end.value.code, capsys.readouterr().out.splitlines()


SAME: Final = over("2-b", "superseded", "run 1-a reads the same")
"""After `connect` both systems ask for a full sync."""


@pytest.mark.parametrize(
    "first",
    [
        SAME,
        over("2-b", "superseded", "run 1-a takes its place"),
        over("2-b", "superseded", "its mappings were edited while it read: run 1-a takes its place"),
    ],
)
def test_the_run_that_does_what_another_was_asked_for_is_followed(
    capsys: pytest.CaptureFixture[str], first: RunProgress
) -> None:
    """It exited with 1, though all was read and written."""
    code, lines = watched(capsys, Rows(first, over("1-a", "completed")), "2-b")

    assert code == 0
    assert lines[0] == f"acme: superseded after 0 s: {first.reason}; watching run 1-a"
    assert lines[1].startswith("acme: complete after")


def test_two_that_come_to_one_end_once(capsys: pytest.CaptureFixture[str]) -> None:
    tables = Rows(over("1-a", "completed"), SAME)
    with pytest.raises(SystemExit) as end:
        asyncio.run(full_sync_actions._watched(tables, ["1-a", "2-b"], None, "json", one=False))  # type: ignore[arg-type]
    assert end.value.code == 0
    assert [one["run"] for one in json.loads(capsys.readouterr().out)["runs"]] == ["1-a"]


@pytest.mark.parametrize(
    "rows",
    [
        (SAME, over("1-a", "failed", "forbidden")),
        (SAME,),  # the other is forgotten by now
        (SAME, over("1-a", "superseded", "run 2-b reads the same")),
    ],
)
def test_an_end_that_is_none_is_none(capsys: pytest.CaptureFixture[str], rows: tuple[RunProgress, ...]) -> None:
    assert watched(capsys, Rows(*rows), "2-b")[0] == 1
