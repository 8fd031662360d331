"""Verifies that HubSpot signed a webhook with the app's secret: version 3 of HubSpot's page "request validation"."""

import base64
import hashlib
import hmac
import re

from connectors.http.lenient_json import as_whole
from connectors.http.messages import SignatureCheck

TOLERANCE_MS = 300_000

_DECODED = {
    "3A": ":", "2F": "/", "3F": "?", "40": "@", "21": "!", "24": "$",
    "27": "'", "28": "(", "29": ")", "2A": "*", "2C": ",", "3B": ";",
}  # fmt: skip
_ESCAPE = re.compile("%(" + "|".join(_DECODED) + ")", re.IGNORECASE)


def verify_v3(
    secret: str, method: str, uri: str, body: bytes, timestamp: str | None, signature: str | None, now_ms: int
) -> SignatureCheck:
    """`uri` is the whole public URL of the request, `timestamp` and `signature` its headers, unchanged.

    A timestamp more than five minutes away, in either direction, is `stale`.
    """
    if not timestamp or not signature:
        return SignatureCheck("missing")
    timed = signature_time(timestamp, now_ms)
    if not timed:
        return timed
    message = method.upper().encode() + decoded(uri).encode() + body + timestamp.encode()
    expected = base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256))
    return _compared(expected, signature)


def signature_time(timestamp: str | None, now_ms: int) -> SignatureCheck:
    """Whether the timestamp is readable and near; independent of the signed content."""
    if not timestamp:
        return SignatureCheck("missing")
    at_ms = as_whole(timestamp) if timestamp.isascii() and timestamp.isdigit() else None
    if at_ms is None:
        return SignatureCheck("malformed")
    return SignatureCheck("stale") if abs(now_ms - at_ms) > TOLERANCE_MS else SignatureCheck()


def decoded(uri: str) -> str:
    """The URI with the twelve escapes undone that HubSpot undoes before signing; all others stay."""
    return _ESCAPE.sub(lambda escape: _DECODED[escape[1].upper()], uri)


def _compared(expected: bytes, signature: str) -> SignatureCheck:
    matches = hmac.compare_digest(expected, signature.encode(errors="replace"))
    return SignatureCheck() if matches else SignatureCheck("mismatch")
