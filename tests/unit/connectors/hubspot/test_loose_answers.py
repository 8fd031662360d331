"""HubSpot's answers where its documents leave something open: read liberally, and nothing unknown counts as empty."""

import json
from dataclasses import replace
from typing import Any

import pytest

from connectors.contract.account import Account
from connectors.contract.catalog import Catalog
from connectors.contract.errors import ConnectorError, Missing, Transient
from connectors.contract.sink import Answered
from connectors.contract.source import Gone, News, Seen
from connectors.http.messages import Request, Response
from connectors.hubspot import protocol as hubspot
from connectors.hubspot.account import assemble
from connectors.hubspot.definitions import field_type
from connectors.hubspot.journal_files import JournalFiles
from schemas.records import Notification
from schemas.values import FieldDefinition
from tests.unit.connectors.hubspot.account import opened, opening, write
from tests.unit.connectors.hubspot.calls import CALLS
from tests.unit.connectors.hubspot.test_polling import polled
from tests.unit.connectors.scripted import Scripted, answer

AT_MS = 1_800_000_000_000
EMAIL = FieldDefinition("email", "string", unique=True)


def account_on(transport: Scripted, *wanted: str) -> Account:
    catalog = Catalog()
    catalog.replace({"contacts": wanted or ("email",)}, {})
    return assemble(opening(catalog), transport, JournalFiles("http://localhost", opened=lambda *_: transport))


def contact(id: object, **more: object) -> dict[str, object]:
    return {"id": id, "properties": {"email": f"person{id}@example.com"}, "updatedAt": "2026-01-01T00:00:00Z", **more}


LISTS = [
    "list_objects",
    "search_objects",
    "list_associations",
    "list_event_definitions",
    "list_journal_subscriptions",
    "list_owners",
    "list_pipelines",
    "list_properties",
    "list_schemas",
]


class TestLists:
    @pytest.mark.parametrize("name", LISTS)
    @pytest.mark.parametrize("lacking", [{}, {"results": None}, {"results": {}}])
    def test_an_error_that_says_200_is_no_empty_list(self, name: str, lacking: dict[str, object]) -> None:
        """A crawl of such an answer was completed, with nothing read."""
        error = {"status": "error", "message": "x", "errors": [{"message": "x"}]}
        with pytest.raises(Transient, match="unreadable_answer"):
            CALLS[name].parse(answer(error | lacking))

    @pytest.mark.parametrize(
        ("following", "cursor"),
        [
            ({"after": "7"}, "7"),
            ({"after": 7}, "7"),
            ({"link": "https://api.hubapi.com/crm/v3/objects/contacts?limit=1&after=a%2Bb%3D"}, "a+b="),
            ({"link": "?after=7", "after": None}, "7"),
            ({}, None),
            (None, None),
            ({"after": None}, None),
            ({"after": "", "link": ""}, None),
        ],
    )
    def test_the_next_page_is_named_by_its_cursor_or_its_link(self, following: Any, cursor: str | None) -> None:
        page = CALLS["list_objects"].parse(answer({"results": [contact(1)], "paging": {"next": following}}))
        assert page.after == cursor

    @pytest.mark.parametrize("following", [{"link": "https://api.hubapi.com/next"}, {"after": {"id": 7}}])
    def test_a_next_page_that_nobody_can_name_is_no_end(self, following: object) -> None:
        with pytest.raises(Transient, match="unreadable_answer"):
            CALLS["list_objects"].parse(answer({"results": [contact(1)], "paging": {"next": following}}))

    async def test_archived_rows_are_no_objects_and_a_page_of_them_is_not_empty(self) -> None:
        page = {"results": [contact(1, archived=True), contact(2, archived="true")], "paging": {"next": {"after": 3}}}
        found = await account_on(Scripted(lambda _: answer(page))).source.page("contacts", None)
        assert (found.objects, found.cursor, found.first_id) == ([], "3", "1")

    async def test_a_bin_that_shows_the_living_tells_of_no_deletion(self) -> None:
        """A list that ignores `archived` would have every record deleted."""
        case, fed = await polled()
        send = case.transport.send

        async def living(request: Request) -> Response:
            query = tuple(pair for pair in request.query if pair != ("archived", "true"))
            return await send(Request(request.method, request.path, query, request.headers, request.body))

        case.transport.send = living  # type: ignore[method-assign]
        for _ in range(3):
            case.now.pass_ms(120_000)
            await fed.round()
        assert [one for one in fed.news() if one.operation == "deleted"] == []


