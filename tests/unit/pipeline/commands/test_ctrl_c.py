"""Ctrl-C while a command waits for brokers that do not answer: it ends at once, and no trace is shown."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.pipeline.integration_file.files import GOOD

ENDED_WITHIN_S = 60  # a busy machine; one that waited for Kafka's client to give up would not end by the signal


@pytest.fixture
def silent_broker() -> Iterator[socket.socket]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        ["integration", "list"],
        ["plan", "acme.yaml"],
        ["apply", "acme.yaml", "--yes"],
    ],
    ids=lambda words: " ".join(words),
)
def test_ctrl_c_ends_a_command_that_waits(tmp_path: Path, silent_broker: socket.socket, words: list[str]) -> None:
    (tmp_path / "acme.yaml").write_text(GOOD)
    port = silent_broker.getsockname()[1]
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "PAIRSTREAM_STATE_DIR": str(tmp_path / "state"),
        "PYTHONPATH": str(Path(__file__).parents[4]),
        **dict.fromkeys(("HUBSPOT_APP_SECRET", "HUBSPOT_TOKEN", "USERFLOW_API_KEY"), "secret-value"),
    }
    argv = [sys.executable, "-m", "pipeline", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=tmp_path, env=environment, text=True, stdout=pipe, stderr=pipe) as command:
        try:
            connection, _ = silent_broker.accept()  # now it waits
            with connection:
                command.send_signal(signal.SIGINT)
                output, errors = command.communicate(timeout=ENDED_WITHIN_S)
        finally:
            command.kill()

    assert command.returncode == -signal.SIGINT, errors  # which a shell shows as 130
    assert "Traceback" not in output + errors
