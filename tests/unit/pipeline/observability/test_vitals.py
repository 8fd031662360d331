"""The figures of a process: what it counted, written again and again whatever the brokers do."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pipeline.observability import vitals as module
from pipeline.observability.metrics import Metrics
from pipeline.observability.vitals import VitalSigns
from schemas.topics import VITALS
from schemas.vitals import ApiVitals, BudgetVitals, OutcomeVitals, PlaceVitals, Vitals

PLACE = PlaceVitals("pairs", "sync.matches", 1, 10, 4, 3)


def signs(metrics: Metrics) -> VitalSigns:
    return VitalSigns("userflow-0", "userflow", metrics, lambda: 1_000, lambda: (PLACE,))


def test_it_tells_what_was_counted_and_what_is_taken() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.api_call("userflow", "write", 200, 0.1)
    metrics.api_call("userflow", "write", 429, 0.1)
    metrics.api_limited("userflow", "burst")
    metrics.api_remaining("userflow", "acme", 3)
    figures = signs(metrics).taken()
    assert (figures.process, figures.role, figures.at_ms, figures.places) == ("userflow-0", "userflow", 1_000, (PLACE,))
    assert figures.calls == (ApiVitals("userflow", "write", 2, 1),)
    assert [(one.integration, one.remaining, one.limited_by) for one in figures.limits] == [
        ("acme", 3, ""),
        ("", None, "burst"),
    ]


def test_an_integration_of_another_connector_is_told_no_more() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.api_remaining("userflow", "acme", 3)
    metrics.forget_integration("acme")
    assert metrics.limits() == ()


def test_it_tells_how_records_ended_and_the_limits_of_accounts() -> None:
    metrics = Metrics(CollectorRegistry())
    for outcome in ("written", "written", "equal"):
        metrics.outcome("sink", "acme", "people", outcome)
    metrics.outcome("objects", "", None, "dead-lettered", 3)
    budget = BudgetVitals("acme", "userflow", "general", 80, 10_000, True)
    figures = VitalSigns("userflow-0", "userflow", metrics, lambda: 1_000, budgets=lambda: (budget,)).taken()
    assert figures.budgets == (budget,)
    assert figures.outcomes == (
        OutcomeVitals("objects", "", "dead-lettered", 3),
        OutcomeVitals("sink", "acme", "equal", 1),
        OutcomeVitals("sink", "acme", "written", 2),
    )


async def test_brokers_that_are_away_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.001)
    written: list[Vitals] = []
    enough = asyncio.Event()

    async def send(topic: str, key: str, record: Any) -> None:
        assert (topic, key) == (VITALS, "userflow-0")
        written.append(record)
        if len(written) == 1:
            raise ConnectionError("away")
        enough.set()

    task = asyncio.create_task(signs(Metrics(CollectorRegistry())).write_on(send))
    async with asyncio.timeout(10):
        await enough.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert len(written) >= 2
