"""Judges HubSpot's webhooks: one URL for every account, the accounts named by the events."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from connectors.http.lenient_json import parsed, text_at
from connectors.http.messages import SignatureCheck
from connectors.hubspot.protocol.signatures import verify_v3
from connectors.receiver.ports import Directory, Recipient
from connectors.receiver.responses import Arrived, Judgement, WebhookRefusal, refused, unsigned

SIGNATURE: Final = "X-HubSpot-Signature-v3"
TIMESTAMP: Final = "X-HubSpot-Request-Timestamp"
_SHOWN: Final = 5
_SHOWN_LENGTH: Final = 20


def judge_hubspot(arrived: Arrived, directory: Directory) -> Judgement:
    """Stored for each integration whose account the body names and whose secret signed it.

    The body is read before it is verified, because it says whose secret to try; nothing else of it is believed.
    """
    for header in (SIGNATURE, TIMESTAMP):
        if not arrived.headers.get(header):
            return Judgement(refusals=(unsigned("missing", header),))
    items = parsed(arrived.body)
    if not isinstance(items, list):
        return refused("not_json", "the body must be a JSON array of events")
    accounts = {account for item in items if isinstance(item, dict) and (account := text_at(item, "portalId"))}
    if not accounts:
        return refused("no_account", "no event in the body names a portalId")
    return _judged(arrived, accounts, directory)


def _judged(arrived: Arrived, accounts: set[str], directory: Directory) -> Judgement:
    found = {account: directory.of_account(account) for account in accounts}
    connected = [one for recipients in found.values() for one in recipients if one.state != "disconnected"]
    refusals = {one.integration: _refusal(arrived, one) for one in connected}
    return Judgement(
        tuple(sorted(integration for integration, refusal in refusals.items() if refusal is None)),
        (*(refusal for refusal in refusals.values() if refusal), *_without_integration(found)),
    )


def _refusal(arrived: Arrived, recipient: Recipient) -> WebhookRefusal | None:
    if recipient.sealed and not recipient.hubspot_secrets:
        return WebhookRefusal(
            "sealed", "PAIRSTREAM_SECRET_KEY does not open the app's secret: set the key it was sealed with"
        )
    if not recipient.hubspot_secrets:
        return WebhookRefusal(
            "no_secret", f"no app_secret is known for account {recipient.account}: add it and apply again"
        )
    verdict = _verified(arrived, recipient.hubspot_secrets)
    return None if verdict else unsigned(verdict.reason, SIGNATURE)


def _verified(arrived: Arrived, secrets: tuple[str, ...]) -> SignatureCheck:
    """Whichever URL was signed, the secret proves it."""
    timestamp, signature = arrived.headers.get(TIMESTAMP), arrived.headers.get(SIGNATURE)
    verdict = SignatureCheck("mismatch")
    for secret in secrets:
        for url in arrived.urls:
            verdict = verify_v3(secret, arrived.method, url, arrived.body, timestamp, signature, arrived.at_ms)
            if verdict:
                return verdict
    return verdict


def _without_integration(found: Mapping[str, Sequence[Recipient]]) -> Iterator[WebhookRefusal]:
    """One refusal for all accounts that are unknown, and one for all that are disconnected."""
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
    """Strangers choose these texts and their number."""
    return ", ".join(account[:_SHOWN_LENGTH] for account in accounts[:_SHOWN])
