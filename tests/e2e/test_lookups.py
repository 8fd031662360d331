"""A user first seen by Userflow gets the fields of a contact that was never read, and nobody else's."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from schemas.records import ConnectorRequest, MatchedChange
from schemas.topics import OBJECTS_STATE
from tests.e2e.looking import becomes_true, settled, title_arrives, value_arrives, written
from tests.e2e.world import FILE, TITLE, World, world
from tests.kafka import Kafka

log = logging.getLogger(__name__)

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEAL, INDUSTRY = "hubspot_deal_dealname", "hubspot_contact_industry"
MAPPINGS = """\
  - name: deals-users
    hubspot: deals
    userflow: users
    match: {hubspot: code, userflow: id}
    to_userflow: [dealname]
  - name: contacts-companies
    hubspot: contacts
    userflow: companies
    match: {hubspot: ref, userflow: id}
    to_userflow: [industry]
"""
PROPERTIES = {
    "contacts": [{"name": "ref", "type": "string"}, {"name": "industry", "type": "string"}],
    "deals": [{"name": "code", "type": "string", "hasUniqueValue": True}],
}
CROWD = 300


def contact(number: int, **fields: Any) -> dict[str, Any]:
    return {"type": "contacts", "id": str(number), "properties": fields}


NEVER_READ: list[dict[str, Any]] = [
    contact(9_001, email="ada@example.com", jobtitle="Countess"),
    contact(9_002, email="primary@example.com", jobtitle="Not yours", hs_additional_emails="second@example.com"),
    contact(9_006, email="eve@example.com", jobtitle="Clerk"),
    contact(9_003, ref="Acme-7", industry="Brewing"),
    contact(9_004, ref="shared", industry="Mining"),
    contact(9_005, ref="shared", industry="Farming"),
    {"type": "deals", "id": "9101", "properties": {"code": "carl", "dealname": "Big"}},
    *(contact(9_200 + number, ref="n/a", industry="Any") for number in range(CROWD)),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world in which HubSpot told of none of its records, and no full sync is ever started."""
    async with world(tmp_path_factory.mktemp("lookups"), kafka, PAIRSTREAM_LOOKUP_INTERVAL_S="1") as it:
        await it.hubspot.set(search_lag_ms=100)
        await it.hubspot.define({"properties": PROPERTIES})
        await it.hubspot.bulk([{"operation": "create", "silent": True, **one} for one in NEVER_READ])
        await it.userflow.create("users", {"plan": "free"}, "who-has-a-plan")
        await it.apply(FILE + MAPPINGS)
        yield it


async def lookups(it: World, value: str) -> list[ConnectorRequest]:
    """What was asked of HubSpot for a match value."""
    asked = [
        one
        for one in await asyncio.to_thread(it.records, "hubspot.requests")
        if isinstance(one, ConnectorRequest) and one.kind == "lookup"
    ]
    return [one for one in asked if one.values == (value,)]


async def matched(it: World, value: str) -> list[MatchedChange]:
    """What HubSpot's side told the pairs of a match value."""
    found = [one for one in await asyncio.to_thread(it.records, "sync.matches") if isinstance(one, MatchedChange)]
    return [one for one in found if one.match_value == value and one.system == "hubspot"]


async def writes_to(it: World, object_id: str) -> int:
    return sum(object_id in call[3] for call in await written(it))


async def test_by_email(it: World) -> None:
    user_id = await it.userflow.create("users", {"email": "Ada@Example.com", "plan": "pro"}, "u-ada")
    took_s = await title_arrives(it, user_id, "Countess")
    log.info("by email, a batch read: %.2f s", took_s)


