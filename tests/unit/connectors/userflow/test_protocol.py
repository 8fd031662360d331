"""Userflow's protocol on small wire snippets."""

import hashlib
import hmac
import inspect
import json
from typing import Any

import pytest

from connectors.contract.errors import (
    ConnectorError,
    CredentialsRejected,
    Misconfigured,
    Missing,
    RateLimited,
    Refused,
    Transient,
    UnknownResult,
)
from connectors.http.messages import Call, Headers, Response
from connectors.userflow import protocol as userflow
from connectors.userflow.protocol import Membership

ODD_ID = "a/b@c d?é"
USER: dict[str, object] = {
    "id": "u1",
    "object": "user",
    "attributes": {"email": "annie@example.com", "tags": ["a"], "signed_up_at": "2019-10-17T12:34:56.000+00:00"},
    "created_at": "2019-10-17T14:34:56.000+02:00",
    "groups": None,
    "memberships": None,
}
CALLS: dict[str, Call[Any]] = {
    "create_subscription": userflow.create_subscription("https://example.com/hook", ["user", "event"]),
    "delete_object": userflow.delete_object("users", "u1"),
    "delete_subscription": userflow.delete_subscription("w1"),
    "get_object": userflow.get_object("users", "u1"),
    "list_attribute_definitions": userflow.list_attribute_definitions("user"),
    "list_event_definitions": userflow.list_event_definitions(),
    "list_objects": userflow.list_objects("groups", starting_after="g 1"),
    "list_subscriptions": userflow.list_subscriptions(),
    "update_subscription": userflow.update_subscription("w1", disabled=False),
    "upsert_object": userflow.upsert_object("users", "u1", {"plan": "pro"}),
}


