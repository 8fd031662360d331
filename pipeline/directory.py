"""Finds the integration a webhook is for: the receiver's view of `sync.integrations`, with opened secrets."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.receiver import Recipient
from pipeline.secrets import NoKeyFits
from schemas.configuration import SIGNING, ConnectorState, IntegrationPart, IntegrationSettings, secret_place
from schemas.integrations import connector_of, every

log = logging.getLogger(__name__)

OLD_SECRET_S: Final = 300.0
"""How long a replaced secret still verifies webhooks; those signed before the change are stale after that."""

Parts = Mapping[str, IntegrationPart]


class ConfigurationDirectory:
    """The integrations of a table of `sync.integrations`, read again after `configuration_changed`.

    `parts` gives the table, `unseal` opens a secret or raises NoKeyFits. A secret that does not open is logged once for
    its integration and leaves the others as they are.
    """

    def __init__(
        self,
        parts: Callable[[], Parts],
        unseal: Callable[[bytes, str], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._keyring = _Keyring(unseal)
        self._replaced = _Replaced(monotonic)
        self._stale = True
        self._recipients: dict[str, Recipient] = {}
        self._by_account: dict[str, tuple[str, ...]] = {}
        self._sealed = False

    def configuration_changed(self) -> None:
        """The table has changed; may be called on any thread."""
        self._stale = True

    def recipient(self, integration: str) -> Recipient | None:
        """The integration of that name, disconnected or not."""
        self._refresh()
        recipient = self._recipients.get(integration)
        return self._replaced.with_old(recipient) if recipient else None

    def of_account(self, account: str) -> Sequence[Recipient]:
        """The integrations of a HubSpot account; the claims allow only one of them to be connected."""
        self._refresh()
        names = self._by_account.get(account, ())
        return tuple(self._replaced.with_old(self._recipients[name]) for name in names)

    def has_sealed(self) -> bool:
        """Whether any connected integration has a secret that does not open here."""
        self._refresh()
        return self._sealed

    def _refresh(self) -> None:
        if not self._stale:
            return
        self._stale = False  # before the table is read: a change that comes meanwhile counts
        parts = self._parts()
        recipients = {one.integration: one for one in self._read(parts)}
        self._keyring.keep_only_used()
        self._replaced.note(self._recipients, recipients)
        self._recipients = recipients
        self._by_account = _by_account(recipients)
        self._sealed = any(one.sealed and one.state != "disconnected" for one in recipients.values())

    def _read(self, parts: Parts) -> Iterator[Recipient]:
        for name, settings in every(parts).items():
            yield self._recipient(name, settings, connector_of(parts, name, "userflow"))

    def _recipient(self, name: str, settings: IntegrationSettings, userflow: ConnectorState | None) -> Recipient:
        secrets = settings.hubspot.secrets
        # HubSpot signs with the app's client secret, so an app that is connected by OAuth needs no other
        signs = "app_secret" if secrets.get("app_secret") else "client_secret"
        sealed = (secrets.get(signs), userflow.webhook_secret if userflow else None)
        places = (secret_place(name, "hubspot", signs), secret_place(name, "userflow", SIGNING))
        opened = [self._keyring.open(name, one, place) for one, place in zip(sealed, places, strict=True)]
        return Recipient(
            name,
            settings.state,
            settings.hubspot.account,
            hubspot_secrets=_present(opened[0]),
            userflow_secrets=_present(opened[1]),
            sealed=any(one is not None and text is None for one, text in zip(sealed, opened, strict=True)),
        )


class _Keyring:
    """Opens each sealed secret once, for as long as it is in use."""

    def __init__(self, unseal: Callable[[bytes, str], str]) -> None:
        self._unseal = unseal
        self._opened: dict[tuple[bytes, str], str | None] = {}
        self._used: set[tuple[bytes, str]] = set()

    def open(self, integration: str, sealed: bytes | None, place: str) -> str | None:
        """The secret; None where there is none, or no key opens it at that place."""
        if sealed is None:
            return None
        # the place is part of the key: a copy of a seal elsewhere is another seal
        one = (sealed, place)
        self._used.add(one)
        if one not in self._opened:
            self._opened[one] = self._try(integration, sealed, place)
        return self._opened[one]

    def keep_only_used(self) -> None:
        """Forget the secrets that were not used since the last call."""
        self._opened = {one: self._opened[one] for one in self._used}
        self._used = set()

    def _try(self, integration: str, sealed: bytes, place: str) -> str | None:
        try:
            return self._unseal(sealed, place)
        except NoKeyFits:
            log.error("%s: PAIRSTREAM_SECRET_KEY does not open its secrets: webhooks are refused", integration)
            return None


@dataclass(frozen=True, slots=True)
class _Old:
    """Replaced secrets, and the time until which they verify webhooks."""

    until_s: float
    hubspot: tuple[str, ...] = field(repr=False)
    userflow: tuple[str, ...] = field(repr=False)


class _Replaced:
    """Remembers replaced secrets for OLD_SECRET_S."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._old: dict[str, _Old] = {}

    def note(self, before: Mapping[str, Recipient], after: Mapping[str, Recipient]) -> None:
        for name, old in before.items():
            new = after.get(name)
            if new is not None and _same_connection(old, new) and _secrets(new) != _secrets(old):
                until_s = self._monotonic() + OLD_SECRET_S
                self._old[name] = _Old(until_s, old.hubspot_secrets, old.userflow_secrets)

    def with_old(self, recipient: Recipient) -> Recipient:
        old = self._old.get(recipient.integration)
        if old is None:
            return recipient
        if self._monotonic() > old.until_s:
            del self._old[recipient.integration]
            return recipient
        return Recipient(
            recipient.integration,
            recipient.state,
            recipient.account,
            _joined(recipient.hubspot_secrets, old.hubspot),
            _joined(recipient.userflow_secrets, old.userflow),
            recipient.sealed,
        )


def _same_connection(old: Recipient, new: Recipient) -> bool:
    """Whether the old secrets may still count: those of another account, or of a disconnected one, end at once."""
    return old.account == new.account and "disconnected" not in (old.state, new.state)


def _secrets(recipient: Recipient) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return recipient.hubspot_secrets, recipient.userflow_secrets


def _joined(newest: tuple[str, ...], old: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*newest, *old)))


def _present(text: str | None) -> tuple[str, ...]:
    return (text,) if text else ()


def _by_account(recipients: Mapping[str, Recipient]) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for name, recipient in recipients.items():
        names[recipient.account] += (name,)
    return dict(names)
