"""Fields of associated HubSpot records: which one is shown, how it is read, and whose webhooks concern it."""

from typing import Any

import httpx
import pytest

from connectors.contract.associations import AssociatedSource
from connectors.contract.errors import Transient
from connectors.contract.source import AssociatedNews, News, Seen
from schemas.records import StampedValue
from schemas.values import FieldDefinition
from tests.unit.connectors.hubspot.account import Opened, opened
from tests.unit.connectors.hubspot.test_source import AT_MS, changed, event, translated, values
from tests.unit.connectors.simulation.simulated import RECEIVER_URL, Receiver

ID, NAME, SIZE = "company.hs_object_id", "company.name", "company.numberofemployees"
WANTED = {
    "contacts": ("email", NAME, SIZE),
    "deals": ("dealname", NAME),
    "2-77": ("slug", "deal.amount"),
    "companies": ("name", "contact.email"),
}
DEFINITIONS = {
    "contacts": {SIZE: FieldDefinition(SIZE, "number")},
    "2-77": {"deal.amount": FieldDefinition("deal.amount", "number")},
}


def case(webhook_transport: httpx.AsyncBaseTransport | None = None, **settings: Any) -> Opened:
    """A portal with two companies more, nobody joined to any."""
    found = opened(webhook_transport, **settings)
    found.catalog.replace(WANTED, DEFINITIONS)
    for company_id, name in (("9", "Nine"), ("11", "Eleven")):
        found.portal.create_object("companies", {"name": name}, object_id=company_id, silent=True)
    return found


def join(it: Opened, contact_id: str, company_id: str, *, primary: bool = False) -> None:
    it.portal.associate("contacts", contact_id, "companies", company_id, primary=primary)


async def read(it: Opened, *ids: str, kind: str = "contacts") -> list[Seen]:
    found = await it.account.source.read(kind, ids, "bulk_read")  # relies on nothing read before
    return [item for item in found if isinstance(item, Seen)]


async def shown(it: Opened, contact_id: str) -> tuple[Any, Any]:
    (found,) = await read(it, contact_id)
    return found.fields[ID].value, found.fields[NAME].value


def associated(it: Opened) -> AssociatedSource:
    assert it.account.associated is not None
    return it.account.associated


class TestWhichIsShown:
    async def test_the_primary_one_else_the_lowest_id_else_none(self) -> None:
        it = case()
        for company_id in ("11", "10", "9"):
            join(it, "1", company_id, primary=company_id == "10")
            join(it, "2", company_id)
        assert await shown(it, "1") == ("10", "Acme")
        assert await shown(it, "2") == ("9", "Nine")
        assert await shown(it, "3") == (None, None)

    @pytest.mark.parametrize("as_errors", [True, False])
    async def test_a_contact_without_a_company_is_told_so(self, as_errors: bool) -> None:
        it = case(associations_missing_as_errors=as_errors)
        join(it, "1", "10")
        one, two = await read(it, "1", "2")
        assert (one.fields[NAME].value, one.fields[SIZE].value) == ("Acme", 12)
        assert (two.fields[NAME].value, two.fields[ID].value) == (None, None)

    async def test_a_company_that_is_deleted_makes_way_for_the_next(self) -> None:
        it = case()
        join(it, "1", "10", primary=True)
        join(it, "1", "11")
        it.portal.delete_object("companies", "10")
        assert await shown(it, "1") == ("11", "Eleven")
        it.portal.restore_object("companies", "10")
        assert await shown(it, "1") == ("10", "Acme")

    async def test_a_company_merged_away_is_shown_as_the_one_that_is_left(self) -> None:
        it = case()
        join(it, "1", "10", primary=True)
        left = it.portal.merge_objects("companies", "9", "10")["id"]
        assert await shown(it, "1") == (left, "Nine")

    async def test_one_that_a_lagging_read_does_not_show_yet_is_not_taken_for_none(self) -> None:
        it = case(read_lag_ms=1_000)
        join(it, "1", "10", primary=True)
        left = it.portal.merge_objects("companies", "9", "10")["id"]
        (found,) = await read(it, "1")
        assert set(found.unsettled) == {ID, NAME, SIZE}
        it.now.pass_ms(2_000)
        (found,) = await read(it, "1")
        assert (found.unsettled, found.fields[ID].value, found.fields[NAME].value) == ((), left, "Nine")

    async def test_one_that_lies_in_the_recycling_bin_is_none(self) -> None:
        it = case(read_lag_ms=1_000)
        join(it, "1", "10")
        it.portal.delete_object("companies", "10")
        it.now.pass_ms(2_000)
        (found,) = await read(it, "1")
        assert (found.unsettled, found.fields[ID].value, found.fields[NAME].value) == ((), None, None)

    async def test_deals_and_custom_objects_show_theirs(self) -> None:
        it = case()
        it.portal.associate("deals", "20", "companies", "11")
        it.portal.associate("2-77", "30", "deals", "20")
        (deal,) = await read(it, "20", kind="deals")
        (custom,) = await read(it, "30", kind="2-77")
        assert values(deal) == {"dealname": "Big", NAME: "Eleven", ID: "11"}
        assert values(custom) == {"slug": "acme", "deal.amount": 10.5, "deal.hs_object_id": "20"}


