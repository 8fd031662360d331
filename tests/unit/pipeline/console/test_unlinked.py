"""Who is not linked: listed once for all, paged, as a file; nobody is named by an address."""

import asyncio
import csv
import io

import pytest

from pipeline.console.listings import ANEW_MS, KEPT_MS, MOST_LISTS, Asked, Listing, Listings
from pipeline.operations.unlinked import Unlinked
from tests.unit.pipeline.console.fixtures import AT_MS, InMemory, connect, in_memory
from tests.unit.pipeline.console.test_pages import lag, mapped, text

PAGE = "/i/acme/unlinked"
FOUND = (
    *(Unlinked(f"u_{number}", "unmatched", AT_MS - number, AT_MS - 9) for number in range(150)),
    Unlinked("bob@example.com", "no_match_value", AT_MS - 2, 0),
    Unlinked("=1+1", "ambiguous", AT_MS - 3, 0),
)


@pytest.fixture
def it() -> InMemory:
    made = in_memory(lag)
    connect(made)
    mapped(made)
    made.planner.listing = Listing.of({"contacts-users": FOUND})
    return made


async def test_they_are_listed_once_asked_for_and_kept_for_all(it: InMemory) -> None:
    viewer, other = await it.signed_in("viewer"), await it.signed_in("viewer")
    assert "Who of contacts-users is not linked?" in text((await viewer.get(PAGE)).text)
    it.planner.go.clear()
    assert (await viewer.send(PAGE)).headers["location"].startswith(PAGE)
    waits = await other.get(PAGE)
    assert "Looking through what is known" in waits.text and waits.headers["refresh"] == "2"
    it.planner.go.set()
    await asyncio.wait({it.desk.listings.kept["acme"].answer})
    said = text((await other.get(PAGE)).text)
    assert "152 users of contacts-users are not linked" in said and "No contact 150" in said and "Several 1" in said
    assert "User u_0" in said and "1–100 of 150" in said and "u_149" not in said  # noqa: RUF001
    assert "User u_149" in text((await other.get(f"{PAGE}?page=2")).text)
    assert it.publisher.sent == []
    asked = it.desk.listings.kept["acme"]
    await other.send(PAGE)  # just now is new enough
    assert it.desk.listings.kept["acme"] is asked
    it.now_ms[0] += ANEW_MS
    await other.send(PAGE)
    assert it.desk.listings.kept["acme"] is not asked
    await asyncio.wait({it.desk.listings.kept["acme"].answer})
    it.now_ms[0] += KEPT_MS + 1
    assert "List them" in text((await other.get(PAGE)).text)


async def listed(it: InMemory) -> None:
    await (await it.signed_in("viewer")).send(PAGE)
    await asyncio.wait({it.desk.listings.kept["acme"].answer})


async def test_nobody_is_named_by_an_address(it: InMemory) -> None:
    await listed(it)
    viewer = await it.signed_in("viewer")
    page = (await viewer.get(f"{PAGE}?why=no_match_value")).text
    assert "example.com" not in page and "User with a hidden id" in page and "/objects/userflow/users/~" in page
    for why, shown in (("no_match_value", ""), ("ambiguous", "'=1+1")):
        answer = await viewer.get(f"{PAGE}/ids.csv?why={why}")
        head, *rows = csv.reader(io.StringIO(answer.text, newline=""))
        (row,) = [dict(zip(head, row, strict=True)) for row in rows]
        assert row["object"] == shown and row["page"].startswith("/i/acme/objects/userflow/users/~")
        assert "example.com" not in answer.text


async def test_why_it_could_not_be_listed_is_told_once(it: InMemory) -> None:
    it.planner.silent = "the pairs could not be read"
    await listed(it)
    viewer = await it.signed_in("viewer")
    answer = await viewer.get(PAGE)
    assert answer.status_code == 409 and it.planner.silent in answer.text
    assert "List them" in (await viewer.get(PAGE)).text


async def test_what_is_no_mapping_or_not_listed_is_not_here(it: InMemory) -> None:
    viewer = await it.signed_in("viewer")
    assert (await viewer.get(f"{PAGE}?mapping=none")).status_code == 404
    assert (await viewer.get(f"{PAGE}/ids.csv")).status_code == 404
    await listed(it)
    mapped(it, "companies", userflow_type="groups", hubspot_type="companies")  # since it was listed
    assert "List them" in (await viewer.get(f"{PAGE}?mapping=companies")).text
    assert (await viewer.get(f"{PAGE}?why=%3Cscript%3E&page=x")).status_code == 200


async def test_a_list_is_of_one_connection_and_few_are_kept() -> None:
    kept, done = Listings(), asyncio.Event()

    async def make() -> Listing:
        await done.wait()
        return Listing.of({})

    for name in range(MOST_LISTS + 2):
        kept.begin(f"i{name}", 1, AT_MS, make)
    assert len(kept.kept) == MOST_LISTS
    before = kept.kept["i5"]
    kept.begin("i5", 1, AT_MS, make)  # it is on its way
    assert kept.of("i5", 1, AT_MS) is before
    assert kept.of("i5", 2, AT_MS) is None and before.answer.cancelling()  # type: ignore[attr-defined]
    done.set()
    assert isinstance(kept.of("i4", 1, AT_MS), Asked)
