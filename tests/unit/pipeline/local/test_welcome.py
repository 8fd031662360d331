"""What `up` says: where everything listens, and commands that can be typed."""

import shlex
from pathlib import Path

from pipeline.integration_file.loader import load
from pipeline.integration_file.model import IntegrationFile
from pipeline.local.endpoints import Endpoints
from pipeline.local.welcome import CREDENTIALS, demo_file, listening, next_steps
from tests.unit.test_docs import check

WHERE = Endpoints(
    kafka_bootstrap_servers="127.0.0.1:9092",
    receiver_url="http://127.0.0.1:8080",
    console_url="http://127.0.0.1:8090",
    pid=1,
    hubspot_simulator_url="http://127.0.0.1:9001",
    userflow_simulator_url="http://127.0.0.1:9002",
    health_urls={"worker": "http://127.0.0.1:9003", "receiver": "http://127.0.0.1:9004"},
)


def test_every_place_is_named() -> None:
    lines = listening(WHERE, Path("/state/logs"))

    for place in ("127.0.0.1:9092", ":8080", ":9001/_simulator", ":9002/_simulator", ":9003/health/ready", ":9004/"):
        assert any(place in line for line in lines), place
    assert max(map(len, lines)) <= 80


def test_the_commands_to_type_next_exist_and_edit_a_record_on_each_side() -> None:
    lines = [line.strip() for line in next_steps("pairstream", None, simulators=True, demo_data=True)]
    commands = [line for line in lines if line.startswith("pairstream ")]

    for line in commands:
        check(line)
    edited = [shlex.split(line)[3] for line in commands if line.startswith("pairstream simulate edit")]
    assert edited == ["hubspot", "userflow"]
    assert {line for line in lines if line.startswith("export ")} == {
        f"export {name}={value}" for name, value in CREDENTIALS.items()
    }


def test_another_state_directory_is_part_of_what_to_type() -> None:
    lines = next_steps("pairstream", Path("/srv/pairstream"), simulators=False, demo_data=False)

    assert "  export PAIRSTREAM_STATE_DIR=/srv/pairstream" in lines
    assert not any("simulate" in line for line in lines)


def test_the_demos_file_loads_with_the_simulators_credentials() -> None:
    assert isinstance(load(demo_file().read_text(), "demo.yaml", CREDENTIALS), IntegrationFile)
