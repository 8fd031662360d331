"""Takes both systems' webhooks: verifies each, stores its raw body, and only then answers 2xx.

All webhooks arrive here, so this is the one place beside a system's own folder that knows both systems'
signatures; the system's source reads the content later.
"""

from connectors.receiver.admission import AdmissionLimits
from connectors.receiver.app import build_receiver
from connectors.receiver.consent import ConsentPages, ConsentSettings, OpenLink
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
    "ConsentPages",
    "ConsentSettings",
    "Count",
    "Directory",
    "NotStored",
    "OpenLink",
    "Recipient",
    "StoreNotification",
    "WebhookResult",
    "build_receiver",
]
