"""A contact's change costs one read where no association moved, and what is known never outlives its news."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract.source import Seen
from connectors.hubspot.known_associates import KNOWN_S, LAGGING_S, AssociatePlace, KnownAssociates, Link
from schemas.records import StampedValue
from tests.examples import share
from tests.unit.connectors.hubspot.account import Opened
from tests.unit.connectors.hubspot.test_associated import DEFINITIONS, ID, NAME, WANTED, case, join
from tests.unit.connectors.hubspot.test_source import changed, event, translated

ALL, WITHOUT_LINKS, WITHOUT_FIELDS, ALONE = 3, 2, 2, 1


async def live(it: Opened, *ids: str) -> tuple[list[Any], int]:
    """The company names that contacts show, and how many calls that took."""
    before = len(it.transport.sent)
    found = await it.account.source.read("contacts", ids, "live_read")
    names = [one.fields[NAME].value for one in found if isinstance(one, Seen)]
    return names, len(it.transport.sent) - before


async def known(**settings: Any) -> Opened:
    """Contact 1 shows company 10, and contact 2 none; both were read."""
    it = case(**settings)
    join(it, "1", "10")
    assert await live(it, "1", "2") == (["Acme", None], ALL)
    return it


def associations(contact: int, company: int) -> Any:
    more = {"associationType": "CONTACT_TO_COMPANY", "fromObjectId": contact, "toObjectId": company}
    return event("x") | {"subscriptionType": "contact.associationChange"} | more


async def test_a_contacts_change_costs_one_read_where_nothing_moved() -> None:
    it = await known()
    translated([changed("email", "new@example.com")], it)
    assert await live(it, "1", "2") == (["Acme", None], ALONE)


async def test_what_is_known_keeps_the_stamps_of_its_own_read() -> None:
    it = await known()
    (first,) = await it.account.source.read("contacts", ["1"], "live_read")
    it.now.pass_ms(10_000)
    (again,) = await it.account.source.read("contacts", ["1"], "live_read")
    assert isinstance(first, Seen)
    assert isinstance(again, Seen)
    assert (again.fields[ID], again.fields[NAME]) == (first.fields[ID], first.fields[NAME])


async def test_a_company_that_changed_is_read_anew_until_no_read_can_lag_any_more() -> None:
    it = await known()
    it.portal.edit_object("companies", "10", {"name": "Acme Inc"})
    translated([changed("name", "Acme Inc", type_id="0-2", object_id=10)], it)
    assert await live(it, "1") == (["Acme Inc"], WITHOUT_LINKS)
    assert await live(it, "1") == (["Acme Inc"], WITHOUT_LINKS)
    it.clock.now += LAGGING_S + 1
    assert await live(it, "1") == (["Acme Inc"], WITHOUT_LINKS)
    assert await live(it, "1") == (["Acme Inc"], ALONE)


@pytest.mark.parametrize(
    ("told", "calls"),
    [
        (associations(1, 11), WITHOUT_FIELDS),
        (event("deletion", 10, "0-2"), ALL),
        (event("restore", 10, "0-2"), ALL),
        (event("merge", 9, "0-2", primaryObjectId=9, mergedObjectIds=[10], newObjectId=12), ALL),
        (event("restore", 1, "0-1"), WITHOUT_FIELDS),
    ],
    ids=["another company", "company deleted", "company restored", "company merged", "contact restored"],
)
async def test_news_of_an_association_or_of_either_end_have_all_of_it_read_anew(told: Any, calls: int) -> None:
    it = await known()
    translated([told], it)
    assert await live(it, "1") == (["Acme"], calls)
    assert await live(it, "1") == (["Acme"], calls)
    it.clock.now += LAGGING_S + 1
    await live(it, "1")
    assert await live(it, "1") == (["Acme"], ALONE)


async def test_nothing_vouches_for_ever() -> None:
    it = await known()
    it.clock.now += KNOWN_S
    assert await live(it, "1") == (["Acme"], ALL)


async def test_a_read_that_is_asked_for_in_doubt_and_a_full_syncs_rely_on_nothing() -> None:
    it = await known()
    assert it.account.associated is not None
    it.account.associated.doubt("contacts", ["1"])
    assert (await live(it, "1"))[1] == ALL
    before = len(it.transport.sent)
    await it.account.source.read("contacts", ["2"], "bulk_read")
    assert len(it.transport.sent) - before == 2  # contact 2 shows no company


async def test_another_field_that_is_mapped_is_read() -> None:
    it = await known()
    it.catalog.replace(WANTED | {"contacts": ("email", NAME, "company.domain")}, DEFINITIONS)
    assert (await live(it, "1"))[1] == WITHOUT_LINKS


async def test_a_search_tells_of_no_association_so_polling_relies_on_none() -> None:
    it = case(source="poll")
    join(it, "1", "10")
    assert [(await live(it, "1"))[1] for _ in range(2)] == [ALL, ALL]


PLACE = AssociatePlace("contacts", "companies", ("name",))


@dataclass(frozen=True)
class Deed:
    """Something happens, then so much time passes; a read may show what was there up to LAGGING_S before."""

    kind: Literal["move", "rename", "deliver", "read"]
    passes_s: float
    lag_s: float


deeds = st.builds(
    Deed,
    st.sampled_from(["move", "rename", "deliver", "deliver", "read", "read"]),
    st.sampled_from([0.5, 5.0, LAGGING_S + 1]),
    st.sampled_from([0.0, LAGGING_S]),
)


class World:
    """A contact that changes its company, companies that change their names, and a reader that relies on the known."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.known = KnownAssociates(lambda: self.now)
        self.companies = [(0.0, "a")]  # since when the contact shows which
        self.names = {company: [(0.0, f"{company}0")] for company in "ab"}
        self.told: list[str] = []

    def do(self, deed: Deed) -> None:
        match deed.kind:
            case "move":
                self.companies.append((self.now, "b" if self.companies[-1][1] == "a" else "a"))
                self.told.append("move")
            case "rename":
                company = self.companies[-1][1]
                self.names[company].append((self.now, f"{company}{len(self.names[company])}"))
                self.told.append(company)
            case "deliver":
                self.deliver()
            case "read":
                self.read(deed.lag_s)
        self.now += deed.passes_s

    def deliver(self) -> None:
        """All that was not told yet is told now."""
        for what in self.told:
            if what == "move":
                self.known.moved("contacts", "1")
            else:
                self.known.changed("companies", what)
        self.told.clear()

    def read(self, lag_s: float) -> str:
        """What a live read of the contact shows of its company."""
        links = self.known.links(PLACE, ["1"])
        if not links:
            links = {"1": Link(_as_of(self.companies, self.now - lag_s), 0, 0)}
            self.known.keep_links(PLACE, links, self.now)
        company = links["1"].other or ""
        fields = self.known.fields(PLACE, [company])
        if not fields:
            fields = {company: {"name": StampedValue(_as_of(self.names[company], self.now - lag_s), 0)}}
            self.known.keep_fields(PLACE, fields, self.now)
        return str(fields[company]["name"].value)


def _as_of(course: list[tuple[float, str]], at: float) -> str:
    return [value for since, value in course if since <= at][-1]


@settings(max_examples=share(3))
@given(st.lists(deeds, max_size=30))
def test_once_all_is_told_and_no_read_can_lag_any_more_the_truth_is_shown(story: list[Deed]) -> None:
    world = World()
    for deed in story:
        world.do(deed)
    world.deliver()
    world.now += LAGGING_S + 1
    assert world.read(0.0) == world.names[world.companies[-1][1]][-1][1]
    assert world.read(LAGGING_S) == world.names[world.companies[-1][1]][-1][1]
