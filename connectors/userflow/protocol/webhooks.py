"""Webhook subscriptions, their signatures and notifications."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.contract.errors import Refused, Transient
from connectors.http.answers import content
from connectors.http.lenient_json import (
    JsonObject,
    as_text,
    as_whole,
    flag_at,
    object_at,
    parsed,
    text_at,
    texts_at,
    time_at,
)
from connectors.http.messages import Call, Request, Response, SignatureCheck, json_request, segment
from connectors.userflow.protocol.answers import call, deletion
from connectors.userflow.protocol.objects import LIST_LIMIT, Kind, Record, cursor_of, listed, record

SUBSCRIPTIONS = "/webhook_subscriptions"
TOLERANCE_S = 300
_LONGEST_HEADER = 2_000
_MOST_SIGNATURES = 10

_TOLD = ("", "user", "group", "event")
"""What topics that we subscribe to begin with: their notifications hold an object."""
_KINDS: dict[str, Kind] = {"user": "users", "group": "groups"}


@dataclass(frozen=True, slots=True)
class Subscription:
    """The address and topics of a subscription; Userflow shows `secret` on creation, perhaps not on reading."""

    id: str
    url: str
    topics: tuple[str, ...]
    disabled: bool = False
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SubscriptionPage:
    """Some subscriptions and the cursor of the next page."""

    subscriptions: tuple[Subscription, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A user's event; `time_ms` is its time in epoch milliseconds."""

    id: str
    name: str
    attributes: Mapping[str, object] = field(repr=False)
    time_ms: int | None = None
    user_id: str | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One delivery: a user or group as it is now, or an event; neither for any other kind.

    `named` is the user or group, of which a delivery may tell no more: deleted, or to be read. `previous` and `updated`
    hold the changed attributes if Userflow sends them.
    """

    id: str
    topic: str
    created_at_ms: int | None
    record: Record | None = None
    event: Event | None = None
    named: tuple[Kind, str] | None = None
    deleted: bool = False
    previous: Mapping[str, object] = field(default_factory=dict, repr=False)
    updated: Mapping[str, object] = field(default_factory=dict, repr=False)


def without_object(body: bytes, object_type: str, object_id: str) -> bytes | None:
    """The body, or None where it names the object: as its subject, or as who did something; however it is escaped."""
    forms = (json.dumps(object_id).encode(), json.dumps(object_id, ensure_ascii=False).encode(errors="replace"))
    return None if any(form in body for form in forms) or _names(parsed(body), object_id) else body


def _names(part: object, object_id: str) -> bool:
    if isinstance(part, dict):
        return any(_names(one, object_id) for one in part.values())
    return any(_names(one, object_id) for one in part) if isinstance(part, list) else as_text(part) == object_id


def list_subscriptions(*, starting_after: str | None = None) -> Call[SubscriptionPage]:
    """One page of the environment's subscriptions."""
    cursor = (("starting_after", starting_after),) if starting_after else ()
    request = Request("GET", SUBSCRIPTIONS, (("limit", str(LIST_LIMIT)), ("order_by", "created_at"), *cursor))

    def page(response: Response) -> SubscriptionPage:
        raw = tuple(map(_subscription, listed(response)))
        return SubscriptionPage(raw, cursor_of(content(response), raw[-1].id if raw else None))

    return call(request, page, "control")


def create_subscription(url: str, topics: Sequence[str]) -> Call[Subscription]:
    """Create a subscription and return its secret; a repeat creates a second one, so the caller lists first."""
    request = json_request("POST", SUBSCRIPTIONS, {"url": url, "topics": list(topics)}, "write")
    return call(request, _subscribed, "control")


def update_subscription(
    id: str, *, topics: Sequence[str] | None = None, disabled: bool | None = None
) -> Call[Subscription]:
    """Change the given parts; raises Missing."""
    body: dict[str, object] = {"topics": list(topics)} if topics is not None else {}
    if disabled is not None:
        body["disabled"] = disabled
    request = json_request("PATCH", f"{SUBSCRIPTIONS}/{segment(id)}", body, "write")
    return call(request, _subscribed, "control", object_id=id)


def delete_subscription(id: str) -> Call[bool]:
    """True if deleted, False if there was none."""
    return deletion(SUBSCRIPTIONS, id, "control")


