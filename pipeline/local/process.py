"""One child process: ended with its parent, output in a file, stopped by its pid."""

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired
from typing import IO

from pipeline.local.orphan_guard import OrphanGuard

TAIL_LINES = 15
_TAIL_BYTES = 16_384
_DRAIN_S = 1.0


class ChildProcess:
    """Starts `argv` at once in its own session: a Ctrl-C reaches the parent only, which stops its children in order.

    `env` replaces the environment (None: inherited). Output is appended to `log`; each line goes to `echo` too, if
    given (from a thread of its own).
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        guard: OrphanGuard,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        echo: Callable[[str], None] | None = None,
    ) -> None:
        self.log = log
        self._guard = guard
        with log.open("ab") as file:
            self._popen = Popen(
                argv,
                env=env,
                stdin=DEVNULL,
                stdout=PIPE if echo else file,  # straight to the file where nobody listens: no copy, no stall
                stderr=STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        guard.hold(self.pid)
        self._copier = self._copy_output(echo) if echo else None

    @property
    def pid(self) -> int:
        return self._popen.pid

    def ended(self) -> int | None:
        """The exit code (minus the signal's number if a signal ended it), None while it runs."""
        code = self._popen.poll()
        if code is not None:
            self._guard.release(self.pid)
        return code

    def wait(self) -> int:
        """Block until it ends; the exit code."""
        code = self._popen.wait()
        self._guard.release(self.pid)
        if self._copier is not None:
            self._copier.join(_DRAIN_S)  # not for ever: a grandchild may keep the pipe open
        return code

    def terminate(self) -> None:
        """Send SIGTERM, then SIGCONT: a paused process takes no SIGTERM."""
        self._popen.send_signal(signal.SIGTERM)
        self._popen.send_signal(signal.SIGCONT)

    def stop(self, deadline_s: float) -> int:
        """SIGTERM, and SIGKILL after the deadline; the exit code."""
        self.terminate()
        try:
            self._popen.wait(deadline_s)
        except TimeoutExpired:
            self._popen.kill()
        return self.wait()

    def kill(self) -> int:
        """SIGKILL, as a crash would; the exit code."""
        self._popen.kill()
        return self.wait()

    def last_lines(self) -> str:
        return last_lines(self.log)

    def _copy_output(self, echo: Callable[[str], None]) -> threading.Thread:
        assert self._popen.stdout is not None
        copier = threading.Thread(target=_copy, args=(self._popen.stdout, self.log, echo), daemon=True)
        copier.start()
        return copier


def _copy(output: IO[bytes], log: Path, echo: Callable[[str], None]) -> None:
    with output, log.open("ab", buffering=0) as file:
        for line in output:
            file.write(line)
            echo(line.decode(errors="replace").rstrip("\n"))


def last_lines(log: Path, count: int = TAIL_LINES) -> str:
    """The last lines of a log file, for an error message."""
    if not log.exists():
        return "(no output)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES), os.SEEK_SET)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-count:]) or "(no output)"
