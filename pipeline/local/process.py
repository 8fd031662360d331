"""One child process: started on a leash, its output in a file, stopped by its pid."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.local.leash import Leash

TAIL_LINES = 15
_TAIL_BYTES = 16_384


class Process:
    """Starts `argv` at once, in a session of its own: a Ctrl-C reaches only whoever decides the order of stopping.

    `env` replaces the environment (None: inherited); output is appended to `log`.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        leash: Leash,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.log = log
        self._leash = leash
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        leash.hold(self.pid)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def ended(self) -> int | None:
        """The exit code (minus the signal's number if a signal ended it), None while it runs."""
        code = self._popen.poll()
        if code is not None:
            self._leash.release(self.pid)
        return code

    def wait(self) -> int:
        """Block until it ends; the exit code."""
        code = self._popen.wait()
        self._leash.release(self.pid)
        return code

    def stop(self, deadline_s: float) -> int:
        """SIGTERM, and SIGKILL after the deadline; the exit code."""
        self._popen.terminate()
        try:
            self._popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        return self.wait()

    def kill(self) -> int:
        """SIGKILL, as a crash would; the exit code."""
        self._popen.kill()
        return self.wait()

    def last_lines(self) -> str:
        return last_lines(self.log)


def last_lines(log: Path, count: int = TAIL_LINES) -> str:
    """The last lines of a log file, for an error message."""
    if not log.exists():
        return "(no output)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES), os.SEEK_SET)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-count:]) or "(no output)"
