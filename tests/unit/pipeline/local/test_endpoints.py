"""endpoints.json: written whole, read with a clear error, ignored when its writer is dead."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.local import endpoints
from pipeline.local.endpoints import Endpoints
from pipeline.local.errors import EndpointsUnreadable

OURS = Endpoints(
    kafka_bootstrap_servers="127.0.0.1:9092",
    receiver_url="http://127.0.0.1:8080",
    console_url="http://127.0.0.1:8090",
    pid=os.getpid(),
    hubspot_simulator_url="http://127.0.0.1:9001",
)


def pid_of_a_dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_what_was_written_is_read(tmp_path: Path) -> None:
    endpoints.write(tmp_path / "state", OURS)
    assert endpoints.read(tmp_path / "state") == OURS


def test_nothing_else_is_left_in_the_directory(tmp_path: Path) -> None:
    endpoints.write(tmp_path, OURS)
    assert [path.name for path in tmp_path.iterdir()] == ["endpoints.json"]


def test_no_file_means_no_supervisor(tmp_path: Path) -> None:
    assert endpoints.read(tmp_path) is None


def test_the_file_of_a_dead_supervisor_is_ignored(tmp_path: Path) -> None:
    endpoints.write(tmp_path, replace(OURS, pid=pid_of_a_dead_process()))
    assert endpoints.read(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"pid": 1}', '{"pid": "x", "other": 1}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "endpoints.json").write_text(text)
    with pytest.raises(EndpointsUnreadable, match=r"endpoints\.json.*pairstream up"):
        endpoints.read(tmp_path)


def test_the_writer_removes_its_file(tmp_path: Path) -> None:
    endpoints.write(tmp_path, OURS)
    endpoints.remove(tmp_path, OURS.pid)
    assert not (tmp_path / "endpoints.json").exists()


def test_a_newer_supervisors_file_stays(tmp_path: Path) -> None:
    endpoints.write(tmp_path, OURS)
    endpoints.remove(tmp_path, OURS.pid + 1)
    assert endpoints.read(tmp_path) == OURS
