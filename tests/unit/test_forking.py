"""A fork that runs a command is, to whoever started it, the process that `python -m` would have made."""

import os
import select
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fork_server import HEADER
from tests.forking import COMMAND, Fork, forks, run

WAITED_S = 30.0
WAITING, FORKS = 8, 20
SAID = b"simulator: http://"


@pytest.mark.parametrize("words", [("--version",), ("validate", "missing.yaml"), ("lag",), ("run", "nothing")])
def test_it_says_and_ends_as_that_process_does(words: tuple[str, ...], tmp_path: Path) -> None:
    environment = {**os.environ, "PAIRSTREAM_STATE_DIR": str(tmp_path)}
    environment.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    fork = run(words, environment)
    plain = subprocess.run((*COMMAND, *words), env=environment, capture_output=True, text=True)
    assert (fork.returncode, fork.stdout, fork.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 0)])
def test_a_signal_ends_it_and_its_end_is_told_once_it_is_gone(number: int, code: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab") as file:
        fork = forks().start(["simulate", "hubspot", "--port", "0"], os.environ, file.fileno(), file.fileno())
    deadline = time.monotonic() + WAITED_S
    while SAID not in log.read_bytes() and time.monotonic() < deadline:
        with pytest.raises(subprocess.TimeoutExpired):
            fork.wait(0.05)
    assert (os.getsid(fork.pid), fork.poll()) == (fork.pid, None)
    fork.send_signal(number)
    assert fork.wait(WAITED_S) == fork.poll() == code
    with pytest.raises(ProcessLookupError):
        os.kill(fork.pid, 0)


def test_all_who_wait_for_it_are_told_of_its_end(tmp_path: Path) -> None:
    with (tmp_path / "log").open("ab") as file, ThreadPoolExecutor(WAITING) as threads:
        for _ in range(FORKS):
            fork = forks().start(["--version"], os.environ, file.fileno(), file.fileno())
            waiting = [threads.submit(fork.wait, WAITED_S) for _ in range(WAITING)]
            assert [one.result() for one in waiting] == [0] * WAITING


def test_who_looks_after_another_was_told_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    told, look = threading.Event(), select.select

    def late(*files: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            told.wait(WAITED_S)
        return look(*files)

    monkeypatch.setattr(select, "select", late)
    with theirs, ThreadPoolExecutor(1) as threads:
        fork = Fork((), 0, ours)
        other = threads.submit(fork._ended, WAITED_S)
        theirs.sendall((7).to_bytes(HEADER, "big", signed=True))
        assert fork.wait(WAITED_S) == 7
        fork.returncode = None  # as the other saw it before
        told.set()
        assert other.result() == 7


def test_other_code_is_run_by_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "__init__.py").touch()
    (tmp_path / "pipeline" / "cli.py").write_text("print('an older release')")
    done = run(("--version",), {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"})
    assert (done.returncode, done.stdout) == (0, "an older release\n")
