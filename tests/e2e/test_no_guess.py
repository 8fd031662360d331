"""Nobody is written by guess: emails that two users share, in a first full sync with live edits beside it."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from connectors.kafka.table import TableReader
from pipeline.explain.answer import Named
from pipeline.explain.following import follow
from pipeline.explain.reading import explain_object
from pipeline.explain.sources import Sources
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS, MAPPINGS
from tests.e2e.looking import number, plan_arrives, title_arrives
from tests.e2e.world import PLAN, SYNCED, TITLE, World, world
from tests.kafka import Kafka

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAIRS, SHARED, ALONE = 40, 20, 5
EDITS = 30


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world: pairs, emails that two users share, and people of one system only; nothing was read yet."""
    async with world(tmp_path_factory.mktemp("no-guess"), kafka) as it:
        for _ in range(PAIRS):
            await it.pair(number())
        for _ in range(SHARED):
            mine = number()
            await it.pair(mine)
            await it.userflow.create("users", {"email": f"person{mine}@example.com", "plan": "other"}, f"twin-{mine}")
        for _ in range(ALONE):
            mine = number()
            await it.hubspot.create("contacts", {"email": f"contact{mine}@example.com", "jobtitle": "alone"})
            await it.userflow.create("users", {"email": f"user{mine}@example.com"}, f"alone-{mine}")
        await it.apply()
        yield it


async def sharing(it: World) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Contacts and users with an email that two users share."""
    contacts, users = await it.hubspot.objects("contacts"), await it.userflow.objects("users")
    several = {email for email, count in Counter(one["email"] for one in users.values()).items() if count > 1}
    return (
        {id: one for id, one in contacts.items() if one["email"] in several},
        {id: one for id, one in users.items() if one["email"] in several},
    )


async def written(it: World) -> list[str]:
    """Those of them that hold a value of the other side."""
    contacts, users = await sharing(it)
    titled = [id for id, one in users.items() if any(one.get(target) for target in SYNCED.values())]
    return titled + [id for id, one in contacts.items() if one.get(PLAN)]


async def edited(it: World) -> None:
    """Somebody edits each of them, one after the other: each side asks the other before it is known."""
    contacts, users = await sharing(it)
    for contact_id in contacts:
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "live"})
        await asyncio.sleep(0.02)
    for user_id in users:
        await it.userflow.edit("users", user_id, {"plan": "live"})
        await asyncio.sleep(0.02)


async def test_live_edits_of_shared_emails_write_nothing_before_anything_was_read(it: World) -> None:
    contact_id, user_id = next(iter(it.made.items()))

    await edited(it)
    await it.userflow.edit("users", user_id, {"plan": "gold"})

    await plan_arrives(it, contact_id, "gold")
    await it.idle()
    assert await written(it) == []


async def test_nor_does_a_first_full_sync_with_live_edits_beside_it(it: World) -> None:
    editing = asyncio.create_task(edited(it))

    told = json.loads((await it.answer("full-sync", "start", "acme", "--wait", "--format", "json")).splitlines()[-1])

    await editing
    await it.idle()
    assert await written(it) == []
    assert (told["pairs"], told["ambiguous"]) == (PAIRS, SHARED)
    assert await it.created_by_api() == 0


async def test_a_live_edit_is_explained_by_what_led_to_its_write(it: World) -> None:
    contact_id, user_id = next(iter(it.made.items()))
    email = (await it.hubspot.fields("contacts", contact_id))["email"]
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "as explained"})
    await title_arrives(it, user_id, "as explained")
    await it.idle()

    (told,) = json.loads(await it.answer("explain", "hubspot", "contacts", contact_id, "--format", "json"))[
        "explanations"
    ]
    (pair,) = told["pairs"]
    (title,) = (one for one in pair["fields"] if one["target"] == TITLE)
    cause = title["write"]["caused_by"]
    assert (title["word"], title["took_ms"] > 0, cause["topic"].startswith("hubspot.")) == ("written", True, True)
    # the same record; what was waited for on the way grows with each stage
    led = [one for one in told["history"]["happenings"] if _place(one["cause"]) == _place(cause)]
    assert [one["outcome"] for one in led] == ["written"]
    assert told["history"]["complete"]

    text = await it.answer("explain", "hubspot", "contacts", contact_id)
    assert f"({cause['topic']}[{cause['partition']}]@{cause['offset']})" in text
    assert "as explained" not in text and email not in text
    assert f"paired by email: HubSpot {contact_id} and Userflow {user_id}" in await it.answer(
        "explain", "acme", "contacts-users", email
    )


async def test_what_happens_to_an_object_is_followed(it: World) -> None:
    contact_id = next(iter(it.made))
    codec = Codec(LocalRegistry())
    tables = TableReader(it.cluster, codec, (INTEGRATIONS, MAPPINGS))
    await asyncio.to_thread(tables.start)
    sources = Sources(it.cluster, codec, it.machine.settings.partitions, 900_000, lambda: 0)
    told = await asyncio.to_thread(explain_object, sources, tables, Named("hubspot", "contacts", contact_id))
    await asyncio.to_thread(tables.stop)
    of_hubspot = (one for one in follow(sources, told) if one.system == "hubspot")  # Userflow shows earlier ones late
    next_one = asyncio.create_task(asyncio.to_thread(next, of_hubspot))
    for edit in range(EDITS):  # it begins at the end that it finds, whenever that is
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"followed {edit}"})
        if (await asyncio.wait((next_one,), timeout=1.0))[0]:
            break
    seen = await next_one
    assert (seen.origin, "jobtitle" in seen.fields) == ("webhook", True)


async def test_what_was_written_before_a_rival_appeared_is_explained(it: World) -> None:
    contact_id = next(iter(it.made))
    email = (await it.hubspot.fields("contacts", contact_id))["email"]
    assert "in step    written" in await it.answer("explain", "hubspot", "contacts", contact_id)

    await it.userflow.create("users", {"email": email, "plan": "rival"}, "rival")
    await it.idle()

    told = await it.answer("explain", "userflow", "users", "rival")
    assert f"ambiguous, nothing is written: its match value is held by hubspot {contact_id}, userflow rival" in told
    assert f"still there: hubspot {contact_id}: {PLAN}" in told
    assert email not in told


def _place(cause: Mapping[str, object] | None) -> tuple[object, ...]:
    return () if cause is None else (cause["topic"], cause["partition"], cause["offset"])