async def test_what_somebody_looks_for_is_read_and_known_and_what_nobody_has_leaves_no_row(it: World) -> None:
    told = json.loads(await it.answer("explain", "hubspot", "contacts", "9006", "--look", "--format", "json"))
    assert [(one["word"], one["object_ids"]) for one in told["looked"]] == [("there", ["9006"])]
    assert [one["word"] for one in told["explanations"]] == ["known"]
    lines = await it.command("explain", "acme", "contacts-users", "Eve@Example.com", "--look")
    assert "HubSpot contacts by email: it is there, and is known from now on" in lines
    assert "Userflow users by email: nobody there has it" in lines
    for named in (("hubspot", "contacts", "9999999"), ("userflow", "users", "../nobody@x\u202e")):
        assert "nobody there has it" in await it.command("explain", *named, "--look")
    assert "no id of that system looks like this" in await it.command("explain", "hubspot", "contacts", "0x1", "--look")
    rows = await asyncio.to_thread(it.rows, OBJECTS_STATE)
    assert not [key for key in rows if "nobody" in key or key.endswith((":9999999", ":0x1"))]
    audited = await it.command("audit", "acme", "--action", "look now")
    assert "hubspot contacts 9006" in audited and "nobody@x" not in audited and "example.com" not in audited
    assert await it.dead_letters() == []


async def test_by_a_unique_property(it: World) -> None:
    user_id = await it.userflow.create("users", {}, "carl")
    took_s = await value_arrives(lambda: it.userflow.fields("users", user_id), DEAL, "Big")
    log.info("by a unique property, a batch read: %.2f s", took_s)


async def test_by_a_property_that_several_may_share(it: World) -> None:
    company_id = await it.userflow.create("companies", {"name": "Acme"}, "Acme-7")
    took_s = await value_arrives(lambda: it.userflow.fields("companies", company_id), INDUSTRY, "Brewing")
    log.info("by a search: %.2f s", took_s)


async def test_two_contacts_with_one_value_are_no_pair_from_the_first_on(it: World) -> None:
    company_id = await it.userflow.create("companies", {"name": "Shared"}, "shared")
    await answered(it, "shared", 2)
    assert await writes_to(it, company_id) == 0


async def test_a_placeholder_on_many_contacts_is_a_crowd_at_a_bounded_cost(it: World) -> None:
    before = (await it.hubspot.requests())["counters"].get("POST objects.search", 0)
    company_id = await it.userflow.create("companies", {"name": "Placeholder"}, "n/a")
    await answered(it, "n/a", 26)
    assert len(await matched(it, "n/a")) == 26
    assert await writes_to(it, company_id) == 0
    assert (await it.hubspot.requests())["counters"]["POST objects.search"] - before <= 2


async def test_a_secondary_email_is_no_match(it: World) -> None:
    user_id = await it.userflow.create("users", {"email": "second@example.com"}, "u-second")
    await answered(it, "primary@example.com", 1)
    assert len(await lookups(it, "second@example.com")) == 1
    assert TITLE not in await it.userflow.fields("users", user_id)


async def test_a_user_is_found_by_a_contact_while_not_all_users_are_known(it: World) -> None:
    await it.userflow.bulk(
        [{"operation": "create", "silent": True, "type": "users", "id": "u-quiet", "attributes": {"email": "q@x.com"}}]
    )
    await it.hubspot.create("contacts", {"email": "q@x.com", "jobtitle": "Quiet"})
    took_s = await title_arrives(it, "u-quiet", "Quiet")
    log.info("the other way, by email: %.2f s", took_s)


async def test_a_contact_that_was_missed_is_found_at_a_later_change(it: World) -> None:
    """Nobody told of it, and the first lookup came too early."""
    user_id = await it.userflow.create("users", {"email": "late@example.com"}, "u-late")
    await becomes_true(lambda: asked(it, "late@example.com"), "nobody looked for the contact")
    await settled(it)
    fields = {"email": "late@example.com", "jobtitle": "Late"}
    await it.hubspot.bulk([{"operation": "create", "silent": True, "type": "contacts", "properties": fields}])

    async def found_after_an_edit() -> bool:
        await it.userflow.edit("users", user_id, {"plan": str(time.monotonic())})
        return (await it.userflow.fields("users", user_id)).get(TITLE) == "Late"

    await becomes_true(found_after_an_edit, "the contact was not looked for again")


async def asked(it: World, value: str) -> bool:
    return bool(await lookups(it, value))


async def answered(it: World, value: str, count: int) -> None:
    """Wait until so many HubSpot objects told the pairs of a value, and nothing is under way."""

    async def told() -> bool:
        return len(await matched(it, value)) >= count

    await becomes_true(told, f"{count} answers for one value did not come")
    await settled(it)
