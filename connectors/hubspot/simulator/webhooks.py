"""HubSpot's webhook events and their signed requests (`apis/hubspot.md`, section 3)."""

import base64
import hashlib
import hmac
import json
import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.hubspot.simulator.definitions import ObjectType
from connectors.hubspot.simulator.settings import HubSpotSettings
from connectors.hubspot.simulator.store import Source
from connectors.simulation.calls import Json
from connectors.simulation.courier import Post

NEVER_SENT = frozenset(
    {
        "hs_lastmodifieddate",
        "lastmodifieddate",
        "num_unique_conversion_events",
        "hs_object_id",
        "createdate",
        "hs_createdate",
        "hs_merged_object_ids",
    }
)
"""Properties without subscriptions."""


@dataclass(frozen=True)
class Happening:
    """An event for subscribers; `extra` holds the wire fields of its kind."""

    action: str
    kind: ObjectType
    object_id: str | None
    time_ms: int
    source: Source
    extra: Mapping[str, Json] = field(default_factory=dict)


def event_wire(happening: Happening, settings: HubSpotSettings, rng: random.Random) -> Json:
    """One event of a webhook body, without its `attemptNumber`."""
    asked_generic = settings.webhook_form == "object" and happening.action != "privacyDeletion"
    generic = asked_generic or happening.kind.type_id.startswith("2-")
    prefix = "object" if generic else happening.kind.word
    name = f"{prefix}.{happening.action}"
    subscription = f"{name}:{happening.kind.type_id}:{happening.extra.get('propertyName', '')}"
    event: Json = {
        "eventId": rng.randrange(1, 2**31),
        "subscriptionId": zlib.crc32(subscription.encode()) % 10_000_000,
        "portalId": settings.portal_id,
        "appId": settings.app_id,
        "occurredAt": happening.time_ms,
        "subscriptionType": name,
        "attemptNumber": 0,
        "changeSource": happening.source.kind,
        "sourceId": happening.source.source_id,
    }
    if happening.object_id is not None:
        event["objectId"] = int(happening.object_id)
    if generic:
        event["objectTypeId"] = happening.kind.type_id
        event["isSensitive"] = False
    extra = {key: value for key, value in happening.extra.items() if generic or not key.endswith("TypeId")}
    return {**event, **extra}


def webhook_post(events: Sequence[Json], attempt: int, settings: HubSpotSettings, now_ms: int) -> Post | None:
    """The signed request of one batch, or None if no target is set."""
    url = settings.webhook_target_url
    if not url or not settings.webhooks:
        return None
    body = json.dumps([{**event, "attemptNumber": attempt} for event in events], separators=(",", ":")).encode()
    secret, timestamp = settings.app_secret, str(now_ms)
    headers = {
        "content-type": "application/json",
        "x-hubspot-signature-version": "v1",
        "x-hubspot-signature": signature_v1(secret, body),
        "x-hubspot-signature-v3": signature_v3(secret, "POST", url, body, timestamp),
        "x-hubspot-request-timestamp": timestamp,
    }
    return Post(url, body, headers)


def signature_v1(secret: str, body: bytes) -> str:
    """Hex SHA-256 of secret and body."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def signature_v3(secret: str, method: str, uri: str, body: bytes, timestamp: str) -> str:
    """Base64 HMAC-SHA256 of METHOD, URI, body and timestamp; some percent codes of the URI are decoded first."""
    message = method.encode() + _decoded(uri).encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


_DECODED = {f"%{ord(character):02X}": character for character in ":/?@!$'()*,;"}


def _decoded(uri: str) -> str:
    for code, character in _DECODED.items():
        uri = uri.replace(code, character).replace(code.lower(), character)
    return uri