def _answer(status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    return Response(status, Headers((headers or {}).items()), json.dumps(content).encode())


def _error(code: str, message: str = "No.") -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


def _listed(*data: object, **more: object) -> dict[str, object]:
    return {"object": "list", "data": list(data), "has_more": False, "next_page_url": None} | more


class TestRequests:
    def test_every_verb_is_listed_here(self) -> None:
        calling = {
            name
            for name, function in inspect.getmembers(userflow, inspect.isfunction)
            if "Call[" in str(inspect.signature(function).return_annotation)
        }
        assert calling == set(CALLS)

    def test_an_upsert_holds_id_and_attributes_and_nothing_that_makes_another_object(self) -> None:
        call = userflow.upsert_object(
            "users", ODD_ID, {"seen_at": userflow.change("2026-01-02", "datetime"), "x": None}
        )
        attributes = {"seen_at": {"set": "2026-01-02", "data_type": "datetime"}, "x": None}
        assert json.loads(call.request.body or b"") == {"id": ODD_ID, "attributes": attributes}
        assert (call.request.method, call.request.path, call.request.kind) == ("POST", "/users", "write")

    def test_ids_are_encoded_in_paths(self) -> None:
        assert userflow.get_object("groups", ODD_ID).request.path == "/groups/a%2Fb%40c%20d%3F%C3%A9"

    @pytest.mark.parametrize("id", ["", ".", ".."])
    def test_an_id_that_is_another_path_is_refused(self, id: str) -> None:
        for make in (userflow.get_object, userflow.delete_object):
            with pytest.raises(Refused, match="invalid_id"):
                make("users", id)
        with pytest.raises(Refused, match="invalid_id"):
            userflow.upsert_object("users", id, {})

    def test_a_list_is_ordered_by_creation_which_is_never_null(self) -> None:
        query = dict(CALLS["list_objects"].request.query)
        assert query == {"limit": "100", "order_by": "created_at", "starting_after": "g 1"}
        assert dict(userflow.list_objects("users", email="a+b@c.d").request.query)["email"] == "a+b@c.d"
        assert "email=a%2Bb%40c.d" in userflow.list_objects("users", email="a+b@c.d").request.target

    def test_purposes(self) -> None:
        assert CALLS["list_objects"].purpose == "bulk_read"
        assert CALLS["get_object"].purpose == "live_read"
        assert CALLS["upsert_object"].purpose == "write"

    def test_an_instant_is_written_as_userflow_writes_its_own(self) -> None:
        assert userflow.instant_text(1_669_725_296_000) == "2022-11-29T12:34:56.000+00:00"


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201])
    def test_a_record_keeps_raw_attributes_and_when_it_was_observed(self, status: int) -> None:
        record = CALLS["upsert_object"].parse(_answer(status, USER, {"Date": "Sat, 03 Jan 2026 04:00:00 GMT"}))
        assert record.attributes == USER["attributes"]
        assert (record.kind, record.id, record.created_at_ms) == ("users", "u1", 1_571_315_696_000)
        assert record.observed.latest_ms == 1_767_412_800_999
        assert record.memberships is None
        assert "annie" not in repr(record)

    def test_memberships_are_read_when_they_were_asked_for(self) -> None:
        call = userflow.get_object("users", "u1", memberships=True)
        assert ("expand", "memberships") in call.request.query
        membership = {"id": "m1", "user_id": "u1", "group_id": "g1"}
        with_one = call.parse(_answer(200, USER | {"memberships": [membership]}))
        without = call.parse(_answer(200, USER | {"memberships": []}))
        assert with_one is not None
        assert without is not None
        assert with_one.memberships == (Membership("u1", "g1"),)
        assert without.memberships == ()

    @pytest.mark.parametrize(
        "answer",
        [
            _answer(404, _error("not_found")),
            Response(404),
            _answer(400, _error("invalid_params", "User with id 'u1' not found")),
        ],
    )
    def test_an_object_that_is_not_there_is_none(self, answer: Response) -> None:
        assert CALLS["get_object"].parse(answer) is None

    def test_a_refused_parameter_is_not_a_missing_object(self) -> None:
        with pytest.raises(Refused, match="invalid_params"):
            CALLS["get_object"].parse(_answer(400, _error("invalid_params", "`expand` is not valid")))

    def test_a_page_of_something_else_is_not_a_missing_object(self) -> None:
        with pytest.raises(Misconfigured, match="not_this_api"):
            CALLS["get_object"].parse(Response(404, body=b"<html>nginx</html>"))

    @pytest.mark.parametrize(
        ("more", "cursor"),
        [
            ({"next_page_url": "/groups?limit=100&starting_after=u%201"}, "u1"),
            ({"next_page_url": "https://evil.example/groups?starting_after=u2&x=1"}, "u1"),
            ({"next_page_url": "/groups?page=2", "has_more": True}, "u1"),
            ({"next_page_url": None, "has_more": True}, "u1"),
            ({"next_page_url": None, "has_more": False}, None),
        ],
    )
    def test_the_last_object_is_the_cursor(self, more: dict[str, object], cursor: str | None) -> None:
        page = CALLS["list_objects"].parse(_answer(200, _listed(USER, **more)))
        assert ([record.id for record in page.records], page.next_cursor) == (["u1"], cursor)

    def test_an_empty_page_is_the_last(self) -> None:
        page = CALLS["list_objects"].parse(_answer(200, _listed(has_more=True)))
        assert (page.records, page.next_cursor) == ((), None)

    def test_a_deleted_cursor_has_its_own_reason(self) -> None:
        message = "`starting_after`: User with id 'u1' not found"
        with pytest.raises(Refused, match="cursor_gone"):
            CALLS["list_objects"].parse(_answer(400, _error("invalid_params", message)))

    @pytest.mark.parametrize(
        ("answer", "deleted"),
        [
            (_answer(200, {"id": "u1", "deleted": True}), True),
            (Response(204), True),
            (_answer(404, _error("not_found")), False),
        ],
    )
    @pytest.mark.parametrize("name", ["delete_object", "delete_subscription"])
    def test_deleting(self, name: str, answer: Response, deleted: bool) -> None:
        assert CALLS[name].parse(answer) is deleted

    def test_attribute_definitions_of_another_scope_are_left_out(self) -> None:
        own = {"id": "1", "name": "plan", "data_type": "string", "display_name": "Plan", "scope": "user"}
        other = own | {"id": "2", "name": "seats", "scope": "group"}
        page = CALLS["list_attribute_definitions"].parse(_answer(200, _listed(own, other, has_more=True)))
        assert [(one.name, one.data_type) for one in page.definitions] == [("plan", "string")]
        assert page.next_cursor == "2"

    def test_event_definitions_have_the_name_people_see(self) -> None:
        page = CALLS["list_event_definitions"].parse(
            _answer(200, _listed({"id": "1", "name": "flow_started", "display_name": "Flow Started"}))
        )
        assert [(one.name, one.display_name) for one in page.definitions] == [("flow_started", "Flow Started")]

    def test_subscriptions_with_and_without_secret(self) -> None:
        found = {"id": "w1", "url": "https://x", "topics": ["user"], "disabled": True, "secret": "whsec"}
        made = CALLS["create_subscription"].parse(_answer(201, found))
        assert (made.id, made.topics, made.disabled, made.secret) == ("w1", ("user",), True, "whsec")
        assert "whsec" not in repr(made)
        del found["secret"]
        page = CALLS["list_subscriptions"].parse(_answer(200, _listed(found)))
        assert page.subscriptions[0].secret is None

    @pytest.mark.parametrize("name", ["get_object", "upsert_object", "list_objects", "create_subscription"])
    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"data": {}, "id": ""}'])
    def test_a_success_without_content_is_no_empty_result(self, name: str, body: bytes) -> None:
        with pytest.raises(Transient, match="unreadable_answer"):
            CALLS[name].parse(Response(200, body=body))


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "body", "kind", "reason"),
        [
            (401, {}, CredentialsRejected, "unauthorized"),
            (403, _error("forbidden"), CredentialsRejected, "forbidden"),
            (404, _error("not_found"), Missing, "missing"),
            (400, _error("invalid_params", "`attributes.plan`: must be a number"), Refused, "invalid_params"),
            (422, {}, Refused, "http_422"),
            (400, _error("what ann@example.com did"), Refused, "http_400"),
            (429, {}, RateLimited, "rate_limited"),
            (503, {}, RateLimited, "http_503"),
            (500, {}, UnknownResult, "http_500"),
            (504, {}, UnknownResult, "http_504"),
            (301, {}, Misconfigured, "redirected"),
        ],
    )
    def test_a_status_says_what_to_do_next(
        self, status: int, body: object, kind: type[ConnectorError], reason: str
    ) -> None:
        with pytest.raises(ConnectorError) as caught:
            CALLS["upsert_object"].parse(_answer(status, body))
        assert (type(caught.value), caught.value.reason) == (kind, reason)
        assert "ann@" not in str(caught.value)

    @pytest.mark.parametrize(("header", "wait_s"), [("3", 3.0), ("soon", None), (None, None), ("-1", 0.0)])
    def test_retry_after_is_honoured_when_it_is_there(self, header: str | None, wait_s: float | None) -> None:
        with pytest.raises(RateLimited) as caught:
            CALLS["get_object"].parse(_answer(429, {}, {"Retry-After": header} if header else {}))
        assert caught.value.wait_s == wait_s

    def test_a_refusal_names_the_field_it_blames(self) -> None:
        with pytest.raises(Refused) as caught:
            CALLS["upsert_object"].parse(_answer(400, _error("invalid_params", "`attributes.plan`: no number")))
        assert (caught.value.field, caught.value.object_id) == ("plan", "u1")

    def test_a_server_error_on_a_read_leaves_nothing_open(self) -> None:
        with pytest.raises(Transient):
            CALLS["get_object"].parse(_answer(500, {}))


