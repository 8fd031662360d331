"""Ends child processes when their parent dies, even if the parent was killed with SIGKILL.

A small watcher process reads its standard input, on which the parent names the pids it owns; the end of that input is
the parent's death. Linux could do without it (PR_SET_PDEATHSIG), but that signal follows the *thread* that started the
child, so a broker started from a worker thread would die when the thread ends; and it does not exist on macOS.

The watcher imports nothing but the standard library: it is run as a file, without site-packages.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import IO

GRACE_S = 3.0
_POLL_S = 0.05


class OrphanGuard:
    """Holds pids of child processes; ends those still held when this process ends."""

    def __init__(self) -> None:
        self._watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal must not end the watcher before those it watches
        )

    def hold(self, pid: int) -> None:
        self._say(f"+{pid}\n")

    def release(self, pid: int) -> None:
        """Forget a pid. Call it once the child was reaped: the pid may then belong to another process."""
        self._say(f"-{pid}\n")

    def close(self) -> None:
        """End the children still held, and stop watching."""
        if self._watcher.stdin is not None and not self._watcher.stdin.closed:
            with suppress(BrokenPipeError):
                self._watcher.stdin.close()
        self._watcher.wait()

    def _say(self, line: str) -> None:
        assert self._watcher.stdin is not None
        # somebody ended the watcher, or closed it meanwhile: the children lose its protection, not their work
        with suppress(BrokenPipeError, ValueError):
            self._watcher.stdin.write(line.encode())
            self._watcher.stdin.flush()


def _read_pids(lines: IO[str]) -> set[int]:
    held: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        if line.startswith("+"):
            held.add(pid)
        else:
            held.discard(pid)
    return held


def _signal_all(pids: Iterable[int], number: int) -> set[int]:
    """Signal each pid; those that still exist."""
    alive = set()
    for pid in pids:
        try:
            os.kill(pid, number)
            alive.add(pid)
        except ProcessLookupError:
            continue
    return alive


def _watch() -> None:
    held = _read_pids(sys.stdin)
    alive = _signal_all(held, signal.SIGTERM)
    _signal_all(alive, signal.SIGCONT)  # a stopped process takes no SIGTERM
    deadline = time.monotonic() + GRACE_S
    while alive and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        alive = _signal_all(alive, 0)
    _signal_all(alive, signal.SIGKILL)


if __name__ == "__main__":
    _watch()
