"""Metrics: every row of the table is exposed under its name, told apart as it says."""

import ast
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from pipeline.observability.metrics import METRICS, MOST_REASONS, OTHER, GaugeName, MetricName, Metrics
from schemas.spent import Parts

ROOT = Path(__file__).parents[4]
TOLD_BY_THE_SCHEDULER: tuple[GaugeName, ...] = (
    "pairstream_last_full_sync_success_timestamp_seconds",
    "pairstream_pairs",
    "pairstream_lag_records",
    "pairstream_behind_seconds",
    "pairstream_live_behind_seconds",
    "pairstream_integration_behind_seconds",
    "pairstream_stage_stopped",
    "pairstream_retention_left_seconds",
    "kafka_consumergroup_lag",
    "kafka_consumergroup_current_offset",
    "kafka_topic_partition_current_offset",
)


def told(name: GaugeName, metrics: Metrics) -> None:
    metrics.replace(name, {tuple("abc"[: len(METRICS[name].labels)]): 7})


USES: dict[MetricName, tuple[Callable[[Metrics], None], dict[str, str], float]] = {
    "pairstream_outcomes_total": (
        lambda metrics: metrics.outcome("pairs", "acme", "contacts", "written", 3),
        {"stage": "pairs", "integration": "acme", "mapping": "contacts", "outcome": "written"},
        3,
    ),
    "pairstream_webhooks_total": (
        lambda metrics: metrics.webhook("hubspot", "stale", 2),
        {"system": "hubspot", "result": "stale"},
        2,
    ),
    "pairstream_api_calls_total": (
        lambda metrics: metrics.api_call("hubspot", "write", 207, 0.1),
        {"system": "hubspot", "purpose": "write", "status": "207"},
        1,
    ),
    "pairstream_api_limited_total": (
        lambda metrics: metrics.api_limited("hubspot", "burst"),
        {"system": "hubspot", "limit": "burst"},
        1,
    ),
    "pairstream_dead_letters_total": (
        lambda metrics: metrics.dead_letter("pairs", "invalid_option"),
        {"stage": "pairs", "reason": "invalid_option"},
        1,
    ),
    "pairstream_notices_total": (lambda metrics: metrics.notice("told"), {"result": "told"}, 1),
    "pairstream_records_lost_total": (
        lambda metrics: metrics.records_lost("hubspot.changes", 12),
        {"topic": "hubspot.changes"},
        12,
    ),
    "pairstream_api_remaining_requests": (
        lambda metrics: metrics.api_remaining("hubspot", "acme", 96),
        {"system": "hubspot", "integration": "acme"},
        96,
    ),
    "pairstream_restore_seconds": (
        lambda metrics: metrics.restored("objects", 3, 1.5),
        {"stage": "objects", "partition": "3"},
        1.5,
    ),
    "pairstream_bulk_outstanding_records": (
        lambda metrics: metrics.bulk_outstanding("hubspot", 250),
        {"system": "hubspot"},
        250,
    ),
    "pairstream_integration_status": (
        lambda metrics: metrics.integration_status("acme", "hubspot", "ok"),
        {"integration": "acme", "system": "hubspot", "status": "ok"},
        1,
    ),
    "pairstream_codec_compiled": (lambda metrics: metrics.codec("compiled"), {}, 1),
    **{
        name: (partial(told, name), dict(zip(METRICS[name].labels, "abc", strict=False)), 7)
        for name in TOLD_BY_THE_SCHEDULER
    },
    "pairstream_last_webhook_accepted_timestamp_seconds": (
        lambda metrics: metrics.webhook_accepted("acme", "hubspot", 1_700_000_000_000),
        {"integration": "acme", "system": "hubspot"},
        1_700_000_000,
    ),
    "pairstream_build_info": (lambda metrics: metrics.running("0.1.0"), {"version": "0.1.0"}, 1),
    "pairstream_api_budget_wait_seconds": (
        lambda metrics: metrics.api_waited("hubspot", "write", 0.25),
        {"system": "hubspot", "purpose": "write"},
        0.25,
    ),
    "pairstream_change_to_visible_seconds": (
        lambda metrics: metrics.change_visible("userflow", True, Parts(50, 100, 40, 60)),
        {"direction": "to_userflow", "bulk": "true"},
        0.25,
    ),
    "pairstream_change_to_visible_part_seconds": (
        lambda metrics: metrics.change_visible("userflow", True, Parts(50, 250, 40, 60)),
        {"direction": "to_userflow", "part": "read", "bulk": "true"},
        0.25,
    ),
    "pairstream_api_call_seconds": (
        lambda metrics: metrics.api_call("hubspot", "write", None, 0.25),
        {"system": "hubspot", "purpose": "write"},
        0.25,
    ),
    "pairstream_step_seconds": (lambda metrics: metrics.step("pairs", 0.25), {"stage": "pairs"}, 0.25),
}
LETTERS = {"pairstream_dead_letters_total"}
SUMS: set[MetricName] = {
    "pairstream_api_call_seconds",
    "pairstream_api_budget_wait_seconds",
    "pairstream_change_to_visible_seconds",
    "pairstream_change_to_visible_part_seconds",
    "pairstream_step_seconds",
}


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Name and labels -> value, as a scraper reads them."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_exposed_with_its_labels(name: MetricName) -> None:
    metrics = Metrics(CollectorRegistry())
    use, labels, value = USES[name]

    use(metrics)

    assert set(labels) == set(METRICS[name].labels)
    exposed = f"{name}_sum" if name in SUMS else name
    assert samples(metrics)[exposed, frozenset(labels.items())] == value


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_described_by_a_sentence_which_is_exposed(name: MetricName) -> None:
    sentence = METRICS[name].sentence

    assert sentence[:1].isupper() or sentence[:1].isdigit()
    assert sentence.endswith(".")
    assert f"{sentence}\n" in Metrics(CollectorRegistry()).exposition().decode()


