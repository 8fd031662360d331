"""docker-compose.yml and the Dockerfile by their shape: no Docker engine is needed, and none has run them here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.kafka.consumer import DRAIN_S
from connectors.kafka.producer import FLUSH_S
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
TLS = "console-tls"
MONITORING = ("prometheus", "grafana")  # a set is in another order in each worker of pytest
RECIPE = ROOT / "pipeline/deploy/Dockerfile"
ONE_SHOT = {"topics": "pairstream topics apply"}
SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|API_KEY")

# A service is free-form YAML; what the tests rely on, they check.
Service = dict[str, Any]


def services() -> dict[str, Service]:
    loaded = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert isinstance(loaded, dict)
    return loaded


def test_each_process_of_the_design_is_one_service() -> None:
    assert set(services()) == {"kafka", "schema-registry", *ROLES, *ONE_SHOT, *SIMULATORS, *MONITORING, TLS}


def test_the_commands_are_those_of_the_command_line() -> None:
    commands = {name: service["command"] for name, service in services().items() if "command" in service}
    commands.pop(TLS)
    assert commands == {**ROLES, **ONE_SHOT, **SIMULATORS}


def test_only_the_simulators_wait_for_the_demo_profile() -> None:
    assert {name for name, service in services().items() if service.get("profiles") == ["demo"]} == set(SIMULATORS)


def test_the_console_is_served_over_tls_where_that_is_asked_for() -> None:
    proxy, console = services()[TLS], services()["console"]
    assert proxy["profiles"] == ["tls"] and proxy["command"].endswith("--to console:8090")
    assert {f"PAIRSTREAM_CONSOLE_{name}" for name in ("OIDC_ISSUER", "OIDC_CLIENT_SECRET", "ROLES", "URL")} <= set(
        console["environment"]
    )


@pytest.mark.parametrize("name", [*ROLES, *SIMULATORS, *MONITORING, TLS, "kafka", "schema-registry"])
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


@pytest.mark.parametrize("name", [*ROLES, *SIMULATORS, *MONITORING, TLS, "kafka"])
def test_ports_are_published_on_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in services()[name].get("ports", []))


def test_containers_and_the_local_broker_run_the_same_kafka() -> None:
    image = services()["kafka"]["image"]
    assert image == CONTAINER_IMAGE
    assert f"<version>{image.partition(':')[2]}</version>" in POM.read_text()


def recipe() -> list[str]:
    """The Dockerfile's lines, those that go on joined."""
    return RECIPE.read_text().replace("\\\n", " ").splitlines()


def test_every_role_is_built_from_the_dockerfile() -> None:
    build = services()["worker"]["build"]

    assert ROOT / build["context"] / build["dockerfile"] == RECIPE
    assert all(service["build"] == build for name, service in services().items() if name in ROLES)


def test_what_the_image_copies_is_there_and_is_sent_to_the_engine() -> None:
    copied = [name for line in recipe() if re.match(r"COPY (?!--from)", line) for name in line.split()[1:-1]]
    sent = RECIPE.with_name("Dockerfile.dockerignore").read_text().splitlines()

    assert len(copied) >= 6
    assert [name for name in copied if not (ROOT / name).exists()] in ([], ["README.md"])
    assert sent[1] == "*"
    assert {f"!{name}" for name in copied} == {line for line in sent if line.startswith("!")}


def test_the_image_runs_as_a_number_that_is_not_root_and_holds_no_compiler() -> None:
    last = max(number for number, line in enumerate(recipe()) if line.startswith("FROM "))
    image = recipe()[last:]

    assert "USER 10001:10001" in image
    assert not any("gcc" in line or "pip install" in line for line in image)
    assert sum(line.startswith("FROM ") for line in recipe()) == 3


@pytest.mark.parametrize("name", [*ROLES, *ONE_SHOT, *SIMULATORS])
def test_the_root_is_read_only_and_the_state_directory_is_not(name: str) -> None:
    service = services()[name]
    writable = {mount.partition(":")[0]: mount.partition(":")[2] for mount in service["tmpfs"]}

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(writable) == {"/tmp", service["environment"]["PAIRSTREAM_STATE_DIR"]}
    assert "uid=10001" in writable["/var/lib/pairstream"]


@pytest.mark.parametrize("name", ROLES)
def test_a_role_has_the_time_that_its_graceful_stop_may_take(name: str) -> None:
    grace = services()[name]["stop_grace_period"]

    assert float(grace.removesuffix("s")) > 2 * (DRAIN_S + FLUSH_S)


def test_monitoring_scrapes_every_role_and_reads_the_files_that_are_shipped() -> None:
    config = yaml.safe_load((ROOT / "pipeline/deploy/monitoring/prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    port = services()["worker"]["environment"]["PAIRSTREAM_HEALTH_PORT"]
    mounted = {
        volume.split(":")[1]: ROOT / volume.split(":")[0]
        for name in MONITORING
        for volume in services()[name]["volumes"]
        if volume.startswith("./")
    }

    assert job["static_configs"][0]["targets"] == [f"{name}:{port}" for name in ROLES]
    assert all(path.is_file() for path in mounted.values())
    assert set(config["rule_files"]) <= set(mounted)
    assert mounted["/var/lib/grafana/dashboards/pairstream.json"] == ROOT / "pipeline/monitoring/dashboard.json"
    assert all(services()[name]["profiles"] == ["monitoring"] for name in MONITORING)
