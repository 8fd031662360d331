"""Starts Pairstream's commands and roles by `fork_server.py`; to whoever starts one, a fork is a `subprocess.Popen`."""

import atexit
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any, Final
from unittest import mock

from pipeline.local import process
from tests.fork_server import HEADER, MODULE

COMMAND: Final = (sys.executable, "-m", MODULE)
COMMAND_S: Final = 600.0  # none hangs unseen: full syncs are waited for up to 300 s
_FORKING: Final = threading.Event()


class Fork:
    """A process that the server started; the part of `subprocess.Popen` that supervisors and tests use."""

    stdout: IO[bytes] | None = None

    def __init__(self, argv: Sequence[str], pid: int, told: socket.socket) -> None:
        self.args, self.pid, self.returncode = argv, pid, None  # type: tuple[Sequence[str], int, int | None]
        self._told = told
        weakref.finalize(self, told.close)

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(15)

    def kill(self) -> None:
        self.send_signal(9)

    def _ended(self, within_s: float | None) -> int | None:
        """Any thread may ask while others wait: what is told stays there for all, and nobody closes the socket."""
        if self.returncode is None and select.select([self._told], [], [], within_s)[0]:
            told = self._told.recv(HEADER, socket.MSG_PEEK)
            assert told, "the fork server ended before its forks"
            self.returncode = int.from_bytes(told, "big", signed=True)
        return self.returncode


class Forks:
    """A running fork server, ended with this process."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            argv = (sys.executable, "-m", "tests.fork_server", str(theirs.fileno()))
            self._server = subprocess.Popen(argv, pass_fds=[theirs.fileno()], start_new_session=True)
        self._sending = threading.Lock()
        atexit.register(self.close)

    def start(
        self, words: Sequence[str], environment: Mapping[str, str], output: int, errors: int, *, nicer: int = 0
    ) -> Fork:
        ours, theirs = socket.socketpair()
        request = {"words": words, "environment": dict(environment), "folder": str(Path.cwd()), "nicer": nicer}
        body = json.dumps(request).encode()
        with theirs, self._sending:
            files = [output, errors, theirs.fileno()]
            socket.send_fds(self._requests, [len(body).to_bytes(HEADER, "big")], files)
            self._requests.sendall(body)
        pid = int.from_bytes(ours.recv(HEADER), "big")
        assert pid, "the fork server ended"
        return Fork((*COMMAND, *words), pid, ours)

    def close(self) -> None:
        self._requests.close()
        self._server.wait()


@cache
def forks() -> Forks:
    """One server for all tests of this process."""
    return Forks()


def _popen(argv: Sequence[str], *, env: Mapping[str, str] | None = None, **more: Any) -> Any:
    """A fork for a command of ours whose output goes to a file; what else is started, is started as ever."""
    output: Any = more.get("stdout")
    ours = tuple(argv[: len(COMMAND)]) == COMMAND and (env is None or _same_code(env))
    if not ours or not hasattr(output, "fileno"):
        return subprocess.Popen(argv, env=env, **more)
    number = output.fileno()
    return forks().start(argv[len(COMMAND) :], os.environ if env is None else env, number, number)


def _same_code(environment: Mapping[str, str]) -> bool:
    """Whether a process would find the code that the server has imported: an older release's is another."""
    return environment.get("PYTHONPATH") == os.environ.get("PYTHONPATH")


@contextmanager
def forked() -> Iterator[None]:
    """While it lasts, what a supervisor of this process starts and starts again are forks, and what `run` runs."""
    with mock.patch.object(process, "Popen", _popen):
        _FORKING.set()
        try:
            yield
        finally:
            _FORKING.clear()


def run(words: Sequence[str], environment: Mapping[str, str], *, nicer: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, with nothing to read; blocks. `nicer`: it gives way to others.

    Raises subprocess.TimeoutExpired, and ends it, where a fork takes longer than COMMAND_S.
    """
    if not _FORKING.is_set() or not _same_code(environment):
        argv = ("nice", "-n", str(nicer), *COMMAND, *words)
        return subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        fork = forks().start(words, environment, output.fileno(), errors.fileno(), nicer=nicer)
        try:
            code = fork.wait(COMMAND_S)
        except subprocess.TimeoutExpired:
            fork.kill()
            raise
        said = []
        for file in (output, errors):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(words, code, said[0], said[1])