class TestRecords:
    async def test_a_batch_of_one_that_is_not_there_may_be_answered_by_404(self) -> None:
        transport = Scripted(lambda _: answer({"category": "OBJECT_NOT_FOUND"}, 404))
        source = account_on(transport).source
        assert [type(one) for one in await source.read("contacts", ["7"], "live_read")] == [Gone]
        assert await source.look_up("contacts", EMAIL, ["a@example.com"], "live_read") == []
        with pytest.raises(Missing):  # of which others may be there: whoever asks halves them
            await source.look_up("contacts", EMAIL, ["a@example.com", "b@example.com"], "live_read")

    @pytest.mark.parametrize("value", [{"value": "a@example.com"}, ["a@example.com"], {}])
    async def test_a_value_that_is_no_text_is_not_known(self, value: object) -> None:
        row = contact(7) | {"properties": {"email": value, "city": "Oslo"}}
        source = account_on(Scripted(lambda _: answer({"results": [row]})), "email", "city").source
        (found,) = await source.read("contacts", ["7"], "live_read")
        assert isinstance(found, Seen)
        assert ([*found.fields], found.unknown) == (["city"], ("email",))

    @pytest.mark.parametrize("status", [200, 207])
    def test_a_batch_whose_rows_all_failed_may_hold_no_results(self, status: int) -> None:
        body = {"results": None, "numErrors": 1, "errors": [{"category": "OBJECT_NOT_FOUND", "context": {"ids": [7]}}]}
        read = CALLS["read_objects"].parse(answer(body, status))
        assert (read.results, [(one.ids, one.reason) for one in read.errors]) == ((), [(("7",), "missing")])

    @pytest.mark.parametrize("status", [202, 204])
    async def test_a_write_is_done_though_its_answer_shows_nothing(self, status: int) -> None:
        """It was repeated seven times, and ended as a dead letter."""
        transport = Scripted(lambda _: answer(b"", status))
        results = await account_on(transport).sink.write([write("7", email="a@example.com")], lambda: True)
        assert [(type(one), dict(one.stored)) for one in results if isinstance(one, Answered)] == [
            (Answered, {"email": "a@example.com"})
        ]
        assert len(transport.sent) == 1


class TestAssociations:
    @pytest.mark.parametrize("named", [{}, {"toObjectId": None}, {"toObjectId": ""}, {"id": {}}])
    def test_one_that_nobody_can_name_is_not_left_out(self, named: dict[str, object]) -> None:
        """It may be the primary one: records would show what another holds."""
        row = {"from": {"id": "7"}, "to": [named, {"toObjectId": 8}]}
        with pytest.raises(Transient, match="unreadable_answer"):
            CALLS["read_associations"].parse(answer({"results": [row]}))

    @pytest.mark.parametrize(
        "types",
        [
            {"associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 1}]},
            {"associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": "1", "label": None}]},
            {"types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]},
        ],
    )
    def test_the_primary_one_is_known_by_either_form(self, types: dict[str, object]) -> None:
        row = {"from": {"id": 7}, "to": [{"id": 9}, {"id": "10", **types}]}
        (read,) = CALLS["read_associations"].parse(answer({"results": [row]})).results
        assert [(one.to_id, one.primary) for one in read.to] == [("9", False), ("10", True)]


