"""Of each record that names an erased contact nothing is left, and all others stay to the byte."""

import json
from dataclasses import replace
from typing import Any

import pytest

from connectors.hubspot.protocol.notifications import without_object as hubspot_without
from connectors.userflow.protocol.webhooks import without_object as userflow_without
from pipeline.agents.step import Incoming
from pipeline.erasure.traces import Traces
from schemas.codec import Codec
from schemas.erasures import Erasure, pair_hash
from schemas.letters import letter_about
from schemas.records import (
    ActivityEvent,
    Cause,
    ConnectorRequest,
    FieldPatch,
    Notification,
    StateCommand,
    TimelineEvent,
)
from schemas.registry import LocalRegistry
from schemas.topics import DEAD_LETTERS, object_key, pair_key
from tests.unit.pipeline.core.given import CONTACT, EMAIL, USER, contact, joined, receipt, user

T = 1_700_000_000_000
VALUE = "Countess of Lovelace"
PAIR = pair_key("acme", 1, "people", EMAIL)
CONTACT_KEY = object_key("acme", 1, "hubspot", "contacts", CONTACT)
USER_KEY = object_key("acme", 1, "userflow", "users", USER)
SALT = b"0123456789abcdef"
OF_CONTACT = Erasure("acme", 1, "hubspot", "contacts", CONTACT, T, SALT, (pair_hash(SALT, PAIR),))
OF_USER = Erasure("acme", 1, "userflow", "users", USER, T, SALT, (pair_hash(SALT, PAIR),), for_ever=False)
CODEC = Codec(LocalRegistry())
TRACES = Traces(CODEC, {"hubspot": hubspot_without, "userflow": userflow_without}, (OF_CONTACT, OF_USER))
BEFORE, AFTER = Cause("t", 0, 1, T - 1), Cause("t", 0, 2, T + 1)
PATCH = FieldPatch("acme", 1, 1, "people", EMAIL, "userflow", "users", USER, {"title": VALUE}, caused_by=BEFORE)
EVENT = TimelineEvent("acme", 1, 1, "people", EMAIL, "contacts", CONTACT, "e", "flow", T, {}, caused_by=BEFORE)


def without(topic: str, key: str, record: Any) -> Any:
    """The record that is left, or None."""
    value = CODEC.encode(topic, record)
    left = TRACES.without(topic, key, value)
    if left is None:
        return None
    return record if left == value else CODEC.decode(topic, left)


@pytest.mark.parametrize(
    ("topic", "key", "record"),
    [
        ("hubspot.changes", CONTACT_KEY, contact(T - 5, {"jobtitle": VALUE})),
        ("hubspot.changes", CONTACT_KEY, replace(contact(T + 5, {"jobtitle": VALUE}), caused_by=AFTER)),
        ("userflow.changes", USER_KEY, replace(user(T - 5, {"title": VALUE}), caused_by=BEFORE)),
        ("userflow.activity", USER_KEY, ActivityEvent("acme", 1, "a", "flow", USER, None, T, {}, BEFORE)),
        ("sync.matches", PAIR, replace(joined("hubspot", CONTACT, T, {"jobtitle": VALUE}), caused_by=BEFORE)),
        ("sync.matches", PAIR, replace(joined("hubspot", "102", T, {}), caused_by=BEFORE)),
        ("sync.receipts", PAIR, replace(receipt("userflow", USER, {"title": VALUE}), caused_by=BEFORE)),
        ("userflow.field-patches", "acme", PATCH),
        ("hubspot.timeline-events", "acme", EVENT),
        ("hubspot.requests", "acme", ConnectorRequest("acme", 1, "lookup", "contacts", (EMAIL,), "email", "people")),
        ("sync.state-commands", "partition-0", StateCommand("acme", 1, "pairs", "rederive", cursor=PAIR)),
        ("sync.state-commands", CONTACT_KEY, StateCommand("acme", 1, "objects", "stream", event=EVENT)),
        ("hubspot.notifications", "acme", Notification("acme", "hubspot", b"[]", {}, T)),
    ],
)
def test_what_names_the_contact_or_its_pair_goes(topic: str, key: str, record: Any) -> None:
    if isinstance(record, Notification):
        record = replace(record, body=json.dumps([_event(CONTACT)]).encode())
    assert without(topic, key, record) is None


@pytest.mark.parametrize(
    ("topic", "key", "record"),
    [
        ("hubspot.changes", "acme:1:hubspot:contacts:102", contact(T, {}, id="102")),
        ("hubspot.changes", "acme:2:hubspot:contacts:101", replace(contact(T, {}), connection=2)),
        ("hubspot.changes", "beta:1:hubspot:contacts:101", replace(contact(T, {}), integration="beta")),
        ("userflow.changes", USER_KEY, replace(user(T + 5, {"title": VALUE}), caused_by=AFTER)),
        ("sync.matches", PAIR, replace(joined("userflow", USER, T, {}), caused_by=AFTER)),
        ("userflow.field-patches", "acme", replace(PATCH, match_value="bob@example.com", object_id="u-bob")),
        ("hubspot.requests", "acme", ConnectorRequest("acme", 1, "reread", "contacts", (CONTACT,))),
        ("hubspot.requests", "acme", ConnectorRequest("acme", 1, "lookup", "contacts", ("b@c.d",), "email", "people")),
        ("sync.state-commands", "partition-0", StateCommand("acme", 1, "pairs", "rederive")),
    ],
)
def test_everything_else_stays(topic: str, key: str, record: Any) -> None:
    assert without(topic, key, record) == record