def test_a_record_that_ended_before_its_mapping_was_known_has_none() -> None:
    metrics = Metrics(CollectorRegistry())

    metrics.outcome("hubspot", "", None, "disconnected", 1)

    labels = {"stage": "hubspot", "integration": "", "mapping": "", "outcome": "disconnected"}
    assert samples(metrics)["pairstream_outcomes_total", frozenset(labels.items())] == 1


def test_a_call_without_answer_is_counted_as_such() -> None:
    metrics = Metrics(CollectorRegistry())

    metrics.api_call("userflow", "write", None, 30.0)

    labels = {"system": "userflow", "purpose": "write", "status": "none"}
    assert samples(metrics)["pairstream_api_calls_total", frozenset(labels.items())] == 1


def test_an_integration_has_one_status_at_a_time_and_none_once_it_is_gone() -> None:
    metrics = Metrics(CollectorRegistry())

    def statuses() -> dict[tuple[str, str], float]:
        told = [(dict(labels), value) for (name, labels), value in samples(metrics).items() if "status" in name]
        return {(labels["integration"], labels["status"]): value for labels, value in told if value}

    metrics.integration_status("acme", "hubspot", "ok")
    metrics.integration_status("acme", "hubspot", "needs_reconnect")
    metrics.integration_status("beta", "hubspot", "ok")
    assert statuses() == {("acme", "needs_reconnect"): 1, ("beta", "ok"): 1}

    metrics.forget_integration("acme")
    assert statuses() == {("beta", "ok"): 1}


def test_reasons_are_bounded_and_no_letter_goes_uncounted() -> None:
    metrics = Metrics(CollectorRegistry())

    for number in (*range(MOST_REASONS + 50), 0):
        metrics.dead_letter("hubspot.sink", f"reason_{number}")

    letters = {dict(labels)["reason"]: value for (name, labels), value in samples(metrics).items() if name in LETTERS}
    assert len(letters) == MOST_REASONS + 1
    assert (letters["reason_0"], letters[OTHER]) == (2, 50)


@pytest.mark.parametrize("name", METRICS)
def test_every_sample_of_an_installation_with_a_name_carries_it(name: MetricName) -> None:
    metrics = Metrics(CollectorRegistry(), "staging")
    use, labels, value = USES[name]

    use(metrics)

    exposed = f"{name}_sum" if name in SUMS else name
    assert samples(metrics)[exposed, frozenset({**labels, "installation": "staging"}.items())] == value
    assert all(dict(found)["installation"] == "staging" for _, found in samples(metrics))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_a_writer_in_production(name: MetricName) -> None:
    recorder = create_autospec(Metrics, instance=True)
    USES[name][0](recorder)
    [(writer, _, _)] = recorder.method_calls

    assert writer in written_in_production()


@cache
def written_in_production() -> frozenset[str]:
    """The methods of a `metrics` that shipped code outside its own module names."""
    files = (path for folder in ("connectors", "pipeline") for path in (ROOT / folder).rglob("*.py"))
    trees = (ast.parse(path.read_text("utf-8")) for path in files if path != ROOT / "pipeline/observability/metrics.py")
    attributes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return frozenset(node.attr for node in attributes if ast.unparse(node.value).rpartition(".")[2] == "metrics")


def test_two_registries_share_nothing() -> None:
    one, other = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())

    one.dead_letter("pairs", "invalid_option")

    assert not [name for name, _ in samples(other) if name == "pairstream_dead_letters_total"]
