"""docker-compose.yml by its shape: no Docker engine is needed, and none has run it here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.local.broker import POM
from pipeline.observability import live_probe
from tests.kafka import CONTAINER_IMAGE

ROOT = Path(__file__).parents[2]
ROLES = {
    "receiver": "pairstream run receiver",
    "hubspot-connector": "pairstream run connector hubspot",
    "userflow-connector": "pairstream run connector userflow",
    "worker": "pairstream run worker",
    "scheduler": "pairstream run scheduler",
    "console": "pairstream run console",
}
SIMULATORS = {
    "hubspot-simulator": "pairstream simulate hubspot --port 9001 --webhooks http://receiver:8080/webhooks/hubspot",
    "userflow-simulator": "pairstream simulate userflow --port 9002",
}
ONE_SHOT = {"topics": "pairstream topics apply"}
SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|API_KEY")

# A service is free-form YAML; what the tests rely on, they check.
Service = dict[str, Any]


def services() -> dict[str, Service]:
    loaded = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert isinstance(loaded, dict)
    return loaded


def test_each_process_of_the_design_is_one_service() -> None:
    assert set(services()) == {"kafka", "schema-registry", *ROLES, *ONE_SHOT, *SIMULATORS}


def test_the_commands_are_those_of_the_command_line() -> None:
    commands = {name: service["command"] for name, service in services().items() if "command" in service}
    assert commands == {**ROLES, **ONE_SHOT, **SIMULATORS}


def test_only_the_simulators_wait_for_the_demo_profile() -> None:
    assert {name for name, service in services().items() if service.get("profiles") == ["demo"]} == set(SIMULATORS)


@pytest.mark.parametrize("name", [*ROLES, *SIMULATORS, "kafka", "schema-registry"])
def test_every_lasting_service_has_a_health_check_and_restarts(name: str) -> None:
    service = services()[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ROLES)
def test_the_health_check_of_a_role_ends_it_where_nothing_moves(name: str) -> None:
    """Docker restarts what ends, and leaves what is unhealthy running: the probe ends it."""
    service = services()[name]
    assert service["healthcheck"]["test"] == ["CMD", "python", "-m", live_probe.__name__]
    assert service["init"] is True
    assert service["environment"]["PAIRSTREAM_HEALTH_PORT"] == "8070"


@pytest.mark.parametrize("name", ROLES)
def test_roles_start_after_the_topics_exist(name: str) -> None:
    assert services()[name]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}


def test_dependencies_name_services() -> None:
    named = {other for service in services().values() for other in service.get("depends_on", {})}
    assert named <= set(services())


def test_it_holds_no_secret() -> None:
    values = {
        name: value
        for service in services().values()
        for name, value in service.get("environment", {}).items()
        if SECRET_NAME.search(name)
    }
    assert values
    assert all(value is None or value.startswith("${") for value in values.values())


@pytest.mark.parametrize("name", [*ROLES, *SIMULATORS, "kafka"])
def test_ports_are_published_on_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in services()[name].get("ports", []))


def test_containers_and_the_local_broker_run_the_same_kafka() -> None:
    image = services()["kafka"]["image"]
    assert image == CONTAINER_IMAGE
    assert f"<version>{image.partition(':')[2]}</version>" in POM.read_text()


def test_what_the_image_copies_is_there() -> None:
    recipe = services()["worker"]["build"]["dockerfile_inline"]
    copied = [line.split()[1:-1] for line in recipe.splitlines() if re.match(r"COPY (?!--from)", line)]
    missing = [name for names in copied for name in names if not (ROOT / name).exists()]
    assert missing in ([], ["README.md"])
