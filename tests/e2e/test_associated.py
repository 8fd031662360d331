"""Fields of associated objects: a contact's company shows on its users, whatever happens to company or contact."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.looking import ARRIVED_S, CLEARED, becomes_true, number, settled
from tests.e2e.world import FILE, World, world
from tests.kafka import Kafka

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMPANY, INDUSTRY = "hubspot_company_name", "hubspot_company_industry"
USERS_OF_ONE = 50


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("associated"), kafka) as whole:
        # a webhook that comes before the integration is there is refused: sent again soon, it delays no test
        await whole.hubspot.set(webhook_backoff_ms=500)
        await whole.pair(number())
        await whole.apply(
            FILE.replace("[jobtitle, lifecyclestage]", "[jobtitle, lifecyclestage, company.name, company.industry]")
        )
        yield whole


async def company(it: World, name: str, industry: str = "BANKING") -> str:
    return await it.hubspot.create("companies", {"name": name, "industry": industry})


async def employed(it: World, company_id: str, *, primary: bool = True) -> tuple[str, str]:
    """A contact of the company and its user; returns their ids."""
    contact_id, user_id = await it.pair(number())
    await it.hubspot.associate("contacts", contact_id, "companies", company_id, primary=primary)
    return contact_id, user_id


async def show(it: World, user_ids: Sequence[str], name: Any, within_s: float = ARRIVED_S) -> float:
    """Wait until every user shows the company's name; returns the seconds it took."""
    started = time.monotonic()

    async def all_do() -> bool:
        users = await it.userflow.objects("users")
        held = [users[user_id].get(COMPANY) for user_id in user_ids]
        return all(one == name or (name is None and one in CLEARED) for one in held)

    await becomes_true(all_do, f"not every user shows {name!r}", within_s)
    return time.monotonic() - started


async def test_a_company_that_is_renamed_shows_on_all_its_users(it: World) -> None:
    acme = await company(it, "Acme")
    people = await asyncio.gather(*(employed(it, acme) for _ in range(USERS_OF_ONE)))
    users = [user_id for _, user_id in people]
    await show(it, users, "Acme")
    await settled(it)

    await it.hubspot.edit("companies", acme, {"name": "Acme Limited"})

    took = await show(it, users, "Acme Limited")
    print(f"renamed on {USERS_OF_ONE} users after {took:.2f} s")  # noqa: T201 - seen with -s
    fields = await it.userflow.fields("users", users[0])
    assert fields[INDUSTRY] == "BANKING"


async def test_a_contact_that_moves_to_another_company_shows_that_one(it: World) -> None:
    """Though the new company was edited long before the old one."""
    new = await company(it, "New")
    old = await company(it, "Old")
    contact_id, user_id = await employed(it, old)
    await show(it, [user_id], "Old")
    await it.hubspot.edit("companies", old, {"name": "Older"})
    await show(it, [user_id], "Older")

    await it.hubspot.associate("contacts", contact_id, "companies", new, primary=True)

    await show(it, [user_id], "New")
    await it.hubspot.edit("companies", old, {"name": "Nobody's"})
    await it.hubspot.edit("companies", new, {"name": "Newer"})
    await show(it, [user_id], "Newer")
    await settled(it)
    await show(it, [user_id], "Newer", within_s=1)


async def test_an_association_that_is_removed_clears_the_field(it: World) -> None:
    only = await company(it, "Only")
    contact_id, user_id = await employed(it, only)
    await show(it, [user_id], "Only")

    await it.hubspot.dissociate("contacts", contact_id, "companies", only)

    await show(it, [user_id], None)


async def test_a_company_that_is_deleted_clears_the_field_or_makes_way_and_comes_back(it: World) -> None:
    gone, second = await company(it, "Gone"), await company(it, "Second")
    alone = await employed(it, gone)
    both = await employed(it, gone)
    await it.hubspot.associate("contacts", both[0], "companies", second)
    await show(it, [alone[1], both[1]], "Gone")
    await settled(it)

    await it.hubspot.delete("companies", gone)

    await show(it, [alone[1]], None)
    await show(it, [both[1]], "Second")
    await it.hubspot.restore("companies", gone)
    await show(it, [alone[1], both[1]], "Gone")


async def test_two_companies_that_are_merged_show_as_the_one_that_is_left(it: World) -> None:
    first, other = await company(it, "First"), await company(it, "Other")
    people = [await employed(it, first), await employed(it, other)]
    await show(it, [people[0][1]], "First")
    await show(it, [people[1][1]], "Other")
    await settled(it)

    left = await it.hubspot.merge("companies", first, other)

    await show(it, [user_id for _, user_id in people], "First")
    await it.hubspot.edit("companies", left, {"name": "Left"})
    await show(it, [user_id for _, user_id in people], "Left")


async def test_a_connector_killed_in_the_middle_tells_everybody_when_it_is_back(it: World) -> None:
    lasting = await company(it, "Lasting")
    people = await asyncio.gather(*(employed(it, lasting) for _ in range(20)))
    users = [user_id for _, user_id in people]
    await show(it, users, "Lasting")

    async def begun() -> bool:
        changes = await asyncio.to_thread(it.records, "hubspot.changes")
        return any(change.given and change.fields["company.name"].value == "Everlasting" for change in changes)

    await it.hubspot.edit("companies", lasting, {"name": "Everlasting"})
    await becomes_true(begun, "the fan-out has not begun")
    it.kill("hubspot-connector")
    await show(it, users, "Everlasting", within_s=60)
