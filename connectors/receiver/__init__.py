"""Takes both systems' webhooks: verifies them, has them stored raw, and only then answers 2xx.

The rim's webhooks come in here, so this is the one place beside a system's own folder that knows both systems'
signatures; what a webhook says is read later, by the system's source.
"""

from connectors.receiver.admission import AdmissionLimits
from connectors.receiver.app import build_receiver
from connectors.receiver.ports import (
    Count,
    Directory,
    NotStored,
    Recipient,
    StoreNotification,
    WebhookResult,
)

__all__ = [
    "AdmissionLimits",
    "Count",
    "Directory",
    "NotStored",
    "Recipient",
    "StoreNotification",
    "WebhookResult",
    "build_receiver",
]