NOW_S = 1_700_000_000
BODY = b'{"id":"n1"}'
SECRET = "whsec"  # noqa: S105  made up


def _signed(time: str = str(NOW_S), body: bytes = BODY) -> str:
    return hmac.new(SECRET.encode(), time.encode() + b"." + body, hashlib.sha256).hexdigest()


class TestSignatures:
    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            (f"t={NOW_S},v1={_signed()}", None),
            (f"t={NOW_S}, v1={_signed()}, v2=later", None),
            (f"t={NOW_S},v1=0000,v1={_signed()}", None),
            (f"t={NOW_S},v1={_signed().upper()}", None),
            (None, "missing"),
            ("", "missing"),
            (f"v1={_signed()}", "malformed"),
            (f"t={NOW_S}", "malformed"),
            (f"t=now,v1={_signed('now')}", "malformed"),
            (f"t={NOW_S},t={NOW_S},v1={_signed()}", "malformed"),
            (f"t={NOW_S - 301},v1={_signed(str(NOW_S - 301))}", "stale"),
            (f"t={NOW_S + 301},v1={_signed(str(NOW_S + 301))}", "stale"),
            (f"t={NOW_S - 299},v1={_signed(str(NOW_S - 299))}", None),
            (f"t={NOW_S},v1={_signed(body=BODY + b' ')}", "mismatch"),
            (f"t={NOW_S},v1={_signed(body=b'{}')}", "mismatch"),
            (f"t={NOW_S},v1=é", "mismatch"),
        ],
    )
    def test_a_signature_holds_or_says_why_not(self, header: str | None, reason: str | None) -> None:
        verdict = userflow.verify_signature(header, BODY, SECRET, float(NOW_S))
        assert (verdict.reason, bool(verdict)) == (reason, reason is None)

    def test_another_secret_does_not_fit(self) -> None:
        assert not userflow.verify_signature(f"t={NOW_S},v1={_signed()}", BODY, "another", float(NOW_S))

    def test_a_signature_computed_by_hand(self) -> None:
        """Computed with openssl dgst -sha256 -hmac whsec over `1700000000.{"id":"n1"}`."""
        by_openssl = "3897673bead02f754ade3825d2e737162d6ba063e2891b9656ccad7d78ad49d0"
        assert userflow.verify_signature(f"t={NOW_S},v1={by_openssl}", BODY, SECRET, float(NOW_S))


