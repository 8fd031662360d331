"""A full sync from its request to its end, on the commands that people use, judged by the vendors' stores."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.world import PLAN, TITLE, World, world
from tests.kafka import Kafka

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for the module; people are there before the integration is, and nothing tells of them."""
    async with world(tmp_path_factory.mktemp("full-sync"), kafka) as running:
        for number in range(30):
            await running.pair(number)
        await running.hubspot.create("contacts", {"email": "alone@example.com"})
        await running.userflow.create("users", {"email": "nobody@example.com"}, "nobody")
        await running.apply()
        yield running


async def run_of(it: World, *words: str) -> dict[str, Any]:
    """The run that a command tells of."""
    told: dict[str, Any] = json.loads((await it.answer("full-sync", *words, "--format", "json")).splitlines()[-1])
    return told


async def test_completed_means_that_the_stores_agree_and_the_figures_are_theirs(it: World) -> None:
    told = await run_of(it, "start", "acme", "--wait")

    assert await it.differences() == []
    contacts, users = await it.hubspot.objects("contacts"), await it.userflow.objects("users")
    assert (told["state"], told["pairs"], told["unmatched"]) == ("completed", 30, {"hubspot": 1, "userflow": 1})
    assert told["written"] == {
        "hubspot": sum(PLAN in fields for fields in contacts.values()),
        "userflow": sum(TITLE in fields for fields in users.values()),
    }
    assert (told["equal"], told["refused"], told["cleared"], told["percent"]) == (0, {}, 0, 100.0)
    assert told["read"]["hubspot.contacts"] == {"read": 31, "expected": 31, "calls": 2}


async def test_a_second_run_over_what_is_in_step_writes_nothing_and_says_so(it: World) -> None:
    before = await it.writes()

    told = await run_of(it, "start", "acme", "--wait")

    assert await it.writes() == before
    assert (told["pairs"], told["equal"], told["written"]) == (30, 30, {"hubspot": 0, "userflow": 0})
    history = json.loads(await it.answer("full-sync", "history", "acme", "--format", "json"))["runs"]
    assert [run["state"] for run in history] == ["completed", "completed"]
    assert history[0]["run"] == told["run"] == (await run_of(it, "status", "acme"))["run"]