class TestReading:
    async def test_a_value_has_the_time_of_its_own_record_and_whose_it_is_that_of_the_reading(self) -> None:
        it = case()
        join(it, "1", "10")
        it.now.pass_ms(5_000)
        it.portal.edit_object("companies", "10", {"name": "Acme Limited"})
        edited_ms = it.portal.now_ms()
        it.now.pass_ms(5_000)
        (found,) = await read(it, "1")
        assert found.fields[NAME] == StampedValue("Acme Limited", edited_ms)
        assert found.fields[ID].at_ms > edited_ms + 3_000
        assert found.fields[ID].spread_ms >= 999
        assert found.fields["email"].at_ms < edited_ms

    async def test_many_contacts_of_few_companies_take_three_requests(self) -> None:
        it = case()
        for number in range(1, 9):
            join(it, str(number), "10" if number % 2 else "11")
        found = await read(it, *map(str, range(1, 9)))
        assert [one.fields[NAME].value for one in found] == ["Acme", "Eleven"] * 4
        assert len(it.transport.sent) == 3
        companies = it.transport.sent[-1].body or b""
        assert companies.count(b'"id"') == 2

    async def test_a_page_and_a_lookup_are_enriched_alike(self) -> None:
        it = case()
        join(it, "1", "10")
        page = await it.account.source.page("contacts", None)
        assert values(page.objects[0])[NAME] == "Acme"
        email = FieldDefinition("email", "string", unique=True)
        (found,) = await it.account.source.look_up("contacts", email, ["person1@example.com"], "live_read")
        assert values(found)[NAME] == "Acme"

    async def test_a_type_that_shows_nothing_costs_nothing(self) -> None:
        it = case()
        it.catalog.replace({"contacts": ("email",)}, {})
        await read(it, "1")
        assert len(it.transport.sent) == 1

    async def test_a_company_that_its_batch_leaves_out_is_asked_for_alone(self) -> None:
        it = case()
        join(it, "1", "10")
        it.strike(
            action="row_error", object_id="10", path_contains="companies/batch/read", body={"category": "INTERNAL"}
        )
        assert await shown(it, "1") == ("10", "Acme")

    async def test_an_error_is_no_empty_answer(self) -> None:
        it = case()
        it.strike(action="status", status=503, path_contains="associations")
        with pytest.raises(Transient):
            await read(it, "1")


def news_of(body: Any, it: Opened | None = None) -> list[AssociatedNews]:
    return list(translated(body, it or case()).associated)


