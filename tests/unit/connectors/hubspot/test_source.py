"""HubSpot's webhooks, batch reads and pages as the runner sees them."""

import datetime as dt
import json
from typing import Any

import pytest

from connectors.contract.errors import ConnectorError, Misconfigured
from connectors.contract.source import Gone, News, Seen, Translated
from connectors.http.messages import Request, Response
from schemas.records import Notification, StampedValue
from tests.unit.connectors.hubspot.account import AsgiTransport, Opened, opened
from tests.unit.connectors.simulation.simulated import RECEIVER_URL, Receiver, sample

ACCOUNT = 12345678
AT_MS = 1_800_000_000_000


def event(kind: str = "propertyChange", object_id: int = 1, type_id: str = "0-1", **more: Any) -> Any:
    return {
        "portalId": ACCOUNT,
        "objectTypeId": type_id,
        "subscriptionType": f"object.{kind}",
        "objectId": object_id,
        "occurredAt": AT_MS,
        **more,
    }


def changed(name: str, value: str, **more: Any) -> Any:
    return event(propertyName=name, propertyValue=value, **more)


def translated(body: Any, case: Opened | None = None) -> Translated:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    source = (case or opened()).account.source
    return source.translate(Notification("acme", "hubspot", raw, {}, AT_MS))


def values(found: Seen) -> dict[str, Any]:
    return {name: stamped.value for name, stamped in found.fields.items()}


class TestTranslate:
    @pytest.mark.parametrize(
        ("type_id", "kind", "name", "text", "value"),
        [
            ("0-1", "contacts", "renewal", "1772323200000", dt.date(2026, 3, 1)),
            ("0-1", "contacts", "jobtitle", "", None),
            ("0-2", "companies", "numberofemployees", "12", 12),
            ("0-3", "deals", "amount", "10.50", 10.5),
            ("2-77", "2-77", "seats", "7", 7),
        ],
    )
    def test_a_change_tells_its_value_and_asks_for_the_rest(
        self, type_id: str, kind: str, name: str, text: str, value: Any
    ) -> None:
        (news,) = translated([changed(name, text, type_id=type_id)]).news
        assert news == News(kind, "1", "upserted", {name: StampedValue(value, AT_MS)}, AT_MS, 0, complete=False)

    @pytest.mark.parametrize(
        "body",
        [
            [changed("favourite_colour", "red")],
            [changed("name", "Acme", type_id="2-99")],
            [event("creation", type_id="0-5")],
            [event("conversation", type_id="0-5")],
        ],
    )
    def test_what_no_mapping_uses_is_no_news(self, body: Any) -> None:
        assert translated(body) == Translated()

    @pytest.mark.parametrize(
        ("told", "field", "value"),
        [
            (True, "vip", True),
            (12.5, "seats", 12.5),
            (7, "seats", 7),
            (None, "jobtitle", None),
            ("", "jobtitle", None),
        ],
    )
    def test_a_value_of_another_kind_clears_nothing(self, told: Any, field: str, value: Any) -> None:
        (news,) = translated([changed(field, told)]).news
        assert news.fields == {field: StampedValue(value, AT_MS)}

    @pytest.mark.parametrize("told", [{}, {"propertyValue": ["a"]}, {"propertyValue": {"value": "a"}}])
    def test_a_change_that_tells_no_value_is_read_and_clears_nothing(self, told: Any) -> None:
        (news,) = translated([event("propertyChange", propertyName="jobtitle", **told)]).news
        assert news == News("contacts", "1", "upserted", {}, AT_MS, 0, complete=False)

    def test_a_new_record_is_read(self) -> None:
        assert translated([event("creation")]).news == (News("contacts", "1", "upserted", {}, 0, 0, complete=False),)

    def test_a_restored_record_is_there_since_then_and_any_read_will_do(self) -> None:
        there, to_read = translated([event("restore")]).news
        assert (there.operation, there.at_ms, there.complete) == ("upserted", AT_MS, True)
        assert (to_read.at_ms, to_read.complete) == (0, False)

    @pytest.mark.parametrize(
        ("kind", "operation"), [("object.deletion", "deleted"), ("contact.privacyDeletion", "erased")]
    )
    def test_a_deletion_needs_no_read(self, kind: str, operation: Any) -> None:
        (news,) = translated([event() | {"subscriptionType": kind}]).news
        assert news == News("contacts", "1", operation, {}, AT_MS, 0, complete=True)

    def test_a_merge_ends_the_old_records_and_asks_for_the_new_one(self) -> None:
        news = translated([event("merge", primaryObjectId=1, mergedObjectIds=[2], newObjectId=9)]).news
        assert [(one.object_id, one.operation, one.merged_into, one.complete) for one in news] == [
            ("1", "deleted", "9", True),
            ("2", "deleted", "9", True),
            ("9", "upserted", None, False),
        ]
        assert [one.at_ms for one in news] == [AT_MS, AT_MS, 0]

    def test_a_survivor_that_is_no_new_record_needs_a_read_of_after_the_merge(self) -> None:
        news = translated([event("merge", primaryObjectId=1, mergedObjectIds=[2], newObjectId=1)]).news
        assert [(one.object_id, one.operation, one.at_ms) for one in news] == [
            ("2", "deleted", AT_MS),
            ("1", "upserted", AT_MS),
        ]

    @pytest.mark.parametrize("at", [None, AT_MS + 2 * 86_400_000, 10**18, 1e308, -1, -(10**30), "when?"])
    def test_without_a_time_that_can_be_the_record_is_read_instead(self, at: Any) -> None:
        """Taken as it is, a time far ahead would make all that follows stale, and one larger still fits no record."""
        body = [event("deletion", occurredAt=at), changed("jobtitle", "Chief", occurredAt=at)]
        found = translated(body).news
        assert [(one.operation, one.fields, one.at_ms, one.complete) for one in found] == [
            ("upserted", {}, 0, False)
        ] * 2

    def test_events_of_another_account_and_broken_ones_are_counted(self) -> None:
        body = [
            changed("jobtitle", "Chief", portalId=1),
            "nonsense",
            event("deletion", objectId=None),
            event("creation"),
        ]
        found = translated(body)
        assert (len(found.news), found.unreadable) == (1, 3)

    @pytest.mark.parametrize("body", [b"", b"<html>", b'"text"'])
    def test_a_body_that_is_none_of_hubspots(self, body: bytes) -> None:
        with pytest.raises(ValueError, match="malformed_notification"):
            translated(body)

    @pytest.mark.parametrize("name", ["webhook_property_change", "webhook_creation", "webhook_merge"])
    def test_recorded_webhooks_tell_something(self, name: str) -> None:
        body = sample("hubspot", name)
        events = body if isinstance(body, list) else [body]
        found = translated([one | {"portalId": ACCOUNT} for one in events])
        assert found.unreadable == 0
        assert found.news

    @pytest.mark.parametrize("form", ["object", "classic"])
    async def test_what_a_person_does_arrives(self, form: Any) -> None:
        receiver = Receiver()
        case = opened(receiver.transport, webhooks=True, webhook_target_url=RECEIVER_URL, webhook_form=form)
        async with case.portal:
            case.portal.edit_object("contacts", "1", {"renewal": "2026-03-01", "city": "Oslo"})
            case.portal.edit_object("companies", "10", {"numberofemployees": "13"})
            case.portal.edit_object("2-77", "30", {"seats": "8"})
            case.portal.delete_object("deals", "20")
            await receiver.until(5)
        told = [news for request in receiver.requests for news in translated(request.raw, case).news]
        assert {(news.object_type, news.object_id, news.operation) for news in told} == {
            ("contacts", "1", "upserted"),
            ("companies", "10", "upserted"),
            ("2-77", "30", "upserted"),
            ("deals", "20", "deleted"),
        }
        fields = {name: stamped.value for news in told for name, stamped in news.fields.items()}
        assert fields == {"renewal": dt.date(2026, 3, 1), "numberofemployees": 13, "seats": 8}


