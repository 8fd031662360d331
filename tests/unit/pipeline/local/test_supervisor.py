"""The supervisor with small Python processes as roles."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.local.errors import NotRunning, StartFailed
from pipeline.local.ports import free_port
from pipeline.local.restarts import RestartPolicy
from pipeline.local.supervisor import MAX_LOG_BYTES, Role, Supervisor
from tests.unit.pipeline.local.waiting import eventually, exists

QUICK = RestartPolicy(first_wait_s=0.01, longest_wait_s=0.02)
SLOW = RestartPolicy(first_wait_s=60, longest_wait_s=60)
SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
SERVE = "import http.server, sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()"
ANSWER = "class H(http.server.BaseHTTPRequestHandler):\n def do_GET(s): s.send_response(200); s.end_headers()\n"


def role(name: str, code: str, *argv: str) -> Role:
    return Role(name, (sys.executable, "-I", "-S", "-c", code, *argv))


def serving_role(port: int) -> Role:
    argv = role("server", f"import http.server, sys\n{ANSWER}{SERVE}", str(port)).argv
    return Role("server", argv, ready_url=f"http://127.0.0.1:{port}/")


def said(log_dir: Path, name: str, words: str) -> Callable[[], bool]:
    log = log_dir / f"{name}.log"
    return lambda: log.exists() and words in log.read_text()


def test_a_killed_role_comes_back_with_another_pid(tmp_path: Path) -> None:
    with Supervisor([role("one", SLEEP)], tmp_path, policy=QUICK) as supervisor:
        assert eventually(said(tmp_path, "one", "up"))
        first = supervisor.pid_of("one")
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: supervisor.restarts("one") == 1)
        assert eventually(said(tmp_path, "one", "ended with code -9; restart 1"))
        assert eventually(lambda: (tmp_path / "one.log").read_text().count("up") == 2)
        assert supervisor.pid_of("one") != first


def test_the_neighbours_of_a_killed_role_keep_running(tmp_path: Path) -> None:
    with Supervisor([role("one", SLEEP), role("two", SLEEP)], tmp_path, policy=QUICK) as supervisor:
        two = supervisor.pid_of("two")
        os.kill(supervisor.pid_of("one"), signal.SIGKILL)
        assert eventually(lambda: supervisor.restarts("one") == 1)
        assert (supervisor.pid_of("two"), supervisor.restarts("two")) == (two, 0)


def test_a_role_in_back_off_has_no_pid(tmp_path: Path) -> None:
    with Supervisor([role("one", "raise SystemExit(3)")], tmp_path, policy=SLOW) as supervisor:
        assert eventually(said(tmp_path, "one", "ended with code 3"))
        with pytest.raises(NotRunning, match="one"):
            supervisor.pid_of("one")


def test_stopping_during_a_back_off_is_immediate(tmp_path: Path) -> None:
    supervisor = Supervisor([role("one", "pass")], tmp_path, policy=SLOW)
    supervisor.start()
    assert eventually(said(tmp_path, "one", "restart 1 in 60 s"))
    supervisor.stop()
    assert (tmp_path / "one.log").read_text().count("restart") == 1


def test_what_others_work_with_is_stopped_once_they_have_ended(tmp_path: Path) -> None:
    order = tmp_path / "order"
    tell = f"""
import signal, sys, time
def end(*_):
    with open({str(order)!r}, "a") as file: file.write(sys.argv[1] + " ")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(600)
"""
    names = ("ground", "first", "second")
    roles = [replace(role(name, tell, name), foundation=name == "ground") for name in names]
    with Supervisor(roles, tmp_path):
        assert all(eventually(said(tmp_path, name, "up")) for name in names)
    ended = order.read_text().split()
    assert (sorted(ended[:2]), ended[2]) == (["first", "second"], "ground")


def test_roles_are_stopped_together(tmp_path: Path) -> None:
    """Each waits for the other's end to begin: one after the other, both would be killed at the deadline."""
    wait = f"""
import signal, sys, time
from pathlib import Path
def end(*_):
    Path({str(tmp_path)!r}, sys.argv[1]).touch()
    while not Path({str(tmp_path)!r}, sys.argv[2]).exists(): time.sleep(0.01)
    print("ended well", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(600)
"""
    pairs = (("one", "other"), ("other", "one"))
    with Supervisor([role(name, wait, name, of) for name, of in pairs], tmp_path, stop_deadline_s=30):
        assert all(eventually(said(tmp_path, name, "up")) for name, _ in pairs)
    assert all("ended well" in (tmp_path / f"{name}.log").read_text() for name, _ in pairs)


