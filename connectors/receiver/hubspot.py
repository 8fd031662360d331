"""Judges HubSpot's webhooks: one URL for every account; the events name the accounts."""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from connectors.http.messages import Headers
from connectors.hubspot.protocol.signatures import signature_time, verify_v3
from connectors.receiver.ports import Directory, Recipient, WebhookResult
from connectors.receiver.responses import Arrived, Judgement, WebhookRefusal, not_proven, unsigned

SIGNATURE: Final = "X-HubSpot-Signature-v3"
TIMESTAMP: Final = "X-HubSpot-Request-Timestamp"
_SHOWN: Final = 5
_SHOWN_LENGTH: Final = 20

_ACCOUNT: Final = re.compile(rb'"portalId"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}"?([0-9]{1,19})(?![0-9])')
_MOST_NAMED: Final = 1_000
"""Ten times the events of HubSpot's largest batch."""

MOST_SECRETS: Final = 5
"""One app signs a body, with its current or its previous secret: only an attack needs more tries."""

_DECOY: Final = secrets.token_hex(16)
"""A dummy secret, tried for an unknown account so that its answer takes as long as a known one's."""


def refuse_head(headers: Headers, now_ms: int) -> WebhookRefusal | None:
    """The refusal that the headers alone justify, before any of the body is read."""
    for header in (SIGNATURE, TIMESTAMP):
        if not headers.get(header):
            return unsigned("missing", header)
    timed = signature_time(headers.get(TIMESTAMP), now_ms)
    return None if timed else unsigned(timed.reason, TIMESTAMP)


def judge_hubspot(arrived: Arrived, directory: Directory) -> Judgement:
    """Store for each integration whose account the body names and whose secret signed the body.

    The source parses the body later: here a pattern finds the accounts, and the signed body is stored unchanged,
    readable or not; of one that names several accounts each integration gets its own events.
    """
    named = _accounts_at_sight(arrived.body)
    recipients = [one for account in named for one in directory.of_account(account)]
    fitting = _fitting(arrived, recipients)
    if fitting is None:
        return not_proven(_reason(named, recipients), directory.has_sealed())
    return _judged(named, fitting, directory)


def _accounts_at_sight(body: bytes) -> list[str]:
    found = islice(_ACCOUNT.finditer(body), _MOST_NAMED)
    return list(dict.fromkeys(match[1].decode() for match in found))


def _fitting(arrived: Arrived, recipients: Sequence[Recipient]) -> str | None:
    """The secret that signed the body."""
    candidates = dict.fromkeys(secret for one in recipients for secret in one.hubspot_secrets)
    timestamp, signature = arrived.headers.get(TIMESTAMP), arrived.headers.get(SIGNATURE)
    for secret in list(candidates)[:MOST_SECRETS] or [_DECOY]:
        if verify_v3(secret, arrived.method, arrived.url, arrived.body, timestamp, signature, arrived.at_ms):
            return secret
    return None


def _reason(named: Sequence[str], recipients: Sequence[Recipient]) -> WebhookResult:
    """The reason why no secret fits, for the metrics."""
    connected = [one for one in recipients if one.state != "disconnected"]
    if not named:
        return "no_account"
    if not connected:
        return "disconnected" if recipients else "unknown"
    if any(one.hubspot_secrets for one in connected):
        return "mismatch"
    return "sealed" if any(one.sealed for one in connected) else "no_secret"


def _judged(accounts: Sequence[str], fitting: str, directory: Directory) -> Judgement:
    found = {account: directory.of_account(account) for account in accounts}
    connected = [one for recipients in found.values() for one in recipients if one.state != "disconnected"]
    refusals = {one.integration: _refusal(one, fitting) for one in connected}
    recipients = tuple(sorted(integration for integration, refusal in refusals.items() if refusal is None))
    own = {one.integration: one.account for one in connected if one.integration in recipients}
    return Judgement(
        recipients,
        (*(refusal for refusal in refusals.values() if refusal), *_without_integration(found)),
        shares=own if len(accounts) > 1 else {},
    )


def _refusal(recipient: Recipient, fitting: str) -> WebhookRefusal | None:
    if fitting in recipient.hubspot_secrets:
        return None
    if recipient.sealed and not recipient.hubspot_secrets:
        return WebhookRefusal(
            "sealed", "PAIRSTREAM_SECRET_KEY does not open the app's secret: set the key it was sealed with"
        )
    if not recipient.hubspot_secrets:
        return WebhookRefusal(
            "no_secret", f"no app_secret is known for account {recipient.account}: add it and apply again"
        )
    return unsigned("mismatch", SIGNATURE)


def _without_integration(found: Mapping[str, Sequence[Recipient]]) -> Iterator[WebhookRefusal]:
    """One refusal for all unknown accounts, and one for all disconnected ones."""
    unknown = sorted(account for account, recipients in found.items() if not recipients)
    gone = sorted(
        account
        for account, recipients in found.items()
        if recipients and all(one.state == "disconnected" for one in recipients)
    )
    if unknown:
        yield WebhookRefusal("unknown", f"no integration for account {_shortened(unknown)}", len(unknown))
    if gone:
        yield WebhookRefusal(
            "disconnected", f"the integration of account {_shortened(gone)} is disconnected", len(gone)
        )


def _shortened(accounts: Sequence[str]) -> str:
    """At most a few account names: an app's other customers choose these texts and their number."""
    return ", ".join(account[:_SHOWN_LENGTH] for account in accounts[:_SHOWN])
