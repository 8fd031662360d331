"""A watched run is shown as stalled; Ctrl-C ends the display, shows the cursor again, and says that the run goes on."""

import asyncio
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
from schemas.runs import FullSyncRun, RunProgress

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


def test_a_run_that_nobody_tells_of_any_more_is_shown_as_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    tables, seen = Silent(), Seen()
    monkeypatch.setattr(full_sync_actions, "LOOK_S", 0.0)
    monkeypatch.setattr(full_sync_actions, "SHOWN_AGAIN_S", 0.0)
    monkeypatch.setattr(full_sync_actions, "now_ms", lambda: 20_000 * tables.looks)

    asyncio.run(full_sync_actions._to_its_end(tables, "1-a", None, seen))  # type: ignore[arg-type]

    assert seen.reasons[0] is None
    assert any(reason and reason.startswith("stalled: no scheduler has told of it for 79 s") for reason in seen.reasons)
