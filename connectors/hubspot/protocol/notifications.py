"""The events in a webhook's body, in the classic form (`contact.creation`) and the generic one (`object.creation`).

Follows HubSpot's webhooks guide; every field but the record and the type of change is optional. What a journal or a
poll tells is read as events of the generic form.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from connectors.contract.errors import Refused
from connectors.http.lenient_json import (
    JsonObject,
    flag_at,
    is_compound,
    parsed,
    text_at,
    texts_at,
    time_at,
    told_at,
    whole_at,
)
from connectors.hubspot.protocol.journal import JOURNAL_EVENTS, as_webhook_events
from connectors.hubspot.protocol.objects import OBJECT_TYPE_IDS
from schemas.records import Origin

Happening = Literal[
    "created", "changed", "modified", "deleted", "restored", "merged", "association_changed", "privacy_deleted", "other"
]

_HAPPENINGS: dict[str, Happening] = {
    "creation": "created",
    "propertychange": "changed",
    "modification": "modified",  # a poll's word: something of the record changed
    "deletion": "deleted",
    "restore": "restored",
    "merge": "merged",
    "associationchange": "association_changed",
    "privacydeletion": "privacy_deleted",
}
_CLASSIC_TYPES = {
    "contact": "0-1",
    "company": "0-2",
    "deal": "0-3",
    "ticket": "0-5",
    "product": "0-7",
    "line_item": "0-8",
}
_NAMES = {type_id: name for name, type_id in OBJECT_TYPE_IDS.items()}
POLLED_EVENTS: Final = "polledEvents"
_BY_AN_APP: Final = "INTEGRATION"


@dataclass(frozen=True, slots=True)
class Merge:
    """Two records merged into one: `survivor_id` is the id to read from now on."""

    survivor_id: str
    merged_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AssociationChange:
    """One end gained or lost the other; types are object type ids, None if the vendor names none."""

    from_id: str
    to_id: str
    from_type_id: str | None = None
    to_type_id: str | None = None
    removed: bool = False
    primary: bool = False


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event: the change, its record and account, and the vendor time (epoch milliseconds).

    `value_told` false: the event says that the property changed, and not to what; null says that it was cleared.
    """

    account: str
    object_type_id: str
    object_id: str
    happening: Happening
    occurred_at_ms: int | None
    property_name: str | None = None
    property_value: str | None = field(default=None, repr=False)
    value_told: bool = True
    source: str | None = None
    source_id: str | None = None
    app_id: str | None = None
    event_id: str | None = None
    subscription_id: str | None = None
    attempt: int = 0
    merge: Merge | None = None
    association: AssociationChange | None = None

    @property
    def ours(self) -> bool:
        """Whether the app did itself what it is told of: captures show its own id as the source then."""
        return self.source == _BY_AN_APP and self.source_id is not None and self.source_id == self.app_id

    @property
    def object_type(self) -> str:
        """`contacts`, `companies`, `deals`, `tickets`, or the id of any other type."""
        return _NAMES.get(self.object_type_id, self.object_type_id)