def test_a_role_deaf_to_sigterm_is_killed_after_the_deadline(tmp_path: Path) -> None:
    supervisor = Supervisor([role("deaf", STUBBORN)], tmp_path, stop_deadline_s=0.2)
    supervisor.start()
    assert eventually(said(tmp_path, "deaf", "up"))
    pid = supervisor.pid_of("deaf")
    supervisor.stop()
    assert not exists(pid)


def test_a_paused_role_is_stopped_in_good_order(tmp_path: Path) -> None:
    supervisor = Supervisor([role("paused", SLEEP)], tmp_path, stop_deadline_s=60)
    supervisor.start()
    pid = supervisor.pid_of("paused")
    os.kill(pid, signal.SIGSTOP)
    supervisor.stop()
    assert not exists(pid)


def test_output_goes_to_the_log_and_to_the_terminal_with_its_name(tmp_path: Path) -> None:
    terminal = io.StringIO()
    roles = [role("one", SLEEP), role("second", SLEEP)]
    with Supervisor(roles, tmp_path, terminal=terminal):
        assert eventually(lambda: terminal.getvalue().count("up") == 2)
    assert sorted(terminal.getvalue().splitlines()) == ["one    | up", "second | up"]
    assert (tmp_path / "one.log").read_text() == "up\n"


def test_a_large_log_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    log.touch()
    os.truncate(log, MAX_LOG_BYTES + 1)
    with Supervisor([role("one", SLEEP)], tmp_path):
        assert eventually(lambda: log.read_text() == "up\n")
    assert (tmp_path / "one.log.1").stat().st_size == MAX_LOG_BYTES + 1


def test_ready_once_the_url_answers(tmp_path: Path) -> None:
    port = free_port()
    with Supervisor([serving_role(port)], tmp_path) as supervisor:
        supervisor.wait_ready(20)
        assert supervisor.restarts("server") == 0


def test_what_is_not_ready_is_named_with_its_last_lines(tmp_path: Path) -> None:
    broken = role("broken", "raise SystemExit('no such setting')")
    broken = Role("broken", broken.argv, ready_url=f"http://127.0.0.1:{free_port()}/")
    with (
        Supervisor([broken], tmp_path, policy=SLOW) as supervisor,
        pytest.raises(StartFailed, match=r"(?s)broken was not ready.*no such setting"),
    ):
        supervisor.wait_ready(0.5)


def test_the_environment_of_a_role_is_added_to_ours(tmp_path: Path) -> None:
    show = "import os, time; print(os.environ['COLOUR'], 'PATH' in os.environ, flush=True); time.sleep(600)"
    one = Role("one", role("one", show).argv, env={"COLOUR": "green"})
    with Supervisor([one], tmp_path):
        assert eventually(said(tmp_path, "one", "green True"))


def test_a_program_that_is_not_there_stops_what_was_started(tmp_path: Path) -> None:
    supervisor = Supervisor([role("one", SLEEP), Role("two", ("/no/such/program",))], tmp_path)
    with pytest.raises(FileNotFoundError):
        supervisor.start()
    with pytest.raises(NotRunning):
        supervisor.pid_of("one")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_runs_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    supervisor = Supervisor([role("one", SLEEP)], tmp_path)
    running = asyncio.create_task(supervisor.run_until_stopped())
    await asyncio.to_thread(eventually, said(tmp_path, "one", "up"))
    pid = supervisor.pid_of("one")
    os.kill(os.getpid(), number)
    await asyncio.wait_for(running, 15)
    assert not exists(pid)


PARENT = """
import sys, time
from pathlib import Path
from pipeline.local.supervisor import Role, Supervisor
supervisor = Supervisor([Role("one", tuple(sys.argv[2:]))], Path(sys.argv[1]))
supervisor.start()
print(supervisor.pid_of("one"), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("code", [SLEEP, STUBBORN], ids=["willing", "deaf to SIGTERM"])
def test_roles_die_with_a_killed_parent(tmp_path: Path, code: str) -> None:
    argv = [sys.executable, "-c", PARENT, str(tmp_path), *role("one", code).argv]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert eventually(said(tmp_path, "one", "up"))
        parent.kill()
    assert eventually(lambda: not exists(child))
