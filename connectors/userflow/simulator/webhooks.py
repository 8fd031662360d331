"""Userflow's webhook subscriptions and signed notifications (`apis/userflow.md`, section 6)."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.simulation.calls import Json
from connectors.simulation.clock import iso_offset
from connectors.simulation.courier import Post
from connectors.userflow.simulator.settings import UserflowSettings


@dataclass(frozen=True)
class Subscription:
    """The address for notifications of some topics."""

    subscription_id: str
    url: str
    topics: tuple[str, ...]
    secret: str
    api_version: str
    created_ms: int
    disabled: bool = False

    def wire(self, *, with_secret: bool) -> Json:
        """The subscription as the API shows it."""
        shown: Json = {
            "id": self.subscription_id,
            "object": "webhook_subscription",
            "api_version": self.api_version,
            "created_at": iso_offset(self.created_ms),
            "disabled": self.disabled,
            "topics": list(self.topics),
            "url": self.url,
        }
        return {**shown, "secret": self.secret} if with_secret else shown

    def wants(self, topic: str) -> bool:
        """Whether the subscription has this topic or a family above it."""
        return not self.disabled and any(one == "*" or f"{topic}.".startswith(f"{one}.") for one in self.topics)

    def topic_of(self, topic: str, settings: UserflowSettings) -> str:
        """The topic in this subscription's notifications: a subscription to `event.tracked` gets just that."""
        if not topic.startswith("event.tracked.") or topic in self.topics:
            return topic
        if "event.tracked" in self.topics or settings.family_topic == "short":
            return "event.tracked"
        return topic


@dataclass(frozen=True)
class OutgoingNotification:
    """One notification on its way to one subscription."""

    notification_id: str
    subscription_id: str
    topic: str
    created_ms: int
    wire_object: Json
    previous: Mapping[str, Json] = field(default_factory=dict)
    updated: Mapping[str, Json] = field(default_factory=dict)

    def wire(self, settings: UserflowSettings) -> Json:
        """The JSON body."""
        body: Json = {
            "id": self.notification_id,
            "object": "webhook_notification",
            "api_version": settings.api_version,
            "created_at": iso_offset(self.created_ms),
            "topic": self.topic,
            "data": {"object": self.wire_object},
        }
        if not self.topic.endswith(".updated") or settings.changed_attributes_place == "missing":
            return body
        place = body["data"] if settings.changed_attributes_place == "data" else body
        place |= {"previous_attributes": dict(self.previous), "updated_attributes": dict(self.updated)}
        return body


def signature(secret: str, timestamp_s: int, body: bytes) -> str:
    """The value of the `Userflow-Signature` header."""
    message = f"{timestamp_s}.".encode() + body
    return f"t={timestamp_s},v1={hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()}"


def notification_post(
    notification: OutgoingNotification, subscription: Subscription, settings: UserflowSettings, now_ms: int
) -> Post:
    """The signed request."""
    body = json.dumps(notification.wire(settings), separators=(",", ":")).encode()
    headers = {
        "content-type": "application/json",
        "userflow-signature": signature(subscription.secret, now_ms // 1000, body),
    }
    return Post(subscription.url, body, headers)
