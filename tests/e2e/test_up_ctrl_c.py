"""Ctrl-C ends `up` in whatever phase: no traceback, no process left behind, and the next `up` may begin at once."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

PHASES = ("starting Apache Kafka", "starting hubspot-simulator", "ready after")
LATER_S = (
    pytest.param(1.0, marks=pytest.mark.long),
    *(pytest.param(other, marks=pytest.mark.by_hand) for other in (0.0, 4.0)),  # six more whole starts
)
ENDED_WITHIN_S = 180.0
PROCESSES = Path("/proc")

pytestmark = pytest.mark.skipif(not PROCESSES.is_dir(), reason="processes are looked at by /proc")


def left_behind(folder: Path) -> list[str]:
    """Processes whose environment or command names the folder: roles, simulators, Kafka."""
    found = []
    for process in PROCESSES.glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        if str(folder).encode() in told and int(process.name) != os.getpid():
            found.append(told.split(b"\0KAFKA", 1)[0].replace(b"\0", b" ").decode(errors="replace")[:200])
    return found


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("later_s", LATER_S)
def test_ctrl_c_ends_up_in_every_phase(tmp_path: Path, phase: str, later_s: float) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "KAFKA_BOOTSTRAP_SERVERS"} | {
        "PAIRSTREAM_STATE_DIR": str(tmp_path / "state"),
        "PAIRSTREAM_RECEIVER_PORT": "0",
        "PAIRSTREAM_CONSOLE_PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }
    argv = [sys.executable, "-m", "pipeline", "up", "--simulators"]
    told: list[str] = []
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        assert up.stdout is not None
        begun = threading.Event()

        def read() -> None:
            for line in up.stdout or ():
                told.append(line)
                if line.startswith(phase):
                    begun.set()

        reader = threading.Thread(target=read)
        reader.start()
        try:
            assert begun.wait(ENDED_WITHIN_S), "".join(told)
            time.sleep(later_s)  # not for luck: any moment of the phase will do
            up.send_signal(signal.SIGINT)
            up.wait(ENDED_WITHIN_S)
        finally:
            up.kill()
            reader.join()

    assert up.returncode in (0, 130), "".join(told)
    assert "Traceback" not in "".join(told)
    assert left_behind(tmp_path) == []
