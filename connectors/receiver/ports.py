"""The receiver's ports: its directory of integrations, its store of webhooks, its counter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from schemas.configuration import IntegrationState
from schemas.records import Notification
from schemas.values import System

WebhookResult = Literal[
    "stored",
    "too_large",
    "broken_off",
    "missing",
    "malformed",
    "stale",
    "mismatch",
    "no_secret",
    "no_account",
    "unknown",
    "disconnected",
    "sealed",
    "overloaded",
    "not_stored",
    "too_slow",
]
"""The end of a webhook; every value but `stored` is also the `error` of the answer."""

WEBHOOK_RESULTS: Final[Mapping[WebhookResult, str]] = {
    "stored": "verified and on its topic",
    "too_large": "the body is larger than the receiver takes",
    "broken_off": "the request ended before its body did",
    "missing": "there is no signature",
    "malformed": "the signature cannot be read",
    "stale": "the signature's time is more than 5 minutes from ours",
    "mismatch": "the signature does not fit: check the secret and PAIRSTREAM_PUBLIC_URL",
    "no_secret": "the secret that the signature needs is not known (yet)",
    "no_account": "no account number stands in the body",
    "unknown": "no integration has this account or name",
    "disconnected": "the integration is disconnected",
    "sealed": "PAIRSTREAM_SECRET_KEY does not open the secret",
    "overloaded": "too many webhooks at once",
    "not_stored": "the brokers did not take it",
    "too_slow": "it was not read and stored in time",
}
"""A sentence for people about each end."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An integration as the receiver knows it.

    Secrets are newest first, then recently replaced ones. `sealed` means that a secret exists which this process
    cannot open.
    """

    integration: str
    state: IntegrationState
    account: str
    hubspot_secrets: tuple[str, ...] = field(default=(), repr=False)
    userflow_secrets: tuple[str, ...] = field(default=(), repr=False)
    sealed: bool = False


class Directory(Protocol):
    """All integrations, disconnected ones too."""

    def recipient(self, integration: str) -> Recipient | None:
        """The integration of that name."""
        ...

    def of_account(self, account: str) -> Sequence[Recipient]:
        """The integrations of that HubSpot account."""
        ...

    def has_sealed(self) -> bool:
        """Whether a secret exists that this process cannot open."""
        ...


class Visitor(Protocol):
    """The connection of a request, if the server tracks connections."""

    @property
    def known(self) -> bool:
        """Whether a signed request came from this address before: strangers are dropped first."""
        ...

    def prove(self) -> None:
        """Record that a signed request came just now."""
        ...


class NotStored(RuntimeError):
    """The brokers did not take a webhook: the vendor has to send it again."""


class StoreNotification(Protocol):
    """The store of webhooks."""

    async def store(self, notification: Notification) -> None:
        """Return once the brokers have it, under its integration's key. Raises NotStored."""
        ...

    async def problem(self) -> str | None:
        """The reason why a webhook could not be stored now; None if it could."""
        ...


class Count(Protocol):
    """Counts webhooks by their end."""

    def __call__(self, system: System, result: WebhookResult, number: int = 1) -> None: ...
