"""What commands draw on a terminal moves its cursor; what strangers wrote on it never does."""

import os
import pty
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import click
import pytest

from pipeline.commands.file_actions import _progress
from pipeline.commands.full_sync_display import display
from pipeline.commands.lag_actions import clear
from pipeline.observability.printable import printable_output
from tests.unit.pipeline.commands.test_full_sync_display import AT, run


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The far end of a terminal that standard output and error go to; no fixture, for pytest puts its own in place."""
    ours, theirs = pty.openpty()
    streams = [os.fdopen(os.dup(theirs), "w", encoding="utf-8") for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        patch.setenv("TERM", "xterm")
        os.set_blocking(ours, False)
        yield ours
    for stream in streams:
        stream.close()
    os.close(theirs)
    os.close(ours)


def a_run() -> None:
    with display("text") as shown:
        shown.show(run(), AT + 10_000)
        shown.ended(run("completed", "confirm"), AT + 10_000)


def a_progress() -> None:
    _progress("sync.pairs-state", 1, 4)


DRAWN: Final = {"run": (a_run, b"\x1b[?25l"), "plan": (a_progress, b"\rreading"), "lag": (clear, b"\x1b[2J")}


@pytest.mark.parametrize(("draws", "moves"), DRAWN.values(), ids=DRAWN)
def test_what_commands_draw_moves_the_cursor(
    monkeypatch: pytest.MonkeyPatch, draws: Callable[[], None], moves: bytes
) -> None:
    with terminal(monkeypatch) as far_end:
        with printable_output():
            draws()
            click.echo("name \x1b[2J of somebody", color=True)
        shown = b""
        with suppress(BlockingIOError):  # nothing more was written
            while True:
                shown += os.read(far_end, 65_536)

    assert moves in shown
    assert b"\\x1b[2J of somebody" in shown
    assert shown.count(b"\\x") == 1
    assert b"\\r" not in shown
