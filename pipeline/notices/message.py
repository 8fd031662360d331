"""A notice as a request: a JSON body signed as Standard Webhooks says (standardwebhooks.com, version 1)."""

import base64
import datetime as dt
import hashlib
import hmac
import json
from typing import Final

from connectors.http.messages import JSON_CONTENT, Request
from schemas.operating import Notice

TYPE: Final = "pairstream.state_changed"


def body_of(notice: Notice, installation: str) -> bytes:
    """The body; it names no value of any field."""
    return json.dumps(
        {
            "id": notice.notice_id,
            "type": TYPE,
            "timestamp": dt.datetime.fromtimestamp(notice.at_ms / 1000, dt.UTC).isoformat(timespec="milliseconds"),
            "data": {
                "installation": installation,
                "integration": notice.integration,
                "subject": notice.subject,
                "condition": notice.condition,
                "before": notice.before,
                "reason": notice.reason,
                "number": notice.number,
            },
        },
        separators=(",", ":"),
    ).encode()


def signature(key: bytes, notice_id: str, at_s: int, body: bytes) -> str:
    """HMAC-SHA256 over id, time and body, in base64."""
    signed = b".".join((notice_id.encode(), str(at_s).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def request_of(notice: Notice, target: str, key: bytes, installation: str, now_ms: int) -> Request:
    """The request that tells of it at this moment; `target` is the path with its query, as it was set."""
    body, at_s = body_of(notice, installation), now_ms // 1000
    return Request(
        "POST",
        target,
        headers=(
            ("Content-Type", JSON_CONTENT),
            ("User-Agent", "pairstream"),
            ("webhook-id", notice.notice_id),
            ("webhook-timestamp", str(at_s)),
            ("webhook-signature", signature(key, notice.notice_id, at_s, body)),
        ),
        body=body,
    )
