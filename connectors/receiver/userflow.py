"""Judges Userflow's webhooks: each integration has its own URL and secret."""

import secrets
from typing import Final

from connectors.http.messages import Headers
from connectors.receiver.ports import Directory, Recipient, WebhookResult
from connectors.receiver.responses import Arrived, Judgement, WebhookRefusal, not_proven, refused, unsigned
from connectors.userflow.protocol.webhooks import signature_time, verify_signature

SIGNATURE: Final = "Userflow-Signature"
_DECOY: Final = secrets.token_hex(16)
"""A dummy secret, tried for an unknown name so that its answer takes as long as a known one's."""


def refuse_head(headers: Headers, now_ms: int) -> WebhookRefusal | None:
    """The refusal that the headers alone justify, before any of the body is read."""
    timed = signature_time(headers.get(SIGNATURE), now_ms / 1000)
    return None if timed else unsigned(timed.reason, SIGNATURE)


def judge_userflow(arrived: Arrived, integration: str, directory: Directory) -> Judgement:
    """Store for the integration that the URL names if its secret signed the body; the body is stored unchanged."""
    recipient = directory.recipient(integration)
    if not _is_signed(arrived, recipient.userflow_secrets if recipient else ()):
        return not_proven(_reason(recipient), directory.has_sealed())
    if recipient is None or recipient.state == "disconnected":
        return refused("disconnected", "the integration is disconnected: delete the webhook subscription")
    return Judgement((integration,))


def _is_signed(arrived: Arrived, candidates: tuple[str, ...]) -> bool:
    header, now_s = arrived.headers.get(SIGNATURE), arrived.at_ms / 1000
    return any(verify_signature(header, arrived.body, secret, now_s) for secret in candidates or (_DECOY,))


def _reason(recipient: Recipient | None) -> WebhookResult:
    """The reason why no secret fits, for the metrics."""
    if recipient is None:
        return "unknown"
    if recipient.state == "disconnected":
        return "disconnected"
    if recipient.userflow_secrets:
        return "mismatch"
    # no secret yet: the connector creates the subscription before the receiver can read its secret
    return "sealed" if recipient.sealed else "no_secret"
