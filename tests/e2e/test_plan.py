"""`plan`, `apply` and `export` on a running pipeline: what is said before anything changes is what then happens."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.e2e.looking import becomes_true, number, plan_arrives, settled, title_arrives
from tests.e2e.world import CREDENTIALS, FILE, PLAN, TITLE, World, world
from tests.kafka import Kafka

pytestmark = pytest.mark.asyncio(loop_scope="module")
PETS = """\
  - name: pets
    hubspot: p12345678_pet
    userflow: companies
    match: {hubspot: company_id, userflow: id}
    to_userflow: [nickname]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for the module, in force with three pairs that are in step."""
    async with world(tmp_path_factory.mktemp("plan"), kafka) as it:
        for _ in range(3):
            await it.pair(number())
        assert "new: HubSpot account 12345678" in await planned(it, FILE, expect=2)
        assert "not connected yet" in await planned(it, FILE, expect=2)
        await it.apply()
        await it.full_sync()
        await it.converged()
        await settled(it)
        yield it


async def planned(it: World, text: str, *options: str, expect: int) -> str:
    path = it.folder / "planned.yaml"
    path.write_text(text)
    return await it.command("plan", str(path), *options, expect=expect)


async def plan(it: World, text: str, *options: str, expect: int) -> dict[str, Any]:
    path = it.folder / "planned.yaml"
    path.write_text(text)
    found: dict[str, Any] = json.loads(await it.answer("plan", str(path), "--format", "json", *options, expect=expect))
    return found


async def test_what_is_in_force_needs_nothing(it: World) -> None:
    found = await plan(it, FILE, expect=0)
    assert (found["changes"], found["settings"], found["create"], found["unknown"]) == (False, [], [], None)
    assert found["pairs"]["contacts-users"]["pairs"] == {"equal": 3}


async def test_an_exported_file_is_what_is_in_force(it: World) -> None:
    text = await it.command("export", "acme")
    assert "${HUBSPOT_TOKEN}" in text
    assert (await plan(it, text, expect=0))["changes"] is False


async def test_an_edit_is_told_with_its_pairs_before_anything_happens(it: World) -> None:
    before = await it.writes()
    edited = FILE.replace("[jobtitle, lifecyclestage]", "[lifecyclestage, {from: jobtitle, to: title}]")
    found = await plan(it, edited.replace("[plan]", "[plan, email]"), expect=2)
    (mapping,) = found["mappings"]
    assert mapping["kind"] == "changed"
    assert f"Userflow {TITLE}: from jobtitle (string) -> -" in mapping["details"]
    assert "Userflow title: - -> from jobtitle (string)" in mapping["details"]
    assert [(one["name"], one["type"]) for one in found["create"]] == [("userflow_user_email", "string")]
    pairs = found["pairs"]["contacts-users"]
    assert (pairs["pairs"], pairs["written"]) == ({"written": 3}, {"userflow": 3, "hubspot": 3})
    assert {name for sample in pairs["samples"] for name in sample["fields"]} == {"title", "userflow_user_email"}
    assert (await it.writes(), await properties_of_userflow(it)) == (before, [PLAN])


async def test_no_value_is_shown_unless_it_is_asked_for(it: World) -> None:
    edited = FILE.replace("jobtitle,", "{from: jobtitle, to: title},")
    assert "'title " not in await planned(it, edited, expect=2)
    assert "'title " in await planned(it, edited, "--show-values", expect=2)


async def test_apply_shows_the_plan_and_asks(it: World) -> None:
    path = it.folder / "asked.yaml"
    path.write_text(FILE.replace("[plan]", "[plan, email]"))
    said = await it.command("apply", str(path), expect=1)
    assert "+ HubSpot field contacts.userflow_user_email (string" in said
    assert "Put integration acme in force?" in said
    assert await properties_of_userflow(it) == [PLAN]


async def test_one_property_that_conflicts_and_nothing_is_half_done(it: World) -> None:
    await it.userflow.define({"attribute_definitions": [{"name": "tier", "scope": "user", "data_type": "string"}]})
    tier = {"name": "userflow_user_tier", "label": "Tier", "type": "bool", "fieldType": "booleancheckbox"}
    await it.hubspot.define({"properties": {"contacts": [tier]}})
    text = FILE.replace("[plan]", "[plan, email, tier]")
    problem = "planned.yaml:16: mappings[0].to_hubspot[2]: HubSpot contacts `userflow_user_tier` exists in HubSpot"
    assert problem in await planned(it, text, expect=1)
    said = await it.command("apply", str(it.folder / "planned.yaml"), "--yes", expect=1)
    assert problem in said
    assert await properties_of_userflow(it) == [PLAN]
    assert (await plan(it, FILE, expect=0))["changes"] is False


async def test_the_name_of_a_custom_type_is_enough(it: World) -> None:
    properties = [{"name": name, "type": "string"} for name in ("nickname", "company_id")]
    await it.hubspot.define({"schemas": [{"name": "pet", "objectTypeId": "2-77", "properties": properties}]})
    await it.apply(FILE + PETS)
    assert (await plan(it, FILE + PETS, expect=0))["changes"] is False
    company_id = await it.userflow.create("companies", {"name": "Acme"}, "c-1")
    pet_id = await it.hubspot.create("2-77", {"company_id": company_id, "nickname": "Rex"})
    await shows(it, company_id, "Rex")
    await it.hubspot.edit("2-77", pet_id, {"nickname": "Bello"})
    await shows(it, company_id, "Bello")
    await it.apply(FILE)


async def test_an_option_that_is_added_later_is_taken_over_by_a_full_sync(it: World) -> None:
    await define_tier(it, "silver")
    await it.apply(FILE.replace("[plan]", "[plan, {from: plan, to: tier}]"))
    contact_id, user_id = await it.pair(number())
    await it.userflow.edit("users", user_id, {"plan": "gold"})

    async def refused() -> bool:
        return any(letter.reason == "not_an_option" for letter in await it.dead_letters())

    async def taken_over() -> bool:
        return (await it.hubspot.fields("contacts", contact_id)).get("tier") == "gold"

    await becomes_true(refused, "no dead letter tells of the refused value")
    await define_tier(it, "silver", "gold")
    await it.full_sync()
    await becomes_true(taken_over, "the added option is not taken over")
    await it.apply(FILE)


async def define_tier(it: World, *options: str) -> None:
    """A property that accepts these options only."""
    tier: dict[str, Any] = {"name": "tier", "label": "Tier", "type": "enumeration", "fieldType": "select"}
    choices = [{"label": option, "value": option} for option in options]
    await it.hubspot.define({"properties": {"contacts": [{**tier, "options": choices}]}})


async def test_a_property_that_changes_its_type_later_refuses_values_and_ends(it: World) -> None:
    mine = number()
    contact_id, user_id = await it.pair(mine)
    await plan_arrives(it, contact_id, f"plan {mine}")
    await it.hubspot.define(
        {"properties": {"contacts": [{"name": PLAN, "label": "Plan", "type": "number", "fieldType": "number"}]}}
    )
    await it.userflow.edit("users", user_id, {"plan": "gold"})

    async def reported() -> bool:
        return any(letter.field == f"hubspot.{PLAN}" for letter in await it.dead_letters())

    await becomes_true(reported, "no dead letter tells of the refused value")
    await settled(it)
    before = await it.writes()
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "changed"})
    await title_arrives(it, user_id, "changed")
    await settled(it)
    after = await it.writes()
    assert after["hubspot"] == before["hubspot"]
    assert f"`{PLAN}` exists in HubSpot as number" in await planned(it, FILE, expect=1)


async def shows(it: World, company_id: str, nickname: str) -> None:
    """Wait until the Userflow company has the nickname of its pet."""

    async def same() -> bool:
        return (await it.userflow.fields("companies", company_id)).get("hubspot_pet_nickname") == nickname

    await becomes_true(same, f"the company does not show {nickname}")


async def properties_of_userflow(it: World) -> list[str]:
    """The contact properties of our making."""
    url = f"{it.machine.endpoints.hubspot_simulator_url}/crm/v3/properties/contacts"
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(url, headers={"Authorization": f"Bearer {CREDENTIALS['HUBSPOT_TOKEN']}"})
    found = answer.raise_for_status().json()["results"]
    return [one["name"] for one in found if one["groupName"] == "userflow"]