class TestRead:
    @pytest.mark.parametrize(
        ("kind", "object_id", "expected"),
        [
            ("companies", "10", {"name": "Acme", "numberofemployees": 12}),
            ("deals", "20", {"dealname": "Big", "amount": 10.5, "closedate": None}),
            ("2-77", "30", {"slug": "acme", "seats": 7}),
        ],
    )
    async def test_every_type_is_read_alike(self, kind: str, object_id: str, expected: Any) -> None:
        case = opened()
        (found,) = await case.account.source.read(kind, [object_id], "live_read")
        assert isinstance(found, Seen)
        assert (found.object_id, values(found)) == (object_id, expected)

    async def test_a_batch_is_one_request_and_each_field_carries_the_modified_time(self) -> None:
        case = opened()
        case.portal.edit_object("contacts", "3", {"seats": "4", "vip": "true", "hs_buying_role": "END_USER;CHAMPION"})
        found = await case.account.source.read("contacts", ["3", "1", "3"], "bulk_read")
        assert [item.object_id for item in found] == ["3", "1"]
        assert len(case.transport.sent) == 1
        third = found[0]
        assert isinstance(third, Seen)
        assert values(third) == {
            "email": "person3@example.com",
            "jobtitle": "Job 3",
            "seats": 4,
            "vip": True,
            "renewal": None,
            "hs_buying_role": ("END_USER", "CHAMPION"),
        }
        assert {(stamped.at_ms, stamped.spread_ms) for stamped in third.fields.values()} == {(case.portal.now_ms(), 0)}

    async def test_a_property_that_is_not_in_the_answer_is_not_known(self) -> None:
        """Read as null, an archived property once emptied every user's attribute."""
        case = opened(unreadable=("contacts.seats",))
        case.catalog.replace({"contacts": ("email", "gone_property", "seats", "vip")}, {})
        (found,) = await case.account.source.read("contacts", ["1"], "live_read")
        assert isinstance(found, Seen)
        assert values(found) == {"email": "person1@example.com", "vip": None}
        assert set(found.unknown) == {"gone_property", "seats"}
        page = await case.account.source.page("contacts", None)
        assert {one.unknown for one in page.objects} == {found.unknown}

    async def test_what_an_associated_record_does_not_tell_is_not_known(self) -> None:
        case = opened(unreadable=("companies.industry",))
        case.catalog.replace({"contacts": ("email", "company.name", "company.industry")}, {})
        case.portal.associate("contacts", "1", "companies", "10")
        one, two = await case.account.source.read("contacts", ["1", "2"], "live_read")
        assert isinstance(one, Seen) and isinstance(two, Seen)
        assert (values(one)["company.name"], one.unknown) == ("Acme", ("company.industry",))
        # who has no company has no industry: that is known
        assert (values(two)["company.industry"], two.unknown) == (None, ())

    async def test_a_record_that_is_not_there_is_gone_as_of_the_answer(self) -> None:
        case = opened()
        case.portal.delete_object("contacts", "2")
        one, two, three = await case.account.source.read("contacts", ["1", "2", "999"], "live_read")
        assert isinstance(one, Seen)
        for gone, object_id in ((two, "2"), (three, "999")):
            assert isinstance(gone, Gone)
            assert (gone.object_id, gone.merged_into) == (object_id, None)
            assert gone.at_ms <= case.portal.now_ms() <= gone.at_ms + gone.spread_ms

    @pytest.mark.parametrize("resolves", [True, False])
    async def test_a_merged_record_names_its_survivor(self, resolves: bool) -> None:
        case = opened(batch_read_resolves_merged=resolves)
        survivor = case.portal.merge_objects("contacts", "1", "2")["id"]
        found = await case.account.source.read("contacts", ["1", "2", survivor, "3"], "live_read")
        assert [(item.object_id, getattr(item, "merged_into", None)) for item in found] == [
            ("1", survivor),
            ("2", survivor),
            (survivor, None),
            ("3", None),
        ]

    async def test_a_row_that_failed_is_asked_for_alone(self) -> None:
        case = opened()
        case.strike(action="row_error", object_id="1", path_contains="batch/read", body={"category": "INTERNAL"})
        (found,) = await case.account.source.read("contacts", ["1"], "live_read")
        assert isinstance(found, Seen)

    async def test_nothing_asked_is_nothing_sent(self) -> None:
        case = opened()
        assert await case.account.source.read("contacts", [], "live_read") == ()
        assert case.transport.sent == []

    async def test_errors_are_the_runners(self) -> None:
        case = opened(scopes=())
        with pytest.raises(Misconfigured, match="missing_scopes"):
            await case.account.source.read("contacts", ["1"], "live_read")
        case = opened()
        case.strike(action="status", status=503)
        with pytest.raises(ConnectorError):
            await case.account.source.read("contacts", ["1"], "live_read")


