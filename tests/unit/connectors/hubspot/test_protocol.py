"""HubSpot's protocol on small wire snippets: what is sent, and what is read out of a success."""

import inspect
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from connectors.contract.errors import ConnectorError, CredentialsRejected, Misconfigured, Refused, Transient
from connectors.http.messages import Response
from connectors.hubspot import protocol as hubspot
from connectors.hubspot.protocol import Filter, ObjectUpdate, Option, Property, Search
from tests.unit.connectors.hubspot.calls import APP, CALLS, answer, body_of


class TestRequests:
    def test_every_verb_is_listed_here(self) -> None:
        calling = {
            name
            for name, function in inspect.getmembers(hubspot, inspect.isfunction)
            if "Call[" in str(inspect.signature(function).return_annotation)
        }
        assert calling == set(CALLS)

    @pytest.mark.parametrize("version", ["2026-03", "2026-09", "v3"])
    @pytest.mark.parametrize("name", CALLS)
    def test_no_verb_makes_deletes_or_merges_a_record(self, name: str, version: str) -> None:
        request = CALLS[name].request
        *_, last = path = hubspot.spelled(request.path, version).strip("/").split("/")
        subscription = path[:2] == ["webhooks-journal", "subscriptions"]
        assert request.method in ("GET", "POST", "PATCH", *(("DELETE",) if subscription else ()))
        assert last not in ("create", "upsert", "merge", "archive")
        if path[:2] == ["crm", "objects"] or path[:3] == ["crm", "v3", "objects"]:
            assert request.method != "POST" or path[-2:] in (["batch", "read"], ["batch", "update"]) or last == "search"

    @pytest.mark.parametrize("name", [name for name in CALLS if name.startswith("send_")])
    def test_no_event_names_its_record_by_email_which_could_make_a_contact(self, name: str) -> None:
        assert '"email"' not in (CALLS[name].request.body or b"").decode()

    @pytest.mark.parametrize(
        ("name", "method", "dated", "legacy"),
        [
            ("list_objects", "GET", "/crm/objects/2026-03/contacts", "/crm/v3/objects/contacts"),
            ("get_object", "GET", "/crm/objects/2026-03/contacts/7", "/crm/v3/objects/contacts/7"),
            ("read_objects", "POST", "/crm/objects/2026-03/contacts/batch/read", "/crm/v3/objects/contacts/batch/read"),
            (
                "update_objects",
                "POST",
                "/crm/objects/2026-03/contacts/batch/update",
                "/crm/v3/objects/contacts/batch/update",
            ),
            ("search_objects", "POST", "/crm/objects/2026-03/contacts/search", "/crm/v3/objects/contacts/search"),
            ("create_property", "POST", "/crm/properties/2026-03/contacts", "/crm/v3/properties/contacts"),
            ("list_schemas", "GET", "/crm-object-schemas/2026-03/schemas", "/crm-object-schemas/v3/schemas"),
            (
                "read_associations",
                "POST",
                "/crm/associations/2026-03/contacts/companies/batch/read",
                "/crm/v4/associations/contacts/companies/batch/read",
            ),
            (
                "list_associations",
                "GET",
                "/crm/objects/2026-03/companies/7/associations/contacts",
                "/crm/v4/objects/companies/7/associations/contacts",
            ),
            ("refresh_token", "POST", "/oauth/2026-03/token", "/oauth/v3/token"),
            ("revoke_token", "POST", "/oauth/2026-03/token/revoke", "/oauth/v3/token/revoke"),
            ("introspect_token", "POST", "/oauth/2026-03/token/introspect", "/oauth/v3/token/introspect"),
            ("account_details", "GET", "/account-info/2026-03/details", "/account-info/v3/details"),
            ("send_app_events", "POST", "/integrators/timeline/2026-03/events/batch",
             "/integrators/timeline/v4/events/batch"),
            ("send_custom_events", "POST", "/events/2026-03/send/batch", "/events/v3/send/batch"),
            ("list_event_definitions", "GET", "/events/2026-03/event-definitions", "/events/v3/event-definitions"),
        ],
    )  # fmt: skip
    def test_paths_in_both_spellings(self, name: str, method: str, dated: str, legacy: str) -> None:
        request = CALLS[name].request
        assert (request.method, request.path) == (method, dated)
        assert hubspot.spelled(dated, "v3") == legacy
        assert hubspot.spelled(dated, "2026-09") == dated.replace("2026-03", "2026-09")

    def test_a_batch_update_carries_ids_values_and_a_trace(self) -> None:
        call = CALLS["update_objects"]
        properties = {"city": "Oslo", "phone": ""}
        assert body_of(call.request) == {"inputs": [{"id": "7", "properties": properties, "objectWriteTraceId": "7"}]}
        assert (call.request.kind, call.purpose) == ("write", "write")

    def test_a_batch_read_by_email_names_the_property_once(self) -> None:
        expected = {"inputs": [{"id": "a@b.c"}], "properties": ["email"], "idProperty": "email"}
        assert body_of(CALLS["read_objects"].request) == expected

    def test_a_search_has_its_own_purpose(self) -> None:
        call = CALLS["search_objects"]
        filters = [{"propertyName": "email", "operator": "IN", "values": ["a@b.c"]}]
        assert call.purpose == "search"
        assert body_of(call.request) == {
            "filterGroups": [{"filters": filters}],
            "properties": ["email"],
            "limit": 200,
            "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}],
            "after": "200",
        }

    def test_a_search_that_does_not_fit_is_refused_before_it_is_sent(self) -> None:
        emails = tuple(f"somebody{number}@example.com" for number in range(200))
        with pytest.raises(Refused, match="search_too_long"):
            hubspot.search_objects("contacts", Search(((Filter("email", "IN", values=emails),),)))

    @pytest.mark.parametrize("ids", [[], ["7", "7"], [str(number) for number in range(101)]])
    def test_a_batch_takes_one_to_a_hundred_different_ids(self, ids: list[str]) -> None:
        with pytest.raises(ValueError, match="1 to 100"):
            hubspot.read_objects("contacts", ids, [])
        with pytest.raises(ValueError, match="1 to 100"):
            hubspot.update_objects("contacts", [ObjectUpdate(id, {}) for id in ids])

    @pytest.mark.parametrize("id", ["", ".", ".."])
    def test_an_id_that_is_another_path_is_refused(self, id: str) -> None:
        with pytest.raises(Refused, match="invalid_id"):
            hubspot.get_object("contacts", id, [])

    def test_token_requests_carry_their_own_credentials_and_show_none(self) -> None:
        call = hubspot.refresh_token(APP, "refresh-secret")
        assert not call.request.authorized
        assert b"refresh_token=refresh-secret" in (call.request.body or b"")
        assert "secret" not in repr(call)
        assert "secret" not in repr(APP)

    def test_an_app_event_is_dated_in_utc(self) -> None:
        [body] = body_of(CALLS["send_app_events"].request)["inputs"]
        assert body["timestamp"] == "2023-11-14T22:13:20.123Z"
        assert (body["id"], body["objectId"], body["eventTypeName"]) == ("e1", "7", "flow_started")

    def test_the_browser_is_sent_with_scopes_separated_by_spaces(self) -> None:
        page, back = hubspot.AUTHORIZE_URL, "https://x.example/cb"
        url = hubspot.authorize_url(page, APP.client_id, back, "s1", ["oauth", "timeline"], "c-1")
        assert url.startswith("https://app.hubspot.com/oauth/authorize?")
        assert "scope=oauth%20timeline" in url
        assert "code_challenge=c-1&code_challenge_method=S256" in url
        assert "code_challenge" not in hubspot.authorize_url(page, APP.client_id, back, "s1", ["oauth"])

    def test_a_code_goes_with_the_verifier_of_its_challenge(self) -> None:
        call = hubspot.exchange_code(APP, "code-1", "https://x.example/cb", "v" * 43)
        form = parse_qs((call.request.body or b"").decode())
        assert (form["code"], form["code_verifier"]) == (["code-1"], ["v" * 43])
        assert not call.request.authorized