def verify_signature(header: str | None, body: bytes, secret: str, now_s: float) -> SignatureCheck:
    """`header` is `Userflow-Signature`: `t=<unix seconds>,v1=<hex>`, perhaps with more parts.

    A time more than 300 s away, in either direction, is `stale`.
    """
    timed = signature_time(header, now_s)
    if not timed or header is None:
        return timed
    time, signatures = _signature_parts(header)
    expected = hmac.digest(secret.encode(), time.encode() + b"." + body, hashlib.sha256).hex()
    matches = [hmac.compare_digest(expected.encode(), raw.encode(errors="replace")) for raw in signatures]
    return SignatureCheck() if any(matches) else SignatureCheck("mismatch")


def signature_time(header: str | None, now_s: float) -> SignatureCheck:
    """Whether the header is readable and its time near; independent of the signed content."""
    if not header:
        return SignatureCheck("missing")
    time, signatures = _signature_parts(header)
    at_s = as_whole(time) if time.isascii() and time.isdigit() else None
    if at_s is None or not signatures:
        return SignatureCheck("malformed")
    return SignatureCheck("stale") if abs(now_s - at_s) > TOLERANCE_S else SignatureCheck()


def _signature_parts(header: str) -> tuple[str, list[str]]:
    """The time, empty unless named exactly once, and the signatures, none if there are too many."""
    parts = [part.strip().partition("=") for part in header[:_LONGEST_HEADER].split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value.lower() for name, _, value in parts if name == "v1"]
    few = len(header) <= _LONGEST_HEADER and len(signatures) <= _MOST_SIGNATURES
    return times[0] if len(times) == 1 else "", signatures if few else []


def parse_notifications(body: bytes) -> tuple[WebhookDelivery, ...]:
    """The deliveries of a body, which holds one, or a list of them; Refused if one of them cannot be read."""
    raw = parsed(body)
    return tuple(map(_delivery, raw if isinstance(raw, list) and raw else [raw]))


def _delivery(raw: object) -> WebhookDelivery:
    """`data.object`, not the topic, decides the kind; where `data` is the object itself, it is read as such."""
    if not isinstance(raw, dict):
        raise Refused("malformed_notification")
    data = object_at(raw, "data")
    subject = data if isinstance(data.get("object"), str) else object_at(data, "object")
    topic = text_at(raw, "topic") or ""
    if not text_at(subject, "object") and (topic.partition(".")[0] in _TOLD or not text_at(raw, "id")):
        raise Refused("malformed_notification")
    named, created_at_ms = _named(subject), time_at(raw, "created_at")
    whole = _record(subject) if named else None
    deleted = topic in ("user.deleted", "group.deleted") or (named is not None and flag_at(subject, "deleted"))
    if named and whole is None and created_at_ms is None and not deleted:
        raise Refused("malformed_notification")  # it tells neither what changed nor when
    return WebhookDelivery(
        text_at(raw, "id") or "",
        topic,
        created_at_ms,
        whole,
        _event(subject),
        named,
        deleted,
        object_at(data, "previous_attributes") or object_at(raw, "previous_attributes"),
        object_at(data, "updated_attributes") or object_at(raw, "updated_attributes"),
    )


def _named(subject: JsonObject) -> tuple[Kind, str] | None:
    kind, id = _KINDS.get(text_at(subject, "object") or ""), text_at(subject, "id")
    if kind is not None and not id:
        raise Refused("malformed_notification")
    return (kind, id) if kind is not None and id else None


def _record(subject: JsonObject) -> Record | None:
    """The whole user or group; None where its attributes are not told."""
    try:
        return record(subject, _KINDS[text_at(subject, "object") or ""])
    except Transient:
        return None


def _event(subject: JsonObject) -> Event | None:
    if text_at(subject, "object") != "event":
        return None
    id, name = text_at(subject, "id"), text_at(subject, "name")
    if not id or not name:
        raise Refused("malformed_notification")
    return Event(
        id,
        name,
        object_at(subject, "attributes"),
        time_at(subject, "time") or time_at(subject, "created_at"),
        text_at(subject, "user_id") or text_at(object_at(subject, "user"), "id"),
        text_at(subject, "group_id") or text_at(object_at(subject, "group"), "id"),
    )


def _subscribed(response: Response) -> Subscription:
    return _subscription(content(response))


def _subscription(raw: JsonObject) -> Subscription:
    id = text_at(raw, "id")
    if not id:
        raise Transient("unreadable_answer")
    topics = texts_at(raw, "topics")
    return Subscription(id, text_at(raw, "url") or "", topics, flag_at(raw, "disabled"), text_at(raw, "secret"))
