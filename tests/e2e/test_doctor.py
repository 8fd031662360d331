"""`pairstream doctor` on a running pipeline: it is green where all is well, and names each thing that is not."""

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.e2e.world import FILE, PLAN, SOURCE, TITLE, World, eventually, world
from tests.kafka import Kafka

PAIRS = 3
SILENT_S, WELL_S, SEEN_S = 60.0, 60.0, 30.0
FROZEN = {
    "worker": "worker",
    "hubspot-connector": "hubspot",
    "userflow-connector": "userflow",
    "scheduler": "scheduler",
    "receiver": "receiver",
}
"""Process -> role, as doctor names it."""
PROPERTIES = "/crm/v3/properties/contacts"
REGION = {"name": "region", "label": "Region", "type": "string", "fieldType": "text", "groupName": "contactinformation"}
"""A property of the account's own: HubSpot's cannot be deleted."""
MAPPED = FILE.replace("[jobtitle,", "[region, jobtitle,")
USERFLOW_API = {"authorization": "Bearer ak_simulated", "userflow-version": "2020-01-03"}
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(SOURCE != "webhooks", reason="what is told of webhooks"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka) -> AsyncIterator[World]:
    """A few pairs in step."""
    folder: Path = tmp_path_factory.mktemp("doctor")
    async with world(folder, kafka) as made:
        await made.hubspot.define({"properties": {"contacts": [REGION]}})
        for number in range(PAIRS):
            await made.pair(number)
        await made.apply(MAPPED)
        await made.full_sync()
        await made.converged()
        yield made


async def codes(it: World, *words: str) -> dict[str, Any]:
    """Code -> its findings, of those that are not well."""
    told = json.loads((await it._run(("doctor", "--format", "json", *words), None, {}))[0])
    assert told["healthy"] == all(one["verdict"] != "wrong" for one in told["findings"])
    found: dict[str, Any] = {}
    for one in told["findings"]:
        if one["verdict"] == "wrong":
            found.setdefault(one["code"], []).append(one)
    return found


async def well(it: World) -> None:
    found = await eventually(lambda: codes(it), lambda told: not told, WELL_S, 1.0)
    assert found == {}


async def asked(method: str, url: str | None, path: str, headers: dict[str, str], body: Any = None) -> Any:
    """A person's own call of a vendor's API."""
    async with httpx.AsyncClient(base_url=url or "", headers=headers) as client:
        answer = (await client.request(method, path, json=body)).raise_for_status()
        return answer.json() if answer.content else None


async def silent(it: World, roles: set[str]) -> None:
    def named(told: dict[str, Any]) -> set[str]:
        return {one["what"].removeprefix("role ") for one in told.get("role_silent", ())}

    found = await eventually(
        lambda: codes(it, "--probe-within", "1s"), lambda told: named(told) >= roles, SILENT_S, 1.0
    )
    assert named(found) == roles, found


async def test_all_is_well_and_said_so(it: World) -> None:
    await well(it)

    told = json.loads(await it.answer("doctor", "--format", "json"))
    # a list of subscriptions that nobody but a person can compare with the app
    assert {one["code"] for one in told["findings"] if one["verdict"] != "ok"} == {"subscription_checklist"}


async def test_every_role_that_is_frozen_is_named(it: World) -> None:
    for process in FROZEN:
        it.kill(process, signal.SIGSTOP)
    try:
        await silent(it, set(FROZEN.values()))
    finally:
        for process in FROZEN:
            it.kill(process, signal.SIGCONT)
    await well(it)


@pytest.mark.long  # each is waited for twice
@pytest.mark.parametrize("process", FROZEN)
async def test_one_role_that_is_frozen_is_named_alone(it: World, process: str) -> None:
    it.kill(process, signal.SIGSTOP)
    try:
        await silent(it, {FROZEN[process]})
        if process == "userflow-connector":
            told = await codes(it, "--probe-within", "2s")
            assert [one["what"] for one in told["connector_does_not_answer"]] == ["integration acme: userflow"]
    finally:
        it.kill(process, signal.SIGCONT)
    await well(it)


async def test_a_subscription_that_was_deleted_or_disabled(it: World) -> None:
    url, path = it.machine.endpoints.userflow_simulator_url, "/webhook_subscriptions"
    there = await asked("GET", url, path, USERFLOW_API)
    (subscription,) = there["data"]
    await asked("DELETE", url, f"{path}/{subscription['id']}", USERFLOW_API)
    told = await codes(it)
    assert list(told) == ["subscription_missing"], told
    assert told["subscription_missing"][0]["integration"] == "acme"
    await it.apply(MAPPED + "  # once more\n")  # what the finding says mends it
    await well(it)


async def test_an_app_secret_that_was_rotated(it: World) -> None:
    contact = next(iter(it.made))
    await it.hubspot.set(app_secret="another")  # noqa: S106
    await it.hubspot.edit("contacts", contact, {"jobtitle": "rotated"})
    told = await eventually(lambda: codes(it), lambda seen: bool(seen), SEEN_S, 1.0)
    assert list(told) == ["webhooks_refused"], told
    assert "mismatch" in told["webhooks_refused"][0]["detail"]
    await it.hubspot.set(app_secret="hubspot-app-secret")  # noqa: S106
    await it.hubspot.edit("contacts", contact, {"jobtitle": "rotated back"})
    await well(it)


async def test_a_mapped_property_that_was_deleted_a_moment_ago(it: World) -> None:
    url = it.machine.endpoints.hubspot_simulator_url
    token = {"authorization": "Bearer pat-simulated"}
    await asked("DELETE", url, f"{PROPERTIES}/region", token)
    told = await codes(it)
    assert set(told) == {"field_stands_still"}, told
    assert "`region` is archived" in told["field_stands_still"][0]["detail"]
    await asked("POST", url, PROPERTIES, token, REGION)
    await well(it)


async def test_two_fields_that_were_refused(it: World) -> None:
    rules = [{"action": "refuse_property", "property": PLAN, "code": "INVALID_OPTION"}]
    await it.hubspot.add_faults(*rules)
    users = list(it.made.values())[:2]
    for number, user in enumerate(users):
        await it.userflow.edit("users", user, {"plan": f"refused {number}"})
    told = await eventually(
        lambda: codes(it), lambda seen: "2 invalid_option" in str(seen.get("letters_open")), SEEN_S, 1.0
    )
    assert list(told) == ["letters_open"], told
    assert f"2 invalid_option of hubspot.{PLAN}" in told["letters_open"][0]["detail"]
    assert TITLE not in told["letters_open"][0]["detail"]
    await it.hubspot.clear_faults()
    await it.command("dead-letters", "redrive", "--reason", "invalid_option", "--yes", "--wait")
    await well(it)