RECORD = {
    "id": "7",
    "properties": {"email": "a@b.c", "city": None, "score": 3},
    "createdAt": "2026-01-02T03:04:05.006Z",
    "updatedAt": "2026-01-03T03:04:05Z",
    "archived": False,
    "surprise": {"in": "2027"},
}


class TestAnswers:
    def test_a_record_keeps_texts_times_and_when_it_was_observed(self) -> None:
        call = CALLS["get_object"]
        record = call.parse(answer(200, RECORD, {"Date": "Sat, 03 Jan 2026 04:00:00 GMT"}))
        assert record.fields == {"email": "a@b.c", "city": None, "score": "3"}
        assert (record.created_at_ms, record.updated_at_ms) == (1767323045006, 1767409445000)
        assert record.observed.latest_ms == 1767412800999
        assert "a@b.c" not in repr(record)

    def test_times_of_the_future_are_none(self) -> None:
        body, headers = RECORD | {"updatedAt": "9998-01-03T03:04:05Z"}, {"Date": "Sat, 03 Jan 9998 04:00:00 GMT"}
        record = CALLS["get_object"].parse(replace(answer(200, body, headers), received_ms=1767412800000))
        assert (record.updated_at_ms, record.observed) == (None, None)
        right = replace(answer(200, RECORD), received_ms=1767412800000)
        assert CALLS["get_object"].parse(right).updated_at_ms == 1767409445000

    def test_a_record_of_a_merged_id_answers_with_the_surviving_one(self) -> None:
        assert hubspot.get_object("contacts", "5", []).parse(answer(200, RECORD)).id == "7"  # type: ignore[union-attr]

    def test_a_record_that_is_not_there_is_none(self) -> None:
        assert CALLS["get_object"].parse(answer(404, {"category": "OBJECT_NOT_FOUND"})) is None

    def test_a_page_tells_where_the_next_one_starts(self) -> None:
        page = CALLS["list_objects"].parse(answer(200, {"results": [RECORD], "paging": {"next": {"after": "8"}}}))
        assert ([record.id for record in page.records], page.after) == (["7"], "8")
        last = CALLS["search_objects"].parse(answer(200, {"total": 0, "results": []}))
        assert (last.records, last.after, last.total) == ((), None, 0)

    def test_a_partial_batch_names_the_rows_that_failed(self) -> None:
        missing = {"status": "error", "category": "OBJECT_NOT_FOUND", "context": {"ids": ["8", "9"]}}
        message = 'Property values were not valid: [{"isValid":false,"error":"INVALID_OPTION","name":"tier"}]'
        invalid = {
            "category": "VALIDATION_ERROR",
            "message": message,
            "context": {"objectWriteTraceId": ["10"]},
            "correlationId": "abc-1",
        }
        partial = answer(207, {"status": "COMPLETE", "results": [RECORD], "errors": [missing, invalid]})
        result = CALLS["update_objects"].parse(partial)
        assert [record.id for record in result.results] == ["7"]
        assert [(error.ids, error.reason, error.field) for error in result.errors] == [
            (("8", "9"), "missing", None),
            (("10",), "invalid_option", "tier"),
        ]
        assert result.errors[1].trace == "abc-1"

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("read_associations", {"results": [{"from": {"id": "7"}}]}),
            ("read_associations", {"results": [{"from": {"id": "7"}, "to": None}]}),
            ("read_associations", {"results": None}),
            ("read_objects", {"results": {}}),
            ("list_objects", {"results": None, "errors": []}),
        ],
    )
    def test_a_list_that_is_none_is_no_empty_list(self, name: str, content: object) -> None:
        with pytest.raises(Transient, match="unreadable_answer"):
            CALLS[name].parse(answer(200, content))

    def test_associations_tell_which_is_primary(self) -> None:
        types = [
            {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None},
            {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"},
        ]
        to = [{"toObjectId": 42, "associationTypes": types}, {"toObjectId": "43", "associationTypes": types[:1]}]
        read = CALLS["read_associations"].parse(answer(200, {"results": [{"from": {"id": "7"}, "to": to}]}))
        [associations] = read.results
        assert associations.from_id == "7"
        assert [(one.to_id, one.primary) for one in associations.to] == [("42", True), ("43", False)]

    def test_a_label_of_the_account_with_the_number_of_a_primary_one_is_not_primary(self) -> None:
        types = [{"category": "USER_DEFINED", "typeId": 1, "label": "Boss"}]
        page = CALLS["list_associations"].parse(
            answer(
                200, {"results": [{"toObjectId": 42, "associationTypes": types}], "paging": {"next": {"after": "x"}}}
            )
        )
        assert (page.from_id, page.to[0].primary, page.after) == ("7", False, "x")

    def test_property_definitions_keep_options_and_what_may_be_written(self) -> None:
        found = {
            "name": "tier",
            "type": "enumeration",
            "fieldType": "select",
            "options": [{"label": "Gold", "value": "gold"}],
            "modificationMetadata": {"readOnlyValue": True},
        }
        [tier, bare] = CALLS["list_properties"].parse(answer(200, {"results": [found, {"name": "x"}]}))
        assert tier == Property("tier", "enumeration", "select", options=(Option("gold", "Gold"),), read_only=True)
        assert (bare.type, bare.options, bare.read_only) == ("", (), False)

    @pytest.mark.parametrize("name", ["create_property", "create_property_group"])
    def test_what_is_there_already_is_no_error(self, name: str) -> None:
        assert CALLS[name].parse(answer(201, {})) is True
        assert CALLS[name].parse(answer(409, {"category": "OBJECT_ALREADY_EXISTS"})) is False
        with pytest.raises(Refused):
            CALLS[name].parse(answer(400, {"category": "VALIDATION_ERROR"}))

    def test_a_batch_of_app_events_with_a_known_one_is_refused_whole(self) -> None:
        assert CALLS["send_app_events"].parse(answer(200, {})) is None
        with pytest.raises(Refused) as caught:
            CALLS["send_app_events"].parse(answer(409, {}))
        assert caught.value.status == 409

    def test_event_definitions_come_with_the_name_to_send_under(self) -> None:
        found = {
            "name": "flow_started",
            "fullyQualifiedName": "pe1_flow_started",
            "labels": {"singular": "Flow Started"},
            "properties": [{"name": "flow_name", "type": "string"}],
        }
        page = CALLS["list_event_definitions"].parse(answer(200, {"results": [found]}))
        assert (page.definitions[0].full_name, page.definitions[0].properties[0].name) == (
            "pe1_flow_started",
            "flow_name",
        )

    def test_schemas_account_and_token(self) -> None:
        schema = {"objectTypeId": "2-123", "name": "car", "labels": {"singular": "Car"}}
        assert CALLS["list_schemas"].parse(answer(200, {"results": [schema]}))[0].object_type_id == "2-123"
        account = CALLS["account_details"].parse(answer(200, {"portalId": 42, "accountType": "STANDARD"}))
        assert (account.id, account.type) == ("42", "STANDARD")
        info = CALLS["introspect_token"].parse(answer(200, {"active": True, "hub_id": 42, "scopes": ["oauth"]}))
        assert (info.active, info.account, info.scopes) == (True, "42", ("oauth",))

    def test_a_grant_keeps_the_refresh_token_when_none_comes_back(self) -> None:
        grant = CALLS["refresh_token"].parse(answer(200, {"access_token": "a", "expires_in": 1800}))
        assert (grant.access_token, grant.refresh_token, grant.expires_in_s) == ("a", "refresh", 1800)

    @pytest.mark.parametrize(
        ("status", "body", "kind"),
        [
            (400, {"status": "BAD_REFRESH_TOKEN", "error": "invalid_grant"}, CredentialsRejected),
            (401, {"error": "invalid_client"}, Misconfigured),
            (503, {}, Transient),
        ],
    )
    def test_a_grant_that_is_refused(self, status: int, body: object, kind: type[ConnectorError]) -> None:
        with pytest.raises(kind):
            CALLS["refresh_token"].parse(answer(status, body))

    @pytest.mark.parametrize("name", ["list_objects", "read_objects", "update_objects", "refresh_token", "get_object"])
    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"results": [{"properties": {}}]}'])
    def test_a_success_without_content_is_no_empty_result(self, name: str, body: bytes) -> None:
        with pytest.raises(Transient, match="unreadable_answer"):
            CALLS[name].parse(Response(200, body=body))