def test_a_webhook_keeps_its_other_events() -> None:
    body = json.dumps([_event("102"), _event(CONTACT), _event("103")]).encode()
    left = without("hubspot.notifications", "acme", Notification("acme", "hubspot", body, {"a": "b"}, T))
    assert [event["objectId"] for event in json.loads(left.body)] == ["102", "103"]
    assert VALUE not in str(json.loads(left.body)[0]) or "102" in str(json.loads(left.body)[0])


@pytest.mark.parametrize("name", ["journalEvents", "polledEvents"])
def test_what_a_poll_told_keeps_its_other_events(name: str) -> None:
    from connectors.hubspot.protocol.journal import JOURNAL_EVENTS
    from connectors.hubspot.protocol.notifications import POLLED_EVENTS

    key = JOURNAL_EVENTS if name == "journalEvents" else POLLED_EVENTS
    body = json.dumps({key: [_event("102"), _event(CONTACT)]}).encode()
    left = hubspot_without(body, "contacts", CONTACT)
    assert left is not None
    assert [event["objectId"] for event in json.loads(left)[key]] == ["102"]
    assert hubspot_without(json.dumps({key: [_event(CONTACT)]}).encode(), "contacts", CONTACT) is None


@pytest.mark.parametrize("escaped", [True, False])
def test_an_id_is_found_however_json_spells_it(escaped: bool) -> None:
    erasure = replace(OF_USER, object_id="zoë")
    body = json.dumps({"data": {"object": {"id": "zoë"}}}, ensure_ascii=escaped).encode()
    record = Notification("acme", "userflow", body, {}, T)
    traces = Traces(CODEC, {"hubspot": hubspot_without, "userflow": userflow_without}, (erasure,))
    topic = "userflow.notifications"
    assert traces.without(topic, "acme", CODEC.encode(topic, record)) is None


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"data": {"object": {"id": "a/b&c"}}}).replace("/", "\\/").encode(),
        json.dumps({"data": {"object": {"id": "a/b&c"}}}).replace("&", "\\u0026").encode(),
        json.dumps({"data": {"object": {"of": [{"user_id": "a/b&c"}]}}}).encode(),
    ],
)
def test_an_id_is_found_as_rails_and_others_escape_it(body: bytes) -> None:
    traces = Traces(CODEC, {"userflow": userflow_without}, (replace(OF_USER, object_id="a/b&c"),))
    record = CODEC.encode("userflow.notifications", Notification("acme", "userflow", body, {}, T))
    assert traces.without("userflow.notifications", "acme", record) is None


def test_an_id_that_is_told_as_a_number_is_found() -> None:
    body = b'{"data": {"object": {"object": "user", "id": 101}}}'
    assert userflow_without(body, "users", "101") is None
    assert userflow_without(body, "users", "10") == body


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b'[{"portalId": 1, "objectId": 101, "propertyValue": "Countess', None),
        (b'[{"portalId": 1, "objectId": 1012, "propertyValue": "Countess', "itself"),
        (b'[{"objectId": 101, "propertyValue": "Countess"}, {"objectId": 102}]', b'[{"objectId":102}]'),
        (b'[{"portalId": 1, "objectId": "101", "propertyName": "jobtitle"}, "odd"]', b'["odd"]'),
    ],
)
def test_of_what_nobody_can_read_nothing_is_left_that_names_the_contact(body: bytes, left: bytes | str | None) -> None:
    assert hubspot_without(body, "contacts", CONTACT) == (body if left == "itself" else left)


def test_a_webhook_of_the_user_goes_if_it_came_before() -> None:
    body = json.dumps({"topic": "user.updated", "data": {"object": {"id": USER, "attributes": {"t": VALUE}}}}).encode()
    early, late = (Notification("acme", "userflow", body, {}, at) for at in (T, T + 1))
    assert without("userflow.notifications", "acme", early) is None
    assert without("userflow.notifications", "acme", late) == late


def test_a_dead_letter_goes_with_the_record_it_repeats_or_keeps_the_rest_of_it() -> None:
    patch = located("userflow.field-patches", PATCH)
    letter = letter_about(patch, "userflow.sink", "invalid_value", "refused", T, about=PATCH)
    assert without(DEAD_LETTERS, "acme", letter) is None
    body = json.dumps([_event("102"), _event(CONTACT)]).encode()
    told = Notification("acme", "hubspot", body, {}, T)
    raw = located("hubspot.notifications", told)
    left = without(
        DEAD_LETTERS, "acme", letter_about(raw, "hubspot.source", "malformed_notification", "", T, about=told)
    )
    inner = CODEC.decode("hubspot.notifications", left.value)
    assert [event["objectId"] for event in json.loads(inner.body)] == ["102"]


def test_bytes_that_are_no_record_go_by_their_key_alone() -> None:
    assert TRACES.without("sync.receipts", PAIR, b"junk") is None
    assert TRACES.without("sync.receipts", "acme:1:people:b@c.d", b"junk") == b"junk"


def located(topic: str, record: Any) -> Incoming:
    return Incoming(topic, 0, 7, "acme", CODEC.encode(topic, record), record)


def _event(object_id: str) -> dict[str, object]:
    return {
        "portalId": 1,
        "objectId": object_id,
        "objectTypeId": "0-1",
        "subscriptionType": "object.propertyChange",
        "propertyName": "jobtitle",
        "propertyValue": VALUE,
        "occurredAt": T,
    }
