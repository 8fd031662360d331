"""The page on lag names every key that its objects have."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.lag.report import report
from tests.unit.pipeline.lag.roads import figures, road, waiting
from tests.unit.pipeline.operations.test_plan import in_force
from tests.unit.pipeline.operations.test_standing import completed, shown

PAGE = (Path(__file__).parents[4] / "docs" / "how-to" / "lag.md").read_text("utf-8")
OF_NAMES = {"runs", "parked", "systems", "calls", "denied", "webhooks_refused"}
"""Objects whose keys are names of what there is."""


def keys(told: Any, above: str = "") -> Iterator[str]:
    if isinstance(told, dict):
        for key, value in told.items():
            if above not in OF_NAMES:
                yield key
            yield from keys(value, "" if above in OF_NAMES else key)
    elif isinstance(told, list):
        for value in told:
            yield from keys(value)


def named(section: str) -> set[str]:
    """The words in backticks of the tables behind a sentence."""
    return set(re.findall(r"`([a-z_]+)`", PAGE.partition(section)[2].partition("\n\n`pairstream")[0]))


def test_every_key_of_lag_is_on_the_page() -> None:
    lag = road(waiting(100, bulk=True), figures(10_000, 7), figures(0, 70, limited="burst"))
    assert set(keys(report(lag, {"hubspot": [], "userflow": ["acme"]}))) - named("## The object") == set()


def test_every_key_of_an_integration_is_on_the_page() -> None:
    told = shown(in_force(), completed())
    assert set(keys(told)) - {"at_ms"} - named("tell how an integration stands") == set()