@dataclass(frozen=True, slots=True)
class UnreadableEvent:
    """An item of the body that names no record or no type: its position and the missing part."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class WebhookBatch:
    """The events of one body, and its unreadable items."""

    events: tuple[WebhookEvent, ...]
    unreadable: tuple[UnreadableEvent, ...] = ()
    origin: Origin = "webhook"


def parse_notifications(body: bytes) -> WebhookBatch:
    """Raises Refused `malformed_notification` if the body is no JSON list of events (a single event counts)."""
    raw = parsed(body)
    items, origin = _items(raw)
    if not isinstance(items, list):
        raise Refused("malformed_notification")
    read = [_event(item, index) for index, item in enumerate(items)]
    return WebhookBatch(
        tuple(event for event in read if isinstance(event, WebhookEvent)),
        tuple(event for event in read if isinstance(event, UnreadableEvent)),
        origin,
    )


def _items(raw: object) -> tuple[object, Origin]:
    """The items of a body, and who told them."""
    if not isinstance(raw, dict):
        return raw, "webhook"
    if isinstance(raw.get(JOURNAL_EVENTS), list):
        return [event for item in raw[JOURNAL_EVENTS] for event in as_webhook_events(item)], "journal"
    if isinstance(raw.get(POLLED_EVENTS), list):
        return raw[POLLED_EVENTS], "poll"
    return [raw], "webhook"


def without_object(body: bytes, object_type: str, object_id: str) -> bytes | None:
    """The body without what it tells of one record; None where it tells of no others."""
    raw = parsed(body)
    if raw is None and re.search(rb"(?<![0-9])%s(?![0-9])" % re.escape(object_id.encode()), body):
        return None  # no JSON, so nobody can tell its other events apart
    if isinstance(raw, dict):
        name = next((name for name in (JOURNAL_EVENTS, POLLED_EVENTS) if isinstance(raw.get(name), list)), None)
        told = raw[name] if name is not None else [raw]
    else:
        name, told = None, raw
    if not isinstance(told, list):
        return body
    kept = [item for item in told if not _is_about(item, object_type, object_id)]
    if len(kept) == len(told):
        return body
    left = {**raw, name: kept} if isinstance(raw, dict) and name is not None else kept
    return json.dumps(left, ensure_ascii=False, separators=(",", ":")).encode() if kept else None


def _is_about(item: object, object_type: str, object_id: str) -> bool:
    """Whether an item of a webhook, a poll or a journal is about the record."""
    events = [_event(one, 0) for one in (item, *as_webhook_events(item))]
    names = [(one.object_type, one.object_id) for one in events if isinstance(one, WebhookEvent)]
    if isinstance(item, dict) and not names:  # it lacks its type or account, and holds values all the same
        return object_id in (*texts_at(item, "objectId"), *texts_at(item, "fromObjectId"))
    return (object_type, object_id) in names


def _event(item: object, index: int) -> WebhookEvent | UnreadableEvent:
    if not isinstance(item, dict):
        return UnreadableEvent(index, "not_an_object")
    kind = text_at(item, "subscriptionType") or text_at(item, "eventType") or ""
    subject, _, verb = kind.lower().rpartition(".")
    type_id = text_at(item, "objectTypeId") or subject
    type_id = _CLASSIC_TYPES.get(type_id.lower(), type_id)
    happening = _HAPPENINGS.get(verb, "other")
    if happening == "privacy_deleted" and type_id in ("", "object"):
        type_id = _CLASSIC_TYPES["contact"]  # HubSpot erases nothing else, and an erasure is not to be missed
    lacking = _lacking(item, type_id, happening)
    if lacking:
        return UnreadableEvent(index, lacking)
    return WebhookEvent(
        account=text_at(item, "portalId") or "",
        object_type_id=type_id,
        object_id=_object_id(item, happening) or "",
        happening=happening,
        occurred_at_ms=time_at(item, "occurredAt"),
        property_name=text_at(item, "propertyName"),
        property_value=told_at(item, "propertyValue"),
        value_told="propertyValue" in item and not is_compound(item["propertyValue"]),
        source=text_at(item, "changeSource"),
        source_id=text_at(item, "sourceId"),
        app_id=text_at(item, "appId"),
        event_id=text_at(item, "eventId"),
        subscription_id=text_at(item, "subscriptionId"),
        attempt=whole_at(item, "attemptNumber") or 0,
        merge=_merge(item) if happening == "merged" else None,
        association=_association(item, type_id) if happening == "association_changed" else None,
    )


def _lacking(item: JsonObject, type_id: str, happening: Happening) -> str | None:
    if not text_at(item, "portalId"):
        return "no_account"
    if type_id in ("", "object"):
        return "no_object_type"
    return None if happening == "other" or _object_id(item, happening) else "no_object_id"


def _object_id(item: JsonObject, happening: Happening) -> str | None:
    if happening == "merged":
        return _survivor(item)
    return text_at(item, "objectId") or text_at(item, "fromObjectId")


def _survivor(item: JsonObject) -> str | None:
    return text_at(item, "newObjectId") or text_at(item, "primaryObjectId") or text_at(item, "objectId")


def _merge(item: JsonObject) -> Merge:
    """The primary id is among the merged ones too: merging makes a new record."""
    survivor = _survivor(item) or ""
    ids = (*texts_at(item, "primaryObjectId"), *texts_at(item, "mergedObjectIds"))
    return Merge(survivor, tuple(dict.fromkeys(id for id in ids if id != survivor)))


def _association(item: JsonObject, type_id: str) -> AssociationChange:
    from_word, joined, to_word = (text_at(item, "associationType") or "").lower().partition("_to_")
    ends = [_CLASSIC_TYPES.get(from_word), _CLASSIC_TYPES.get(to_word)] if joined else [type_id, None]
    return AssociationChange(
        text_at(item, "fromObjectId") or "",
        text_at(item, "toObjectId") or "",
        text_at(item, "fromObjectTypeId") or ends[0],
        text_at(item, "toObjectTypeId") or ends[1],
        flag_at(item, "associationRemoved"),
        flag_at(item, "isPrimaryAssociation"),
    )
