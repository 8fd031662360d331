"""HubSpot's webhooks: whose signature it is, and what the body says."""

import json
from typing import Any

import pytest

from connectors.contract.errors import Refused
from connectors.hubspot import protocol as hubspot
from connectors.hubspot.protocol.signatures import decoded

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"  # noqa: S105  HubSpot's published example
URI = "https://www.example.com/webhook_uri"
BODY = b'{"example_field":"example_value"}'
SIGNATURE = "eT0ip2TKVpsIi1vb5C2Uu42eNdHL+oTE3NRZOF67O2U="
TIME = "1564113600000"
NOW_MS = 1564113600000


class TestSignatures:
    def test_the_published_vector(self) -> None:
        assert hubspot.verify_v3(SECRET, "POST", URI, BODY, TIME, SIGNATURE, NOW_MS)

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"signature": None}, "missing"),
            ({"timestamp": None}, "missing"),
            ({"timestamp": "now"}, "malformed"),
            ({"timestamp": "1564113600001"}, "mismatch"),
            ({"now_ms": NOW_MS + 300_001}, "stale"),
            ({"now_ms": NOW_MS - 300_001}, "stale"),
            ({"now_ms": NOW_MS + 300_000}, None),
            ({"body": BODY + b" "}, "mismatch"),
            ({"method": "PUT"}, "mismatch"),
            ({"method": "post"}, None),
            ({"uri": URI + "?a=1"}, "mismatch"),
            ({"secret": "other"}, "mismatch"),
            ({"signature": "é"}, "mismatch"),
        ],
    )
    def test_v3_refuses_with_a_reason(self, changed: dict[str, Any], reason: str | None) -> None:
        asked: dict[str, Any] = {
            "secret": SECRET,
            "method": "POST",
            "uri": URI,
            "body": BODY,
            "timestamp": TIME,
            "signature": SIGNATURE,
            "now_ms": NOW_MS,
        }
        verdict = hubspot.verify_v3(**(asked | changed))
        assert (verdict.reason, bool(verdict)) == (reason, reason is None)

    def test_v3_decodes_only_the_listed_escapes(self) -> None:
        listed = "%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B"
        assert decoded(f"https://x/{listed}?q=%20%26%3D%25%3a%3C") == "https://x/:/?@!$'()*,;?q=%20%26%3D%25:%3C"


def _event(**given: object) -> dict[str, object]:
    return {"portalId": 62515, "occurredAt": 1_700_000_000_000, "objectId": 123, **given}


CHANGED = _event(subscriptionType="contact.propertyChange", propertyName="email", propertyValue="x@y.com")


class TestNotifications:
    @pytest.mark.parametrize(
        ("kind", "given", "object_type", "happening"),
        [
            ("contact.creation", {"changeFlag": "NEW"}, "contacts", "created"),
            ("object.creation", {"objectTypeId": "0-2", "changeFlag": "CREATED"}, "companies", "created"),
            ("object.propertyChange", {"objectTypeId": "2-143967026"}, "2-143967026", "changed"),
            ("deal.deletion", {}, "deals", "deleted"),
            ("ticket.restore", {}, "tickets", "restored"),
            ("contact.privacyDeletion", {}, "contacts", "privacy_deleted"),
            ("object.privacyDeletion", {}, "contacts", "privacy_deleted"),
            ("contact.somethingNew", {}, "contacts", "other"),
            ("conversation.newMessage", {}, "conversation", "other"),
            ("line_item.creation", {}, "0-8", "created"),
        ],
    )
    @pytest.mark.parametrize("name", ["subscriptionType", "eventType"])
    def test_both_forms_of_every_type(
        self, name: str, kind: str, given: dict[str, object], object_type: str, happening: str
    ) -> None:
        batch = hubspot.parse_notifications(json.dumps([_event(**{name: kind}, **given)]).encode())
        [event] = batch.events
        assert (event.object_type, event.happening, event.object_id) == (object_type, happening, "123")
        assert (event.account, event.occurred_at_ms) == ("62515", 1_700_000_000_000)

    def test_a_change_keeps_value_and_source_and_shows_no_value(self) -> None:
        source = {"sourceId": "4242", "appId": 4242, "attemptNumber": 2, "eventId": 9}
        [event] = hubspot.parse_notifications(json.dumps([CHANGED | source]).encode()).events
        assert (event.property_name, event.property_value) == ("email", "x@y.com")
        assert (event.source_id, event.app_id, event.attempt) == ("4242", "4242", 2)
        assert "x@y.com" not in repr(event)

    @pytest.mark.parametrize(
        ("source", "source_id", "ours"),
        [
            ("INTEGRATION", "4242", True),
            ("INTEGRATION", "4243", False),
            ("CRM_UI", "4242", False),
            ("INTEGRATION", None, False),
            (None, "4242", False),
        ],
    )
    def test_it_is_ours_where_an_app_is_named_and_it_is_the_one_that_is_told(
        self, source: str | None, source_id: str | None, ours: bool
    ) -> None:
        given = {"changeSource": source, "sourceId": source_id, "appId": 4242}
        [event] = hubspot.parse_notifications(json.dumps([CHANGED | given]).encode()).events
        assert event.ours is ours

    def test_a_merge_names_the_new_record_and_all_old_ones(self) -> None:
        merged = {"primaryObjectId": 5, "mergedObjectIds": [6, 5], "newObjectId": 9}
        body = json.dumps([_event(subscriptionType="contact.merge", **merged)])
        [event] = hubspot.parse_notifications(body.encode()).events
        assert event.merge is not None
        assert (event.object_id, event.merge.survivor_id, event.merge.merged_ids) == ("9", "9", ("5", "6"))

    def test_an_association_change_tells_both_ends(self) -> None:
        classic = _event(
            subscriptionType="contact.associationChange",
            associationType="CONTACT_TO_COMPANY",
            fromObjectId=123,
            toObjectId=456,
            associationRemoved=True,
            isPrimaryAssociation=False,
        )
        del classic["objectId"]
        [event] = hubspot.parse_notifications(json.dumps([classic]).encode()).events
        change = event.association
        assert change is not None
        assert (event.object_id, change.from_id, change.to_id) == ("123", "123", "456")
        assert (change.from_type_id, change.to_type_id, change.removed, change.primary) == ("0-1", "0-2", True, False)

    def test_one_unreadable_item_spares_the_others(self) -> None:
        items = [CHANGED, 7, _event(subscriptionType="object.creation"), {"portalId": 1}, CHANGED | {"objectId": None}]
        batch = hubspot.parse_notifications(json.dumps(items).encode())
        assert len(batch.events) == 1
        assert [(one.index, one.reason) for one in batch.unreadable] == [
            (1, "not_an_object"),
            (2, "no_object_type"),
            (3, "no_object_type"),
            (4, "no_object_id"),
        ]

    @pytest.mark.parametrize("body", [b"", b"null", b'"x"', b"[", b"[" * 100_000, b"\xff"])
    def test_a_body_that_is_no_list_is_refused(self, body: bytes) -> None:
        with pytest.raises(Refused, match="malformed_notification"):
            hubspot.parse_notifications(body)
