"""`up` on one machine: every role has ports of its own, and a taken one is said before anything starts."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.http.server import CannotListen
from pipeline.config import load_settings
from pipeline.local import stack
from pipeline.local.errors import PortTaken
from pipeline.local.readiness import answers
from pipeline.local.stack import roles_environment
from pipeline.state_dir import StateDirUnusable
from tests.unit.pipeline.local.test_endpoints import OURS


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def environment(tmp_path: Path, **given: str) -> dict[str, str]:
    return {
        "PAIRSTREAM_STATE_DIR": str(tmp_path / "state"),
        "PAIRSTREAM_RECEIVER_PORT": "0",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        **given,
    }


@pytest.mark.parametrize("setting", ["PAIRSTREAM_RECEIVER_PORT", "PAIRSTREAM_HEALTH_PORT"])
def test_a_taken_port_ends_up_at_once_with_the_name_of_the_setting(
    tmp_path: Path, taken_port: int, setting: str
) -> None:
    """The receiver ended 20 times in 132 s before `up` gave up."""
    given = environment(tmp_path, **{setting: str(taken_port)})

    with (
        pytest.raises(PortTaken, match=rf"{setting}: ports? {taken_port}\b.* taken\. Fix: "),
        stack.machine(given, simulators=False),
    ):
        pytest.fail("it started")


def test_one_of_the_ports_after_the_health_port_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ports of a machine that nobody shares: a neighbour's might be taken too, and be named first."""
    monkeypatch.setattr(stack, "is_free", lambda port, host: port != 18202)
    given = environment(tmp_path, PAIRSTREAM_HEALTH_PORT="18200")

    with pytest.raises(PortTaken, match="port 18202 "), stack.machine(given, simulators=False):
        pytest.fail("it started")


def test_all_taken_ports_are_named_at_once_each_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "is_free", lambda port, host: port not in {18202, 18204, 18300, 18301})
    given = {"PAIRSTREAM_RECEIVER_PORT": "18300", "PAIRSTREAM_CONSOLE_PORT": "18301", "PAIRSTREAM_HEALTH_PORT": "18200"}

    with (
        pytest.raises(PortTaken) as refused,
        stack.machine(environment(tmp_path, **given), simulators=False, console=True),
    ):
        pytest.fail("it started")

    assert str(refused.value) == (
        "PAIRSTREAM_RECEIVER_PORT: port 18300 is taken; PAIRSTREAM_HEALTH_PORT: ports 18202, 18204 are taken; "
        "PAIRSTREAM_CONSOLE_PORT: port 18301 is taken. "
        "Fix: end what listens there, or set another port; 0 is any free one."
    )


def test_a_host_that_is_none_of_this_machine_is_said(tmp_path: Path) -> None:
    """It ended in a traceback."""
    given = environment(tmp_path, PAIRSTREAM_RECEIVER_PORT="18300", PAIRSTREAM_BIND_HOST="203.0.113.7")

    with (
        pytest.raises(CannotListen, match=r"at 203\.0\.113\.7:18300: .* PAIRSTREAM_BIND_HOST"),
        stack.machine(given, simulators=False),
    ):
        pytest.fail("it started")


@pytest.mark.parametrize("port", ["0", "18200"])
def test_no_two_roles_share_a_health_port(tmp_path: Path, port: str) -> None:
    """PAIRSTREAM_HEALTH_PORT reached every role, and all but the first ended again and again."""
    settings = load_settings(environment(tmp_path, PAIRSTREAM_HEALTH_PORT=port))
    every = stack.WITH_CONSOLE
    roles = stack._roles(stack._places(settings, "127.0.0.1:1", True, every), every)

    ports = [role.env["PAIRSTREAM_HEALTH_PORT"] for role in roles]
    assert len(set(ports)) == len(roles) == 6
    assert "0" not in ports
    if port != "0":
        assert ports == ["18200", "18201", "18202", "18203", "18204", "18205"]
    assert all(role.ready_url for role in roles)


@pytest.mark.parametrize(
    ("bind_host", "reached_at"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")]
)
def test_urls_name_a_host_that_answers(tmp_path: Path, bind_host: str, reached_at: str) -> None:
    settings = load_settings(environment(tmp_path, PAIRSTREAM_BIND_HOST=bind_host))

    assert stack._places(settings, "x", simulators=False).receiver_url.startswith(f"http://{reached_at}:")


def test_a_state_directory_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    with pytest.raises(StateDirUnusable), stack.machine(environment(tmp_path), simulators=False):
        pytest.fail("it started")


def test_somebody_who_speaks_no_http_is_no_answer() -> None:
    """`BadStatusLine` ended `up`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        assert not answers(f"http://127.0.0.1:{server.getsockname()[1]}/health")
        thread.join()


def test_simulators_sign_the_address_they_send_to_whatever_the_public_one_is(tmp_path: Path) -> None:
    settings = load_settings(
        {"PAIRSTREAM_STATE_DIR": str(tmp_path / "state"), "PAIRSTREAM_PUBLIC_URL": "https://sync.acme.com"}
    )

    simulated = roles_environment(settings, replace(OURS, userflow_simulator_url="http://127.0.0.1:9002"))
    real = roles_environment(settings, replace(OURS, hubspot_simulator_url=None))

    assert simulated["PAIRSTREAM_PUBLIC_URL"] == OURS.receiver_url
    assert "PAIRSTREAM_PUBLIC_URL" not in real


def test_the_first_steps_name_the_ports_and_the_folder_there_are() -> None:
    page = (Path(__file__).parents[4] / "docs" / "how-to" / "first-steps.md").read_text("utf-8")
    settings = load_settings({"HOME": "/home/ada"})

    assert f"{settings.receiver_port} of the receiver (`PAIRSTREAM_RECEIVER_PORT`)" in page
    assert f"{settings.console_port} of the console\n(`PAIRSTREAM_CONSOLE_PORT`)" in page
    assert f"by default `~/{settings.state_dir.relative_to('/home/ada')}`" in page