class TestNews:
    def test_a_property_that_is_shown(self) -> None:
        (news,) = news_of([changed("numberofemployees", "13", object_id=10, type_id="0-2")])
        told = {"numberofemployees": StampedValue(13, AT_MS)}
        assert news == AssociatedNews("companies", "10", "changed", AT_MS, told)

    def test_one_that_nobody_shows_or_of_a_type_that_nobody_shows(self) -> None:
        assert news_of([changed("city", "Oslo", type_id="0-2"), changed("slug", "x", type_id="2-77")]) == []

    def test_a_type_that_is_mapped_and_shown_is_told_twice(self) -> None:
        found = translated([changed("name", "Acme", object_id=10, type_id="0-2")], case())
        assert [news.object_id for news in found.news] == ["10"]
        assert [news.object_id for news in found.associated] == ["10"]

    @pytest.mark.parametrize(("kind", "told"), [("deletion", "gone"), ("restore", "back")])
    def test_an_end_and_a_return(self, kind: str, told: Any) -> None:
        assert news_of([event(kind, 10, "0-2")]) == [AssociatedNews("companies", "10", told, AT_MS)]

    def test_a_merge_is_the_end_of_both(self) -> None:
        found = news_of([event("merge", 9, "0-2", primaryObjectId=10, mergedObjectIds=[11], newObjectId=9)])
        assert [(news.object_id, news.kind) for news in found] == [("10", "gone"), ("11", "gone")]

    def test_a_survivor_that_keeps_its_id_may_hold_something_else(self) -> None:
        found = news_of([event("merge", 10, "0-2", primaryObjectId=10, mergedObjectIds=[11], newObjectId=10)])
        assert [(news.object_id, news.kind) for news in found] == [("11", "gone"), ("10", "changed")]

    @pytest.mark.parametrize("form", ["object", "classic"])
    async def test_an_association_reads_the_end_that_shows_the_other_whichever_end_tells(self, form: Any) -> None:
        receiver = Receiver()
        it = case(receiver.transport, webhooks=True, webhook_target_url=RECEIVER_URL, webhook_form=form)
        it.catalog.replace({"contacts": ("email", NAME), "companies": ("name",)}, {})
        async with it.portal:
            join(it, "1", "10")
            await receiver.until(2)
        for told in receiver.events:
            found = translated([told], it)
            assert list(found.news) == [News("contacts", "1", "upserted", {}, 0, 0, complete=False)]
            assert found.unreadable == 0

    def test_an_association_that_nobody_shows_is_no_news(self) -> None:
        more = {"associationType": "CONTACT_TO_DEAL", "fromObjectId": 1, "toObjectId": 20}
        change = event("x") | {"subscriptionType": "contact.associationChange"} | more
        assert translated([change], case()).news == ()


class TestFanOutReads:
    async def test_each_type_that_shows_the_company_gets_its_own_fields(self) -> None:
        it = case()
        found = await associated(it).shown("companies", "10", {}, "live_read")
        assert {one.object_type: {name: value.value for name, value in one.fields.items()} for one in found} == {
            "contacts": {NAME: "Acme", SIZE: 12},
            "deals": {NAME: "Acme"},
        }

    async def test_what_was_told_wins_over_a_read_that_lags_behind_it(self) -> None:
        it = case()
        later, earlier = it.portal.now_ms() + 1, 1
        told = {"name": StampedValue("Told", later), "numberofemployees": StampedValue(1, earlier)}
        contacts = (await associated(it).shown("companies", "10", told, "live_read"))[0]
        assert contacts.fields[NAME] == StampedValue("Told", later)
        assert contacts.fields[SIZE].value == 12

    async def test_a_company_that_is_gone_is_shown_by_nobody(self) -> None:
        it = case()
        it.portal.delete_object("companies", "10")
        assert await associated(it).shown("companies", "10", {}, "live_read") == []
        assert (await associated(it).showing("companies", "10", "contacts", None, "live_read")).ids == ()

    async def test_what_was_told_of_one_that_a_lagging_read_does_not_show_yet_is_used(self) -> None:
        it = case(read_lag_ms=1_000)
        it.portal.create_object("companies", {"name": "New"}, object_id="12")
        told = {"name": StampedValue("Told", it.portal.now_ms())}
        found = await associated(it).shown("companies", "12", told, "live_read")
        by_type = {one.object_type: dict(one.fields) for one in found}
        assert by_type == {"contacts": {NAME: told["name"]}, "deals": {NAME: told["name"]}}

    async def test_contacts_are_listed_in_pages_of_500(self) -> None:
        it = case()
        for number in range(1_000, 1_700):
            it.portal.create_object("contacts", {"email": f"many{number}@example.com"}, object_id=str(number))
            join(it, str(number), "10", primary=True)
        first = await associated(it).showing("companies", "10", "contacts", None, "bulk_read")
        rest = await associated(it).showing("companies", "10", "contacts", first.cursor, "bulk_read")
        assert (len(first.ids), len(rest.ids), rest.cursor) == (500, 200, None)
        assert len({*first.ids, *rest.ids}) == 700