class TestDefinitions:
    def read(self, **property: object) -> tuple[hubspot.Property, ...]:
        row = {"name": "tier", "type": "enumeration", "fieldType": "select", **property}
        found: tuple[hubspot.Property, ...] = CALLS["list_properties"].parse(answer({"results": [row]}))
        return found

    def test_options_of_any_kind_are_their_texts(self) -> None:
        (found,) = self.read(options=[{"value": True}, {"value": 2}, {"value": 2.5}, {"value": "x", "hidden": True}])
        assert [option.value for option in found.options] == ["true", "2", "2.5", "x"]

    @pytest.mark.parametrize("told", [{}, {"options": None}])
    def test_a_choice_whose_options_are_not_told_is_hubspots_to_judge(self, told: dict[str, object]) -> None:
        assert [(one.options, one.external) for one in self.read(**told)] == [((), True)]

    @pytest.mark.parametrize("options", [None, [], [{"value": True}, {"value": False}]])
    def test_a_single_checkbox_is_a_yes_or_no_whatever_its_options_say(self, options: object) -> None:
        (found,) = self.read(fieldType="booleancheckbox", options=options)
        assert field_type(found) == "boolean"

    def test_an_archived_property_among_the_living_is_none_of_them(self) -> None:
        assert self.read(archived=True) == ()

    @pytest.mark.parametrize(
        "told",
        [
            {"scopes": ["oauth", "crm.objects.contacts.read"]},
            {"scope": "oauth crm.objects.contacts.read"},
            {"scopes": None, "scope": "oauth,crm.objects.contacts.read"},
            {"scopes": "oauth crm.objects.contacts.read"},
        ],
    )
    @pytest.mark.parametrize("name", ["refresh_token", "introspect_token"])
    def test_scopes_are_a_list_or_the_text_that_oauth_has(self, name: str, told: dict[str, object]) -> None:
        found = CALLS[name].parse(answer({"access_token": "a", "active": True, **told}))
        assert found.scopes == ("oauth", "crm.objects.contacts.read")


def news_of(**told: object) -> list[News]:
    body = json.dumps({"portalId": "12345678", "objectId": 1, "occurredAt": AT_MS, **told}).encode()
    translated = opened().account.source.translate(Notification("acme", "hubspot", body, {}, AT_MS))
    assert translated.unreadable == 0
    return list(translated.news)


TO_BE_READ = [News("contacts", "1", "upserted", {}, 0, 0, complete=False)]


class TestWebhooks:
    @pytest.mark.parametrize("kind", ["contact.propertyChange", "CONTACT.PROPERTYCHANGE", "Contact.propertychange"])
    def test_the_type_is_read_in_any_case(self, kind: str) -> None:
        (news,) = news_of(subscriptionType=kind, propertyName="jobtitle", propertyValue="Chief")
        assert (news.object_type, news.fields["jobtitle"].value) == ("contacts", "Chief")

    @pytest.mark.parametrize("type_id", ["contact", "CONTACT", "0-1"])
    def test_the_object_type_is_named_by_number_or_word(self, type_id: str) -> None:
        (news,) = news_of(subscriptionType="object.deletion", objectTypeId=type_id)
        assert (news.object_type, news.operation) == ("contacts", "deleted")

    @pytest.mark.parametrize("kind", ["contact.propertyChange", "contact.listMembershipChange", "object.somethingNew"])
    def test_what_is_not_told_is_read(self, kind: str) -> None:
        assert [
            replace(one, of_deletion=False) for one in news_of(subscriptionType=kind, objectTypeId="0-1")
        ] == TO_BE_READ

    @pytest.mark.parametrize("at_ms", [0, 1, AT_MS // 1_000, AT_MS - 5 * 86_400_000, AT_MS + 2 * 86_400_000])
    def test_a_time_that_is_none_of_its_own_has_the_record_read(self, at_ms: int) -> None:
        """By a time in seconds, or a constant one, each change was stale at once and lost."""
        told = {"propertyName": "jobtitle", "propertyValue": "Chief", "occurredAt": at_ms}
        assert news_of(subscriptionType="contact.propertyChange", **told) == TO_BE_READ

    @pytest.mark.parametrize("at_ms", [1, None, "9998-01-01T00:00:00Z"])
    def test_a_deletion_at_no_time_is_borne_out_by_a_read_that_finds_none(self, at_ms: object) -> None:
        """It held its partition's commits for 72 s."""
        (news,) = news_of(subscriptionType="contact.deletion", occurredAt=at_ms)
        assert (news.operation, news.at_ms, news.complete, news.of_deletion) == ("upserted", 0, False, True)

    def test_a_late_one_keeps_its_time(self) -> None:
        told = {"propertyName": "jobtitle", "propertyValue": "Chief", "occurredAt": AT_MS - 3 * 86_400_000}
        (news,) = news_of(subscriptionType="contact.propertyChange", **told)
        assert news.at_ms == AT_MS - 3 * 86_400_000


def test_no_other_success_is_read_as_a_write_that_is_done() -> None:
    with pytest.raises(ConnectorError):
        CALLS["update_objects"].parse(answer(b"", 200))
