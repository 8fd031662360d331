"""What the vendors do wrong, on the whole road: right values in the end or a dead letter, and nothing lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from pipeline.observability.metrics import METRICS
from schemas.topics import USERFLOW_REQUESTS
from tests.e2e.looking import (
    ARRIVED_S,
    address,
    becomes_true,
    letters,
    number,
    paired,
    plan_arrives,
    settled,
    title_arrives,
)
from tests.e2e.world import PLAN, TITLE, World, eventually, world
from tests.kafka import Kafka

NOT_HERE = {
    "pairstream_records_lost_total",  # these brokers keep every record until it is read
    "pairstream_notices_total",  # nobody is told of changes of state here
}
UPDATE, USERS = "/batch/update", "/users"
RECOVERED_S = 60.0  # a probe comes at the latest 30 s after the one before
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("vendors"), kafka) as it:
        await paired_once(it)
        yield it


async def paired_once(it: World) -> None:
    """Somebody must have a plan before `apply` can find the attribute."""
    await it.pair(number())
    await it.apply()


@pytest_asyncio.fixture(loop_scope="module")
async def it(whole: World) -> AsyncIterator[World]:
    """The world without faults, before and after."""
    yield whole
    await whole.hubspot.clear_faults()
    await whole.userflow.clear_faults()


def status(code: int, path: str, **more: Any) -> dict[str, Any]:
    """A fault rule that answers a status."""
    return {"match": {"path_contains": path}, "action": "status", "status": code, **more}


@pytest.mark.parametrize(
    "fault",
    [
        status(429, UPDATE, form="burst", times=1, headers={"retry-after": "1"}),
        status(500, UPDATE, times=2),
        status(503, UPDATE, times=2),
        {"match": {"path_contains": UPDATE}, "action": "timeout_after_effect", "after_ms": 200, "times": 2},
        {"match": {"path_contains": UPDATE}, "action": "timeout_before_effect", "after_ms": 200, "times": 2},
        {"match": {"path_contains": UPDATE}, "action": "close_connection", "times": 2},
    ],
    ids=["429", "500", "503", "timeout-after-effect", "timeout-before-effect", "cut"],
)
async def test_hubspot_writes_that_fail_for_a_while_are_made(it: World, fault: dict[str, Any]) -> None:
    contact_id, user_id = await paired(it)
    await it.hubspot.add_faults(fault)

    await it.userflow.edit("users", user_id, {"plan": "survives"})

    await plan_arrives(it, contact_id, "survives")
    assert await letters(it, key_holds=(await it.hubspot.fields("contacts", contact_id))["email"]) == []


@pytest.mark.parametrize(
    "fault", [status(429, "/batch/read", times=1, headers={"retry-after": "1"}), status(500, "/batch/read", times=3)]
)
async def test_hubspot_reads_that_fail_for_a_while_delay_no_edited_field(it: World, fault: dict[str, Any]) -> None:
    contact_id, user_id = await paired(it)
    await it.hubspot.add_faults(fault)

    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Told at once"})

    await title_arrives(it, user_id, "Told at once")


async def quietly_paired(it: World) -> tuple[str, str]:
    """A pair of which nothing is on its way: a first write that is repeated would meet the fault with its own value.

    And an edit within the second that our write's answer names cannot be ordered after it without a read.
    """
    ids = await paired(it)
    await settled(it)
    await asyncio.sleep(1)  # that second passes
    return ids


async def test_one_bad_row_of_a_batch_costs_the_others_nothing(it: World) -> None:
    people = [await quietly_paired(it) for _ in range(3)]
    bad = people[1][0]
    body = {"category": "VALIDATION_ERROR", "message": "no"}
    await it.hubspot.add_faults({"match": {"object_id": bad}, "action": "row_error", "body": body})

    for _, user_id in people:
        await it.userflow.edit("users", user_id, {"plan": "batched"})

    await plan_arrives(it, people[0][0], "batched")
    await plan_arrives(it, people[2][0], "batched")
    email = (await it.hubspot.fields("contacts", bad))["email"]
    await becomes_true(lambda: has_letters(it, email, 1), "the refused row has no dead letter")
    [letter] = await letters(it, key_holds=email)
    assert (letter.field, letter.stage) == (f"hubspot.{PLAN}", "hubspot.sink")
    assert letter.reason == "invalid_request"


async def has_letters(it: World, email: str, count: int) -> bool:
    return len(await letters(it, key_holds=email)) >= count


async def test_a_refused_property_is_cut_out_and_reported_once(it: World) -> None:
    contact_id, user_id = await quietly_paired(it)
    email = (await it.hubspot.fields("contacts", contact_id))["email"]
    await it.hubspot.add_faults({"action": "refuse_property", "property": PLAN, "code": "INVALID_OPTION"})

    await it.userflow.edit("users", user_id, {"plan": "refused"})
    await becomes_true(lambda: has_letters(it, email, 1), "the refused property has no dead letter")
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Goes on"})
    await title_arrives(it, user_id, "Goes on")
    await settled(it)

    [letter] = await letters(it, key_holds=email)
    assert (letter.field, letter.reason) == (f"hubspot.{PLAN}", "invalid_option")
    await it.hubspot.clear_faults()
    await it.userflow.edit("users", user_id, {"plan": "accepted"})
    await plan_arrives(it, contact_id, "accepted")


async def test_a_contact_that_is_gone_ends_the_pair_without_a_letter(it: World) -> None:
    contact_id, user_id = await paired(it)
    email = (await it.hubspot.fields("contacts", contact_id))["email"]

    await it.hubspot.delete("contacts", contact_id)
    await it.userflow.edit("users", user_id, {"plan": "nobody hears"})
    await settled(it)

    assert await letters(it, key_holds=email) == []
    assert await it.created_by_api() == 0
    await it.userflow.delete("users", user_id)


@pytest.mark.parametrize(
    "fault",
    [
        status(429, USERS, times=3),
        status(500, USERS, times=3),
        status(503, USERS, times=3),
        {
            "match": {"method": "POST", "path_contains": USERS},
            "action": "timeout_after_effect",
            "after_ms": 200,
            "times": 2,
        },
        {"match": {"path_contains": USERS}, "action": "close_connection", "times": 2},
    ],
    ids=["429", "500", "503", "timeout-after-effect", "cut"],
)
async def test_userflow_writes_that_fail_for_a_while_are_made(it: World, fault: dict[str, Any]) -> None:
    contact_id, user_id = await paired(it)
    await it.userflow.add_faults(fault)

    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Survivor"})

    await title_arrives(it, user_id, "Survivor")
    assert await letters(it, key_holds=(await it.hubspot.fields("contacts", contact_id))["email"]) == []


async def test_a_refused_attribute_is_a_dead_letter_and_the_other_fields_go_on(it: World) -> None:
    contact_id, user_id = await quietly_paired(it)
    email = (await it.hubspot.fields("contacts", contact_id))["email"]
    await it.userflow.add_faults({"action": "refuse_property", "property": TITLE})

    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "No", "lifecyclestage": "lead"})

    await becomes_true(lambda: has_letters(it, email, 1), "the refused attribute has no dead letter")
    await becomes_true(lambda: shows_stage(it, user_id, "lead"), "the field beside the refused one did not arrive")
    [letter] = await letters(it, key_holds=email)
    assert letter.field == f"userflow.{TITLE}" and letter.reason


async def shows_stage(it: World, user_id: str, stage: str) -> bool:
    return (await it.userflow.fields("users", user_id)).get("hubspot_contact_lifecyclestage") == stage


async def test_a_user_that_is_gone_is_not_made_again(it: World) -> None:
    contact_id, user_id = await paired(it)
    users = await it.userflow.objects("users")

    await it.userflow.delete("users", user_id)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Too late"})
    await settled(it)

    assert (await it.userflow.objects("users")).keys() == users.keys() - {user_id}
    assert await it.created_by_api() == 0


async def test_a_user_wrongly_said_to_be_gone_is_in_step_again_once_heard_of(it: World) -> None:
    contact_id, user_id = await paired(it)
    await it.userflow.add_faults(status(404, user_id, times=1))
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Hidden"})
    await settled(it)

    await it.userflow.edit("users", user_id, {"plan": "alive"})

    await title_arrives(it, user_id, "Hidden")
    await plan_arrives(it, contact_id, "alive")


async def test_a_rejected_key_parks_everything_until_it_is_accepted_again(it: World) -> None:
    people = [await quietly_paired(it) for _ in range(3)]
    await it.userflow.add_faults(status(401, "/"))

    for contact_id, user_id in people:
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"parked {contact_id}"})
        await it.userflow.edit("users", user_id, {"plan": f"flows {contact_id}"})

    for contact_id, _ in people:
        await plan_arrives(it, contact_id, f"flows {contact_id}")
    await becomes_true(lambda: doctor_says(it, "userflow: needs reconnect"), "nobody says that the key is rejected")
    await settled(it, but=(USERFLOW_REQUESTS,))  # an edit within the second of our write may wait for a read
    await it.userflow.clear_faults()
    for contact_id, user_id in people:
        await title_arrives(it, user_id, f"parked {contact_id}", RECOVERED_S)
    assert "needs reconnect" not in await it.command("doctor", expect=None)


async def doctor_says(it: World, words: str) -> bool:
    try:
        return words in await it.command("doctor", expect=1)
    except AssertionError:
        return False


async def test_while_hubspot_is_down_nothing_waits_and_nothing_is_lost(it: World) -> None:
    """With HubSpot down for everything, what its webhooks tell reaches Userflow; the rest comes when it is back."""
    known = await quietly_paired(it)
    fresh = number()
    await it.hubspot.add_faults(status(500, "/"))
    await it.userflow.edit("users", known[1], {"plan": "down 1"})
    await becomes_true(lambda: doctor_says(it, "hubspot: unavailable"), "HubSpot is not seen to be down", RECOVERED_S)

    await it.hubspot.edit("contacts", known[0], {"jobtitle": "Down"})
    took_s = await title_arrives(it, known[1], "Down")
    other = await it.pair(fresh)
    await it.userflow.edit("users", known[1], {"plan": "down 2"})
    await asyncio.sleep(1)  # long enough to be lost, if anything could be
    await it.hubspot.clear_faults()

    await plan_arrives(it, known[0], "down 2", RECOVERED_S)
    await plan_arrives(it, other[0], f"plan {fresh}", RECOVERED_S)
    await title_arrives(it, other[1], f"title {fresh}", RECOVERED_S)
    assert took_s < 5
    assert await letters(it, key_holds=address(fresh)) == []


async def test_a_user_deleted_between_read_and_write_is_not_left_behind(it: World) -> None:
    contact_id, user_id = await paired(it)
    users = await it.userflow.objects("users")
    fault = {"match": {"method": "POST", "object_id": user_id}, "action": "delete_before_write", "times": 1}
    await it.userflow.add_faults(fault)

    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Ghost"})

    await becomes_true(lambda: has_incident(it), "the race raised no incident")
    await settled(it)
    assert (await it.userflow.objects("users")).keys() == users.keys() - {user_id}
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Ghost again"})
    await settled(it)
    assert (await it.userflow.objects("users")).keys() == users.keys() - {user_id}


async def has_incident(it: World) -> bool:
    return any(letter.reason == "userflow_object_recreated" for letter in await it.dead_letters())


async def test_a_full_sync_brings_in_what_was_refused_and_the_stores_agree(it: World) -> None:
    await it.full_sync()

    await it.converged()


async def test_every_metric_is_fed_by_some_role(it: World) -> None:
    """One refused value, one rate limit and one full sync touch every writer there is."""
    contact_id, user_id = await quietly_paired(it)
    email = (await it.hubspot.fields("contacts", contact_id))["email"]
    await it.hubspot.add_faults(
        status(429, UPDATE, form="burst", times=1, headers={"retry-after": "1"}),
        {"action": "refuse_property", "property": PLAN, "code": "INVALID_OPTION"},
    )
    await it.userflow.edit("users", user_id, {"plan": "measured"})
    await becomes_true(lambda: has_letters(it, email, 1), "the refused property has no dead letter")
    await it.full_sync()

    async def without_samples() -> set[str]:
        exposed = await it.metrics()
        return {name for name in METRICS if name not in exposed and name not in NOT_HERE}

    assert await eventually(without_samples, lambda names: not names, ARRIVED_S) == set()