def _notification(subject: dict[str, object], topic: str = "user.updated", **data: object) -> dict[str, Any]:
    return {
        "id": "n1",
        "object": "webhook_notification",
        "created_at": "2022-11-29T12:34:56.000+00:00",
        "topic": topic,
        "data": {"object": subject, **data},
    }


EVENT: dict[str, object] = {
    "id": "4738382",
    "object": "event",
    "name": "flow_completed",
    "attributes": {"flow_name": "Tour"},
    "created_at": "2022-11-29T12:34:57.000+00:00",
    "time": "2022-11-29T12:34:56.000+00:00",
    "user_id": "u1",
    "group_id": None,
}


class TestNotifications:
    def test_a_user_as_it_is_now(self) -> None:
        (found,) = userflow.parse_notifications(json.dumps(_notification(USER)).encode())
        assert found.record is not None
        assert (found.id, found.record.kind, found.record.id, found.event) == ("n1", "users", "u1", None)
        assert found.created_at_ms == 1_669_725_296_000

    @pytest.mark.parametrize("topic", ["event.tracked", "event.tracked.flow_completed", "*"])
    def test_an_event_is_one_by_its_object_not_by_its_topic(self, topic: str) -> None:
        (found,) = userflow.parse_notifications(json.dumps(_notification(EVENT, topic)).encode())
        assert found.event is not None
        event = found.event
        assert (event.id, event.name, event.user_id, event.group_id) == ("4738382", "flow_completed", "u1", None)
        assert (event.time_ms, event.attributes) == (1_669_725_296_000, {"flow_name": "Tour"})

    def test_changed_attributes_in_either_place(self) -> None:
        changed: dict[str, Any] = {"previous_attributes": {"plan": "a"}, "updated_attributes": {"plan": "b"}}
        (inside,) = userflow.parse_notifications(json.dumps(_notification(USER, **changed)).encode())
        (outside,) = userflow.parse_notifications(json.dumps(_notification(USER) | changed).encode())
        (neither,) = userflow.parse_notifications(json.dumps(_notification(USER)).encode())
        assert inside.previous == outside.previous == {"plan": "a"}
        assert inside.updated == outside.updated == {"plan": "b"}
        assert (neither.previous, neither.updated) == ({}, {})

    def test_a_group_and_a_topic_yet_to_come(self) -> None:
        group = USER | {"object": "group", "id": "g1"}
        (found,) = userflow.parse_notifications(json.dumps(_notification(group, "group.deleted")).encode())
        assert found.record is not None
        assert (found.record.kind, found.deleted) == ("groups", True)
        (other,) = userflow.parse_notifications(json.dumps(_notification({"object": "content"})).encode())
        assert (other.record, other.event) == (None, None)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{}",
            json.dumps(_notification({"object": "user"})).encode(),
            json.dumps(_notification({"object": "event", "id": "1"})).encode(),
            json.dumps(_notification({"id": "1", "attributes": {}})).encode(),
            b'{"id": "1"}',
            b'{"id": "1", "topic": "user.updated", "data": null}',
            b'{"id": "1", "topic": "event.tracked", "data": {"object": []}}',
        ],
    )
    def test_what_cannot_be_read_is_refused(self, body: bytes) -> None:
        with pytest.raises(Refused, match="malformed_notification"):
            userflow.parse_notifications(body)
