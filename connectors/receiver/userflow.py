"""Judges Userflow's webhooks: each integration has a URL and a secret of its own."""

from typing import Final

from connectors.http.lenient_json import parsed
from connectors.http.messages import SignatureCheck
from connectors.receiver.ports import Directory, Recipient
from connectors.receiver.responses import Arrived, Judgement, WebhookRefusal, refused, unsigned
from connectors.userflow.protocol.webhooks import verify_signature

SIGNATURE: Final = "Userflow-Signature"


def judge_userflow(arrived: Arrived, integration: str, directory: Directory) -> Judgement:
    """Stored for the integration that the URL names, if its secret signed the body and the body is an object."""
    recipient = directory.recipient(integration)
    if recipient is None:
        return refused("unknown", "no integration of that name: check the webhook's URL")
    refusal = _refusal(arrived, recipient)
    if refusal:
        return Judgement(refusals=(refusal,))
    if not isinstance(parsed(arrived.body), dict):
        return refused("not_json", "the body must be a JSON object")
    return Judgement((integration,))


def _refusal(arrived: Arrived, recipient: Recipient) -> WebhookRefusal | None:
    header = arrived.headers.get(SIGNATURE)
    if recipient.state == "disconnected":
        return WebhookRefusal("disconnected", "the integration is disconnected: delete the webhook subscription")
    if not header:
        return unsigned("missing", SIGNATURE)
    if recipient.sealed and not recipient.userflow_secrets:
        return WebhookRefusal(
            "sealed", "PAIRSTREAM_SECRET_KEY does not open the secret: set the key it was sealed with"
        )
    if not recipient.userflow_secrets:
        # the connector makes the subscription before its secret can be read here
        return WebhookRefusal("no_secret", "the subscription's secret is not known yet: send it again")
    verdict = _verified(arrived, header, recipient.userflow_secrets)
    return None if verdict else unsigned(verdict.reason, SIGNATURE)


def _verified(arrived: Arrived, header: str, secrets: tuple[str, ...]) -> SignatureCheck:
    verdicts = [verify_signature(header, arrived.body, secret, arrived.at_ms / 1000) for secret in secrets]
    return next((verdict for verdict in verdicts if verdict), verdicts[0])