@pytest.mark.parametrize("cursors", ["plain", "opaque"])
async def test_a_crawl_sees_every_record_once(cursors: str) -> None:
    case = opened(cursors=cursors)
    for number in range(200, 350):
        case.portal.create_object("contacts", {"email": f"crawl{number}@example.com"}, object_id=str(number))
    pages, cursor = [], None
    while True:
        page = await case.account.source.page("contacts", cursor)
        pages.append(page)
        cursor = page.cursor
        if cursor is None:
            break
    ids = [found.object_id for page in pages for found in page.objects]
    assert len(pages) == 2
    assert len(ids) == len(set(ids)) == 158
    assert values(pages[0].objects[0])["email"] == "person1@example.com"
    assert case.account.source.read_size == 100


class ShortAddresses:
    """A proxy that takes 8 KB of address, as many do."""

    def __init__(self, carrier: AsgiTransport) -> None:
        self._carrier, self.refused = carrier, 0

    async def send(self, request: Request) -> Response:
        if len(request.target) > 8_000:
            self.refused += 1
            return Response(414)
        return await AsgiTransport.send(self._carrier, request)


async def test_many_mapped_properties_fit_through_a_proxy_that_takes_8_kb(monkeypatch: pytest.MonkeyPatch) -> None:
    case = opened()
    many = tuple(f"a_custom_property_with_a_long_name_{number}" for number in range(300))
    case.catalog.replace({"contacts": ("email", *many)}, {})
    short = ShortAddresses(case.transport)
    monkeypatch.setattr(case.transport, "send", short.send)
    page = await case.account.source.page("contacts", None)
    assert values(page.objects[0])["email"] == "person1@example.com"
    assert len(page.objects) == 8
    found, gone = await case.account.source.read("contacts", ["1", "404404"], "live_read")
    assert isinstance(found, Seen) and isinstance(gone, Gone)
    assert short.refused == 0
