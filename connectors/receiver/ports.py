"""What the receiver is given from outside: whom webhooks are for, where they are stored, how they are counted."""

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
"""How a webhook ended; all but `stored` are also the `error` of the answer."""

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
"""A sentence for each, for people."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An integration as its webhooks concern it.

    Secrets are the newest first, then those that were replaced a moment ago. `sealed` says that a secret is there
    which this process cannot open.
    """

    integration: str
    state: IntegrationState
    account: str
    hubspot_secrets: tuple[str, ...] = field(default=(), repr=False)
    userflow_secrets: tuple[str, ...] = field(default=(), repr=False)
    sealed: bool = False


class Directory(Protocol):
    """The integrations there are, disconnected ones too."""

    def recipient(self, integration: str) -> Recipient | None:
        """The integration of that name."""
        ...

    def of_account(self, account: str) -> Sequence[Recipient]:
        """The integrations whose HubSpot account that is."""
        ...

    def has_sealed(self) -> bool:
        """Whether a secret is there that this process cannot open."""
        ...


class Visitor(Protocol):
    """The connection that a request came by, if the server tells of it."""

    @property
    def known(self) -> bool:
        """Whether something signed came from there before: strangers are shed first."""
        ...

    def prove(self) -> None:
        """Something signed came just now."""
        ...


class NotStored(RuntimeError):
    """The brokers did not take a webhook: the vendor has to send it again."""


class StoreNotification(Protocol):
    """Where webhooks are kept."""

    async def store(self, notification: Notification) -> None:
        """Return once the brokers have it, under its integration's key. Raises NotStored."""
        ...

    async def problem(self) -> str | None:
        """Why a webhook could not be stored now; None when it could."""
        ...


class Count(Protocol):
    """Counts webhooks by how they ended."""

    def __call__(self, system: System, result: WebhookResult, number: int = 1) -> None: ...
