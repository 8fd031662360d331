"""Both systems without a public URL: HubSpot by its journal or by polling, Userflow polled; no webhook is ever sent."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.looking import CLEARED, becomes_true, number
from tests.e2e.world import FILE, PLAN, TITLE, World, world
from tests.kafka import Kafka

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMPANY = "hubspot_company_name"
BY_OAUTH = (
    "  oauth: {client_id: hubspot-client, client_secret: hubspot-client-secret, refresh_token: hubspot-refresh-token}\n"
)
ARRIVED_S = 40.0
LAG_S = 30
FORWARD_MS = itertools.count((LAG_S + 1) * 1_000, (LAG_S + 1) * 1_000)
QUICK: dict[str, Any] = {
    "PAIRSTREAM_JOURNAL_INTERVAL_S": "0.2",
    "PAIRSTREAM_POLL_INTERVAL_S": "0.3",
    "PAIRSTREAM_POLL_INDEX_LAG_S": str(LAG_S + 5),
    "PAIRSTREAM_POLL_ARCHIVED_INTERVAL_S": "0.5",
    "PAIRSTREAM_POLL_SWEEP_RECORDS_PER_S": "300",
    "PAIRSTREAM_POLL_SEEN_INTERVAL_S": "0.5",
}


def file(source: str) -> str:
    text = FILE.replace("  app_secret: ${HUBSPOT_APP_SECRET}\n", f"  source: {source}\n")
    text = text.replace("  environment: production\n", "  environment: production\n  source: poll\n")
    text = text.replace("[jobtitle, lifecyclestage]", "[jobtitle, lifecyclestage, company.name]")
    return text.replace("  token: ${HUBSPOT_TOKEN}\n", BY_OAUTH) if source == "journal" else text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("sources"), kafka, **QUICK) as it:
        await it.hubspot.set(webhooks=False, search_lag_ms=200, journal_lag_ms=100)
        await it.userflow.set(webhooks=False)
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["journal", "poll"])
async def it(whole: World, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """One world for both, one source after the other."""
    contact_id, user_id = await whole.pair(number())
    await whole.apply(file(request.param))
    await shows(
        whole, user_id, TITLE, (await whole.hubspot.fields("contacts", contact_id))["jobtitle"], touched=contact_id
    )
    yield whole
    assert await whole.created_by_api() == 0
    assert await whole.dead_letters() == []


async def shows(it: World, user_id: str, name: str, value: object, *, touched: str | None = None) -> None:
    """Wait until the user shows the value."""
    if touched is not None:  # made before the integration was: an edit makes it news
        await it.hubspot.edit("contacts", touched, {"lifecyclestage": "lead"})

    async def does() -> bool:
        held = (await it.userflow.fields("users", user_id)).get(name)
        return held == value or (value in CLEARED and held in CLEARED)

    await becomes_true(does, f"{user_id} does not show {value!r} as {name}", ARRIVED_S)


async def test_edits_flow_both_ways_and_apply_asked_for_no_webhook(it: World) -> None:
    contact_id, user_id = await it.pair(number())
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Chief"})
    await shows(it, user_id, TITLE, "Chief")

    await it.userflow.edit("users", user_id, {"plan": "gold"})

    async def written() -> bool:
        return (await it.hubspot.fields("contacts", contact_id)).get(PLAN) == "gold"

    await becomes_true(written, "the plan does not arrive", ARRIVED_S)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": ""})
    await shows(it, user_id, TITLE, None)


async def test_a_deleted_contact_makes_way_for_another_of_its_address(it: World) -> None:
    contact_id, user_id = await it.pair(number())
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "First"})
    await shows(it, user_id, TITLE, "First")
    email = (await it.hubspot.fields("contacts", contact_id))["email"]

    await it.hubspot.delete("contacts", contact_id)
    await it.hubspot.create("contacts", {"email": email, "jobtitle": "Second"})

    await shows(it, user_id, TITLE, "Second")


async def test_a_contact_that_moves_shows_its_new_company_though_no_modified_time_moves(it: World) -> None:
    old, new = [await it.hubspot.create("companies", {"name": name}) for name in ("Old", "New")]
    contact_id, user_id = await it.pair(number())
    await it.hubspot.associate("contacts", contact_id, "companies", old, primary=True)
    await shows(it, user_id, COMPANY, "Old")

    await it.hubspot.associate("contacts", contact_id, "companies", new, primary=True)

    await shows(it, user_id, COMPANY, "New")
    await it.hubspot.edit("companies", new, {"name": "Newer"})
    await shows(it, user_id, COMPANY, "Newer")


async def test_a_connector_that_is_killed_goes_on_where_it_was(it: World) -> None:
    people = [await it.pair(number()) for _ in range(20)]
    for contact_id, _ in people:
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Before"})
    it.kill("hubspot-connector")
    for contact_id, _ in people[10:]:
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Meanwhile"})
    for _, user_id in people[:10]:
        await shows(it, user_id, TITLE, "Before")
    for _, user_id in people[10:]:
        await shows(it, user_id, TITLE, "Meanwhile")


async def test_what_the_vendor_tells_late_or_twice_is_neither_lost_nor_out_of_order(it: World) -> None:
    """The index lags by thirty seconds of the vendor's clock, which is then set forward; the journal repeats itself."""
    contact_id, user_id = await it.pair(number())
    await it.hubspot.set(search_lag_ms=LAG_S * 1_000, journal_duplicate_probability=1.0)
    try:
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Late"})
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Latest"})
        await it.hubspot.set(clock_offset_ms=next(FORWARD_MS))
        await shows(it, user_id, TITLE, "Latest")
    finally:
        await it.hubspot.set(search_lag_ms=200, journal_duplicate_probability=0.0)
