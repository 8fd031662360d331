"""Runs the roles of one machine as child processes and starts again what dies."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from pipeline.local.echo import Echo
from pipeline.local.errors import NotRunning, StartFailed
from pipeline.local.live_watch import LiveWatch, WatchedRole
from pipeline.local.orphan_guard import OrphanGuard
from pipeline.local.process import ChildProcess, last_lines
from pipeline.local.readiness import answers
from pipeline.local.restarts import RestartPolicy, Restarts

DEFAULT_POLICY = RestartPolicy()
STOP_DEADLINE_S = 5.0
MAX_LOG_BYTES = 10_000_000
_POLL_S = 0.1


@dataclass(frozen=True)
class Role:
    """One process: `env` is added to this process's environment; `ready_url` answers 2xx once it works.

    `live_url` answers 503 once the process does nothing for good; it is killed then, and started again.

    What others work with, a `foundation`, is stopped once they have ended what they had in hand.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None
    live_url: str | None = None
    foundation: bool = False


class Supervisor:
    """Keeps `roles` running, in this order; their output goes to `<log_dir>/<name>.log`, warnings to `terminal` too.

    Every child ends when this process ends, however it ends. Roles are stopped together, then foundations, each having
    `stop_deadline_s` seconds after SIGTERM. `clock` is monotonic seconds. A log over 10 MB is set aside at the start.
    """

    def __init__(
        self,
        roles: Sequence[Role],
        log_dir: Path,
        *,
        policy: RestartPolicy = DEFAULT_POLICY,
        terminal: TextIO | None = None,
        stop_deadline_s: float = STOP_DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log_dir = log_dir
        self._stop_deadline_s = stop_deadline_s
        self._guard: OrphanGuard | None = None
        self._live_watch: LiveWatch | None = None
        width = max((len(role.name) for role in roles), default=0)
        self._keepers = {
            role.name: _Keeper(
                role,
                log_dir / f"{role.name}.log",
                policy,
                clock,
                Echo(terminal, role.name, width) if terminal is not None else None,
            )
            for role in roles
        }

    def start(self) -> None:
        """Start every role; raises FileNotFoundError for a program that is not there."""
        self._log_dir.mkdir(parents=True, exist_ok=True)
        self._guard = OrphanGuard()
        try:
            for keeper in self._keepers.values():
                keeper.start(self._guard)
        except BaseException:
            # Whatever interrupted it, no half of the roles may stay.
            self.stop()
            raise
        watched = [WatchedRole(url, one.kill) for one in self._keepers.values() if (url := one.role.live_url)]
        self._live_watch = LiveWatch(watched)
        self._live_watch.start()

    def wait_ready(self, deadline_s: float) -> None:
        """Block until every role with a ready_url answers; raises StartFailed naming those that do not."""
        deadline = time.monotonic() + deadline_s
        waiting = [keeper for keeper in self._keepers.values() if keeper.role.ready_url]
        while waiting := [keeper for keeper in waiting if not answers(keeper.role.ready_url or "")]:
            if time.monotonic() > deadline:
                raise StartFailed("\n".join(_why_not_ready(keeper, deadline_s) for keeper in waiting))
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End every role, then what they work with."""
        if self._live_watch is not None:
            self._live_watch.stop()
            self._live_watch = None
        for keeper in self._keepers.values():
            keeper.restart_no_more()
        for foundation in (False, True):
            self._stop_together([one for one in self._keepers.values() if one.role.foundation is foundation])
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def _stop_together(self, keepers: "Sequence[_Keeper]") -> None:
        """A role takes most of a second to leave its group: one after the other, Ctrl-C would take six."""
        with ThreadPoolExecutor(max(len(keepers), 1), "stop") as threads:
            for stopped in [threads.submit(keeper.stop, self._stop_deadline_s) for keeper in keepers]:
                stopped.result()

    async def run_until_stopped(self) -> None:
        """Start (unless started), wait for SIGINT or SIGTERM or cancellation, and stop every role."""
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.set)
        try:
            if self._guard is None:
                self.start()
            await stopping.wait()
        finally:
            await asyncio.to_thread(self.stop)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def pid_of(self, name: str) -> int:
        """The pid of a role now; raises NotRunning while it waits to be started again."""
        return self._keepers[name].pid()

    def restarts(self, name: str) -> int:
        """How often the role was started again."""
        return self._keepers[name].restarts.total

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Keeper:
    """Keeps one role running from a thread of its own, which blocks until the process ends: no polling."""

    def __init__(
        self,
        role: Role,
        log: Path,
        policy: RestartPolicy,
        clock: Callable[[], float],
        echo: Callable[[str], None] | None,
    ) -> None:
        self.role = role
        self.log = log
        self.restarts = Restarts()
        self._policy = policy
        self._clock = clock
        self._echo = echo
        self._stopping = threading.Event()
        self._change = threading.Lock()  # no start may slip in between "no more restarts" and the last signal
        self._process: ChildProcess | None = None
        self._thread: threading.Thread | None = None

    def start(self, guard: OrphanGuard) -> None:
        self._stopping.clear()
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        process = self._launch(guard)
        self._thread = threading.Thread(target=self._keep, args=(process, guard), name=f"keep {self.role.name}")
        self._thread.daemon = True
        self._thread.start()

    def pid(self) -> int:
        process = self._process
        if process is None or process.ended() is not None:
            raise NotRunning(f"{self.role.name} is not running just now; restarts so far: {self.restarts.total}")
        return process.pid

    def kill(self, why: str) -> None:
        """End the process; it is started again as after any kill."""
        process = self._process
        if process is not None and process.ended() is None:
            self._note(f"{self.role.name} is killed: {why}")
            process.kill()

    def restart_no_more(self) -> None:
        with self._change:
            self._stopping.set()

    def stop(self, deadline_s: float) -> None:
        process, thread = self._process, self._thread
        if process is not None:
            process.stop(deadline_s)
        if thread is not None:
            thread.join()
        self._process = self._thread = None

    def _keep(self, process: ChildProcess | None, guard: OrphanGuard) -> None:
        while not self._stopping.is_set():
            started = self._clock()
            code = process.wait() if process else None
            end = "could not be started" if code is None else f"ended with code {code}"
            if self._stopping.is_set():
                return
            self.restarts = self.restarts.after_end(
                self._clock() - started, self._policy, killed=code is not None and code < 0
            )
            wait_s = self.restarts.wait_s(self._policy)
            self._note(f"{self.role.name} {end}; restart {self.restarts.total} in {wait_s:g} s")
            self._stopping.wait(wait_s)
            process = self._relaunch(guard)

    def _relaunch(self, guard: OrphanGuard) -> ChildProcess | None:
        try:
            return self._launch(guard)
        except OSError as error:  # out of processes or memory: that may pass
            self._note(f"{self.role.name}: {error}")
            return None

    def _launch(self, guard: OrphanGuard) -> ChildProcess | None:
        with self._change:
            if self._stopping.is_set():
                return None
            env = {**os.environ, **self.role.env}
            self._process = ChildProcess(self.role.argv, log=self.log, guard=guard, env=env, echo=self._echo)
            return self._process

    def _note(self, line: str) -> None:
        """Write a line to log and terminal; a full disk or closed terminal loses it and ends no supervision."""
        with suppress(OSError), self.log.open("a") as file:
            file.write(f"--- {line}\n")
        if self._echo is not None:
            with suppress(OSError):
                self._echo(f"--- {line}")


def _why_not_ready(keeper: _Keeper, deadline_s: float) -> str:
    return (
        f"{keeper.role.name} was not ready within {deadline_s:.0f} s "
        f"(restarts: {keeper.restarts.total}); the end of {keeper.log}:\n{last_lines(keeper.log)}"
    )
