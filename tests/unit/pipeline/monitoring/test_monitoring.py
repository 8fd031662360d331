"""The dashboard and the alert rules name metrics that are there, with labels that they have; promtool agrees."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from pipeline.observability.metrics import METRICS, MetricName, Metrics
from schemas.spent import Parts

FOLDER = Path(__file__).parents[4] / "pipeline" / "monitoring"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool: Debian's package `prometheus` has it")
NAME = re.compile(r"\b(?:pairstream|kafka|process)_\w+")
BY = re.compile(r"\bby \(([^)]*)\)")
SUFFIXES = ("_bucket", "_sum", "_count")
OF_EVERY_SAMPLE = {"installation", "instance", "le"}


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def family(name: str) -> str:
    return next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end) and name not in METRICS), name)


def of_processes() -> set[str]:
    """The families of a process that counts nothing of ours."""
    exposed = Metrics(CollectorRegistry()).exposition().decode()
    return {sample.name for one in text_string_to_metric_families(exposed) for sample in one.samples}


@pytest.mark.parametrize("expression", tuple(expressions()))
def test_every_metric_that_is_named_is_there(expression: str) -> None:
    named = {family(name) for name in NAME.findall(expression)}
    assert named, expression
    assert named - METRICS.keys() - of_processes() == set()


@pytest.mark.parametrize("expression", tuple(expressions()))
def test_every_label_that_is_named_is_one_of_the_metric(expression: str) -> None:
    known: dict[str, MetricName] = {name: name for name in METRICS}
    labels = {label for name in NAME.findall(expression) for label in _labels(known, family(name))}
    grouped = {label.strip() for found in BY.findall(expression) for label in found.split(",")}
    assert grouped - labels - OF_EVERY_SAMPLE == set()


def _labels(known: dict[str, MetricName], name: str) -> tuple[str, ...]:
    return METRICS[known[name]].labels if name in known else ()


def test_each_alert_says_what_to_do_and_is_tested() -> None:
    tests = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert {rule["alert"] for rule in rules()} == fired
    assert all(rule["annotations"].keys() == {"summary", "do"} for rule in rules())


def test_no_panel_lies_on_another() -> None:
    places = [tuple(panel["gridPos"].values()) for panel in panels()]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in panels()}) == len(places)


def promtool(*words: str, given: bytes = b"") -> str:
    done = subprocess.run([str(PROMTOOL), *words], input=given, capture_output=True, cwd=FOLDER, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


@needs_promtool
def test_the_rules_are_well_formed_and_fire_when_they_should() -> None:
    promtool("check", "rules", "alerts.yaml")
    promtool("test", "rules", "alerts_test.yaml")


@needs_promtool
def test_what_a_process_exposes_follows_the_conventions() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.api_call("hubspot", "write", 200, 0.1)
    metrics.change_visible("userflow", False, Parts(20, 60, 0, 120))
    metrics.dead_letter("pairs", "invalid_option")
    metrics.running("0.1.0")
    assert promtool("check", "metrics", given=metrics.exposition()) == ""
