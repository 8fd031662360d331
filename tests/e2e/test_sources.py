"""Both systems without a public URL: HubSpot by its journal or by polling, Userflow polled; no webhook is ever sent."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from schemas.topics import POSITIONS, RUNS
from tests.e2e.looking import CLEARED, becomes_true, number
from tests.e2e.world import ASKED_OFTEN, FILE, PLAN, TITLE, World, heard_by, measured, world
from tests.kafka import Kafka

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMPANY, FIELDS = "hubspot_company_name", "jobtitle, lifecyclestage"
ARRIVED_S = 40.0
LAG_S = 30
FORWARD_MS = itertools.count((LAG_S + 1) * 1_000, (LAG_S + 1) * 1_000)


def file(source: str, *, associated: bool = False) -> str:
    text = heard_by(FILE, source).replace("  environment: production\n", "  environment: production\n  source: poll\n")
    return text.replace("[jobtitle, lifecyclestage]", f"[{FIELDS}, company.name]") if associated else text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    often: dict[str, Any] = ASKED_OFTEN
    async with world(tmp_path_factory.mktemp("sources"), kafka, **often) as it:
        await it.hubspot.set(webhooks=False, search_lag_ms=200, journal_lag_ms=100)
        await it.userflow.set(webhooks=False)
        yield it


@pytest.fixture(scope="module", params=["journal", "poll"])
def source(request: pytest.FixtureRequest) -> str:
    """How HubSpot's news are heard of."""
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(whole: World, source: str) -> AsyncIterator[World]:
    """One world for both, one source after the other."""
    contact_id, user_id = await whole.pair(number())
    await whole.apply(file(source))
    await shows(
        whole, user_id, TITLE, (await whole.hubspot.fields("contacts", contact_id))["jobtitle"], touched=contact_id
    )
    yield whole
    assert await whole.created_by_api() == 0
    assert await whole.dead_letters() == []


async def shows(
    it: World, user_id: str, name: str, value: object, *, touched: str | None = None, within_s: float = ARRIVED_S
) -> None:
    """Wait until the user shows the value."""
    if touched is not None:  # made before the integration was: an edit makes it news
        await it.hubspot.edit("contacts", touched, {"lifecyclestage": "lead"})

    async def does() -> bool:
        held = (await it.userflow.fields("users", user_id)).get(name)
        return held == value or (value in CLEARED and held in CLEARED)

    await becomes_true(does, f"{user_id} does not show {value!r} as {name}", within_s)


async def test_edits_flow_both_ways_and_apply_asked_for_no_webhook(it: World) -> None:
    contact_id, user_id = await it.pair(number())
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Chief"})
    await shows(it, user_id, TITLE, "Chief")

    await it.userflow.edit("users", user_id, {"plan": "gold"})

    async def written() -> bool:
        return (await it.hubspot.fields("contacts", contact_id)).get(PLAN) == "gold"

    await becomes_true(written, "the plan does not arrive", ARRIVED_S)
    counters = (await it.userflow.requests())["counters"]
    assert not [name for name in counters if name.startswith("POST") and "subscription" in name]
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


async def test_a_connector_that_is_killed_goes_on_where_it_was(it: World, source: str) -> None:
    people = [await it.pair(number()) for _ in range(20)]
    for contact_id, _ in people:
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Before"})
    from_the_earliest = await beginnings(it)
    it.kill("hubspot-connector")
    for contact_id, _ in people[10:]:
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Meanwhile"})
    for _, user_id in people[:10]:
        await shows(it, user_id, TITLE, "Before")
    for _, user_id in people[10:]:
        await shows(it, user_id, TITLE, "Meanwhile")
    assert await beginnings(it) == from_the_earliest
    rows = {(row.system, row.feed) for row in await asyncio.to_thread(it.records, POSITIONS)}
    feeds = {"journal"} if source == "journal" else {"contacts/modified", "contacts/archived"}
    assert rows >= {("userflow", "users/seen"), ("userflow", "users/patrol"), *(("hubspot", feed) for feed in feeds)}


async def beginnings(it: World) -> int:
    """How often the journal was read from its earliest entry on, though something is in it."""
    return int((await it.hubspot.requests())["counters"].get("GET journal.earliest", 0))


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


async def test_an_expired_offset_ends_in_a_full_sync_that_brings_what_was_lost(it: World, source: str) -> None:
    if source != "journal":
        pytest.skip("only the journal forgets")
    contact_id, user_id = await it.pair(number())
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Known"})
    await shows(it, user_id, TITLE, "Known")

    await it.hubspot.set(journal_lag_ms=3_600_000)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Lost"})
    await it.hubspot.set(journal_lag_ms=0, journal_kept_ms=0)  # it comes into the journal, and is gone at once

    await shows(it, user_id, TITLE, "Lost")
    await it.hubspot.set(journal_lag_ms=100, journal_kept_ms=3 * 86_400_000)
    runs = await asyncio.to_thread(it.records, RUNS)
    assert any(run.full_sync is not None and run.full_sync.requested_by == "gap" for run in runs)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Found"})
    await shows(it, user_id, TITLE, "Found")


async def test_a_contact_that_moves_shows_its_new_company_though_no_modified_time_moves(it: World, source: str) -> None:
    await it.apply(file(source, associated=True))
    old, new = [await it.hubspot.create("companies", {"name": name}) for name in ("Old", "New")]
    contact_id, user_id = await it.pair(number())
    await it.hubspot.associate("contacts", contact_id, "companies", old, primary=True)
    await shows(it, user_id, COMPANY, "Old")

    await it.hubspot.associate("contacts", contact_id, "companies", new, primary=True)

    await shows(it, user_id, COMPANY, "New")
    await it.hubspot.edit("companies", new, {"name": "Newer"})
    await shows(it, user_id, COMPANY, "Newer")


@pytest.mark.long
async def test_twelve_thousand_contacts_edited_in_one_instant_are_all_heard_of(it: World, source: str) -> None:
    if source != "poll":
        pytest.skip("one time for all is trouble for a search only")
    await it.apply(file(source))  # nothing is patrolled in HubSpot: the searches alone have to find them
    people = [await it.pair(number()) for _ in range(20)]
    emails = [f"bulk{one}@example.com" for one in range(12_000)]
    made = [{"operation": "create", "type": "contacts", "properties": {"email": email}} for email in emails]
    await it.hubspot.bulk(made)
    contacts = await it.hubspot.objects("contacts")
    edits = [
        {"operation": "edit", "type": "contacts", "id": one, "properties": {"jobtitle": "All"}} for one in contacts
    ]
    started = time.monotonic()
    await it.hubspot.bulk(edits, same_time=True)
    for _, user_id in people:
        await shows(it, user_id, TITLE, "All", within_s=300)
    measured(f"20 users among {len(contacts)} edits of one instant after {time.monotonic() - started:.0f} s")
