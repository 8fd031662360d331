"""The webhooks journal: what an account's subscriptions tell, kept for three days, read file by file.

Follows HubSpot's guides "webhook journal APIs" and "webhooks journal management APIs". All calls need an app's token.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.contract.errors import Refused, Transient
from connectors.contract.feed import DAY_MS
from connectors.http.answers import content
from connectors.http.lenient_json import JsonObject, object_at, parsed, text_at, texts_at
from connectors.http.messages import Call, Request, Response, json_body, json_request, segment
from connectors.hubspot.protocol.answers import accept, call, rows
from connectors.hubspot.protocol.paths import JOURNAL, JOURNAL_SUBSCRIPTIONS

JOURNAL_EVENTS: Final = "journalEvents"
KEPT_MS: Final = 3 * DAY_MS
"""How long the journal keeps its files."""
MOST_EVENTS: Final = 100
MOST_BYTES: Final = 400_000
"""The most of one notification: as many events as a webhook brings, and well below what a message may hold."""

READ_SCOPE: Final = "developer.webhooks_journal.read"
SCOPES: Final = (
    READ_SCOPE,
    "developer.webhooks_journal.subscriptions.read",
    "developer.webhooks_journal.subscriptions.write",
)

_WORDS: Final = {
    "CREATE": "creation",
    "SNAPSHOT": "creation",
    "DELETE": "deletion",
    "RESTORE": "restore",
    "MERGE": "merge",
    "GDPR_DELETE": "privacyDeletion",
    "ASSOCIATION_ADDED": "associationChange",
    "ASSOCIATION_REMOVED": "associationChange",
}


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One file of the journal: where it lies for a short while, and the offset to read on from."""

    url: str = field(repr=False)  # presigned: whoever knows it reads the file
    offset: str


@dataclass(frozen=True, slots=True)
class JournalSubscription:
    """What the journal tells of one object type of one account; `id` None: it is not made yet."""

    kind: str  # OBJECT, ASSOCIATION, GDPR_PRIVACY_DELETION, or one that this version does not make
    type_id: str
    actions: frozenset[str]
    properties: frozenset[str] = frozenset()
    associated: frozenset[str] = frozenset()
    account: str = ""
    id: str | None = field(default=None, compare=False)


def earliest_entry(account: str) -> Call[JournalEntry | None]:
    """The oldest entry that is kept; None if there is none."""
    return _entry_call("earliest", account)


def next_entry(account: str, offset: str) -> Call[JournalEntry | None]:
    """The entry after an offset; None if nothing is newer."""
    return _entry_call(f"offset/{segment(offset)}/next", account)


def list_journal_subscriptions() -> Call[tuple[JournalSubscription, ...]]:
    """All subscriptions of the app, those of other accounts too; there are no pages."""

    def read(response: Response) -> tuple[JournalSubscription, ...]:
        return tuple(_subscription(raw) for raw in rows(response))

    return call(Request("GET", JOURNAL_SUBSCRIPTIONS), read, "control")


def put_journal_subscription(wanted: JournalSubscription) -> Call[JournalSubscription]:
    """Make a subscription, or change the one that the account has for its type."""
    body: dict[str, object] = {
        "subscriptionType": wanted.kind,
        "portalId": int(wanted.account),
        "objectTypeId": wanted.type_id,
        "actions": sorted(wanted.actions),
    }
    if wanted.kind == "OBJECT":
        body |= {"objectIds": [], "properties": sorted(wanted.properties)}
    if wanted.kind == "ASSOCIATION":
        body |= {"objectIds": [], "associatedObjectTypeIds": sorted(wanted.associated)}
    request = json_request("POST", JOURNAL_SUBSCRIPTIONS, body, "write")
    return call(request, lambda response: _subscription(content(response)), "control")


def delete_journal_subscription(id: str) -> Call[None]:
    """Delete one subscription."""
    request = Request("DELETE", f"{JOURNAL_SUBSCRIPTIONS}/{segment(id)}", kind="write")
    return call(request, lambda _: None, "control")


def journal_bodies(file: bytes) -> tuple[bytes, ...]:
    """The events of a file, in order, as notifications. Raises Refused `malformed_journal`."""
    raw = parsed(file)
    events = raw.get(JOURNAL_EVENTS) if isinstance(raw, dict) else None
    if not isinstance(events, list):
        raise Refused("malformed_journal")
    try:
        return tuple(notification_bodies(JOURNAL_EVENTS, events))
    except ValueError:  # a number that is none, or half a character: no JSON that others could read
        raise Refused("malformed_journal") from None


def notification_bodies(name: str, events: Sequence[object]) -> Iterator[bytes]:
    """Events as bodies of notifications, each of a size that a message holds."""
    chunk: list[object] = []
    size = 0
    for event in events:
        bytes_of = len(json.dumps(event))
        if chunk and (len(chunk) == MOST_EVENTS or size + bytes_of > MOST_BYTES):
            yield json_body({name: chunk})
            chunk, size = [], 0
        chunk.append(event)
        size += bytes_of
    if chunk:
        yield json_body({name: chunk})


def as_webhook_events(item: object) -> list[object]:
    """A journal's event as a webhook would tell it: an update is a change of each of its properties.

    One that names no action is none, for nobody can tell what to do; an erasure is told by its type alone.
    """
    if not isinstance(item, dict):
        return [item]
    action = (text_at(item, "action") or "").upper()
    if not action:
        action = "GDPR_DELETE" if (text_at(item, "type") or "").upper().startswith("GDPR") else ""
    if not action:
        return [None]
    plain = {name: value for name, value in item.items() if name not in ("propertyChanges", "type", "action")}
    changes = object_at(item, "propertyChanges")
    told: list[object] = []
    if action in _WORDS:
        removed = {"associationRemoved": True} if action == "ASSOCIATION_REMOVED" else {}
        told.append({**plain, **removed, "subscriptionType": f"object.{_WORDS[action]}"})
    elif action == "UPDATE" and not changes:
        told.append({**plain, "subscriptionType": "object.creation"})  # whatever changed, the record is read
    if action in ("UPDATE", "CREATE"):
        told += [
            {**plain, "subscriptionType": "object.propertyChange", "propertyName": name, **_value(value)}
            for name, value in changes.items()
        ]
    return told


def _value(told: object) -> JsonObject:
    """The new value: as such, or within an object that tells more of the change; nothing where that holds none."""
    if not isinstance(told, dict):
        return {"propertyValue": told}
    return next(({"propertyValue": told[name]} for name in ("value", "newValue") if name in told), {})


def _entry_call(place: str, account: str) -> Call[JournalEntry | None]:
    request = Request("GET", f"{JOURNAL}/{place}", (("installPortalId", account),))

    def parse(response: Response) -> JournalEntry | None:
        accept(response, "read")
        if response.status == 204 or not response.body:
            return None
        raw = content(response)
        url, offset = text_at(raw, "url"), text_at(raw, "currentOffset")
        if not url or not offset:
            raise Transient("unreadable_answer", status=response.status)
        return JournalEntry(url, offset)

    return Call(request, parse, "live_read")


def _subscription(raw: JsonObject) -> JournalSubscription:
    kind = text_at(raw, "subscriptionType") or ""
    return JournalSubscription(
        kind,
        text_at(raw, "objectTypeId") or "",
        frozenset(texts_at(raw, "actions")),
        frozenset(texts_at(raw, "properties")) if kind == "OBJECT" else frozenset(),
        frozenset(texts_at(raw, "associatedObjectTypeIds")) if kind == "ASSOCIATION" else frozenset(),
        text_at(raw, "portalId") or "",
        text_at(raw, "id"),
    )
