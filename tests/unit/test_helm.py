"""The Helm chart: its rendering as it is stored, held against the code; and against helm itself where that is there."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

from connectors.kafka.consumer import DRAIN_S
from connectors.kafka.producer import FLUSH_S
from pipeline.cli import main
from pipeline.config import Settings, secret_variables
from pipeline.setting_words import variable
from tests.unit.test_compose import RECIPE

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "pipeline/deploy/helm"
RENDERED: Final = ROOT / "tests/samples/helm/rendered.yaml"
"""What `store` writes: helm's rendering below a line with the hash of the chart."""

ROLES: Final = ("receiver", "hubspot-connector", "userflow-connector", "worker", "scheduler", "console")

# A manifest is free-form YAML; what the tests rely on, they check.
Manifest = dict[str, Any]


def chart_hash() -> str:
    files = sorted(path for path in CHART.rglob("*") if path.is_file())
    content = b"\0".join(str(path.relative_to(CHART)).encode() + b"\0" + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()


def rendered_by_helm() -> str:
    command = ["helm", "template", "pairstream", str(CHART), "--kube-version", "1.28"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def store() -> None:
    """`python -m tests.unit.test_helm`, after an edit of the chart."""
    RENDERED.write_text(f"# chart {chart_hash()}\n{rendered_by_helm()}")


def manifests(kind: str) -> dict[str, Manifest]:
    """Name -> manifest."""
    return {one["metadata"]["name"].removeprefix("pairstream-"): one for one in rendered() if one["kind"] == kind}


@cache
def rendered() -> tuple[Manifest, ...]:
    """Read once: a fifth of a second."""
    return tuple(one for one in yaml.safe_load_all(RENDERED.read_text()) if one)


def pod_of(role: str) -> Manifest:
    """A role's pod, or that of `topics`."""
    owner = manifests("StatefulSet").get(role) or manifests("Job")[role]
    spec = owner["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


def container_of(role: str) -> Manifest:
    (container,) = pod_of(role)["containers"]
    assert isinstance(container, dict)
    return container


def environment(role: str) -> Mapping[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container_of(role)["env"]}


def values() -> dict[str, Any]:
    loaded = yaml.safe_load((CHART / "values.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_the_stored_rendering_is_of_this_chart() -> None:
    assert RENDERED.read_text().splitlines()[0] == f"# chart {chart_hash()}", "run `python -m tests.unit.test_helm`"


@pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not installed here")
def test_helm_renders_what_is_stored_and_finds_nothing_wrong() -> None:
    assert RENDERED.read_text().partition("\n")[2] == rendered_by_helm()
    subprocess.run(["helm", "lint", "--strict", str(CHART)], check=True, capture_output=True, timeout=60)


def test_the_values_fit_their_schema_and_unknown_ones_do_not() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    jsonschema.validate(values(), schema)
    assert set(schema["properties"]) == {*values(), "global"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**values(), "replicas": 3}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**values(), "terminationGracePeriodSeconds": 5}, schema)


def test_every_role_has_its_members_its_budget_and_its_names() -> None:
    assert set(manifests("StatefulSet")) == set(ROLES)
    assert set(manifests("PodDisruptionBudget")) == set(ROLES)
    assert set(manifests("Service")) == {*ROLES, "webhooks"}
    for role in ROLES:
        spec = manifests("StatefulSet")[role]["spec"]
        labels = spec["template"]["metadata"]["labels"].items()
        assert spec["serviceName"] == f"pairstream-{role}"
        for selector in (
            spec["selector"]["matchLabels"],
            manifests("PodDisruptionBudget")[role]["spec"]["selector"]["matchLabels"],
            manifests("Service")[role]["spec"]["selector"],
        ):
            assert selector.items() <= labels
            assert selector["app.kubernetes.io/component"] == role
        assert manifests("PodDisruptionBudget")[role]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("role", [*ROLES, "topics"])
def test_each_command_is_one_of_ours(role: str) -> None:
    program, *words = container_of(role)["command"]
    command: Any = main
    for word in words:
        if word.startswith("-") or not hasattr(command, "commands"):
            break
        command = command.commands[word]

    assert program == "pairstream"
    assert not hasattr(command, "commands")


@pytest.mark.parametrize("role", ROLES)
def test_a_member_s_number_is_that_of_its_pod(role: str) -> None:
    ordinal = environment(role)["PAIRSTREAM_ORDINAL"]

    assert ordinal == {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}


@pytest.mark.parametrize("role", [*ROLES, "topics"])
def test_every_variable_is_a_setting_and_no_secret_stands_in_clear(role: str) -> None:
    known = {variable(name) for name in Settings.model_fields}
    secrets = set(secret_variables()) - {"SCHEMA_REGISTRY_URL", "SCHEMA_REGISTRY_PROXY_URL", "PAIRSTREAM_API_PROXY_URL"}
    mounted = {name.removesuffix("_FILE"): path for name, path in environment(role).items() if name.endswith("_FILE")}
    (volume,) = [one["secret"] for one in pod_of(role)["volumes"] if "secret" in one]

    assert {name for name in environment(role) if not name.endswith("_FILE")} <= known - secrets
    assert mounted.keys() <= set(secret_variables())
    assert "PAIRSTREAM_SECRET_KEY" in mounted
    assert {f"/run/secrets/pairstream/{item['path']}" for item in volume["items"]} == set(mounted.values())
    assert manifests("Secret") == {}


@pytest.mark.parametrize("role", [*ROLES, "topics"])
def test_a_pod_may_do_as_little_as_the_image_needs(role: str) -> None:
    pod, container = pod_of(role), container_of(role)
    uid = int(next(line for line in RECIPE.read_text().splitlines() if line.startswith("USER ")).split(":")[1])
    written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}

    assert pod["automountServiceAccountToken"] is False
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, uid)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert written == {"/tmp", environment(role)["PAIRSTREAM_STATE_DIR"]}
    assert {"requests", "limits"} == set(container["resources"])


@pytest.mark.parametrize("role", ROLES)
def test_probes_ask_the_health_port_and_a_stop_has_its_time(role: str) -> None:
    container = container_of(role)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    assert environment(role)["PAIRSTREAM_HEALTH_PORT"] == str(ports["health"])
    assert container["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "health"}
    assert container["startupProbe"]["httpGet"]["path"] == "/health/live"
    assert pod_of(role)["terminationGracePeriodSeconds"] > 2 * (DRAIN_S + FLUSH_S)


def test_topics_are_made_before_the_roles_of_a_release_start() -> None:
    job = manifests("Job")["topics"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert container_of("topics")["command"][-2:] == ["--replication", "3"]


def test_webhooks_reach_the_receiver_and_nothing_else_comes_in() -> None:
    policies = manifests("NetworkPolicy")
    whole, webhooks = policies["pairstream"]["spec"], policies["webhooks"]["spec"]
    service = manifests("Service")["webhooks"]["spec"]

    assert whole["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"] for rule in whole["ingress"]] == [[{"port": values()["healthPort"], "protocol": "TCP"}]]
    assert webhooks["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "receiver"
    assert webhooks["ingress"][0]["ports"][0]["port"] == values()["receiver"]["port"]
    assert service["selector"]["app.kubernetes.io/component"] == "receiver"
    assert {rule["ports"][0]["port"] for rule in whole["egress"]} == {53, 9092, 443}


def test_the_release_is_the_package_s() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    declared = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert declared is not None
    assert chart["appVersion"] == declared[1]


if __name__ == "__main__":
    store()
