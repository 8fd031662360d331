"""Connecting by OAuth: a one-time link at which somebody grants access, and what became of it."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from connectors.receiver.consent import START, hashed
from connectors.receiver.consent_pages import why
from pipeline.integration_file.loader import read_document
from pipeline.operations import OperationRefused
from pipeline.operations.apply import POLL_EVERY_S
from pipeline.provisioning.custom_types import resolved
from pipeline.provisioning.scopes import needed_scopes
from schemas.configuration import ConnectAnswer, ConnectLink, IntegrationPart, IntegrationSettings, Sections
from schemas.integrations import settings_of, to_connect, types_of
from schemas.topics import INTEGRATIONS

VALID_MS: Final = 10 * 60 * 1000
LATE_S: Final = 20.0
"""How long after a link's end an answer is waited for: somebody may have come back in the last moment."""


class NotConnected(OperationRefused):
    """No access was granted; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link that was just made; `token` stands nowhere else."""

    token: str = field(repr=False)
    record: ConnectLink = field(repr=False)

    def url(self, public_url: str) -> str:
        """Where it leads."""
        return f"{public_url}{START}?link={self.token}"


def new_link(integration: str, parts: Mapping[str, IntegrationPart], now_ms: int) -> NewLink:
    """A link for an integration, asking for what its file needs. Raises NotConnected where none would help.

    Where an apply waits for access while something else is in force, the link is for what it asks for.
    """
    settings = settings_of(parts, integration)
    if settings is None or settings.state == "disconnected":
        raise NotConnected(f"{integration} is not connected to anything. Fix: `pairstream apply` its file first")
    wanted = to_connect(parts, integration, settings)
    if "client_id" not in wanted.hubspot.options:
        raise NotConnected(
            f"{integration} has a token, which nobody grants in a browser. "
            "Fix: write `oauth:` instead of `token:` into its file, and apply it"
        )
    token = secrets.token_urlsafe(32)
    scopes = tuple(_scopes(integration, wanted, parts))
    return NewLink(token, ConnectLink(hashed(token), scopes, now_ms, now_ms + VALID_MS))


def _scopes(
    integration: str, wanted: IntegrationSettings | Sections, parts: Mapping[str, IntegrationPart]
) -> list[str]:
    """What that file needs, and what was asked for last: a file is refused for the very scopes it lacks."""
    types, asked = types_of(parts, integration), parts.get(f"{integration}/desired")
    documents = {wanted.document}
    if asked is not None and asked.desired is not None and asked.desired.hubspot.account == wanted.hubspot.account:
        documents.add(asked.desired.document)
    scopes = {scope for text in documents for scope in needed_scopes(resolved(read_document(text), types))}
    return sorted(scopes | {"oauth"})


async def ask(publisher: Publisher, integration: str, link: ConnectLink) -> None:
    """Let the receivers know of the link; an earlier one opens nothing from then on."""
    await publisher.send(INTEGRATIONS, f"{integration}/link", IntegrationPart(integration, link=link))


async def wait_until_connected(
    tables: TableReader, integration: str, link: ConnectLink, now_ms: Callable[[], int]
) -> ConnectAnswer:
    """The answer of who came back by the link. Raises NotConnected."""
    until = time.monotonic() + (link.expires_at_ms - now_ms()) / 1000 + LATE_S
    while time.monotonic() < until:
        parts = tables.table(INTEGRATIONS)
        told, newest = parts.get(f"{integration}/hubspot/consent"), parts.get(f"{integration}/link")
        if told is not None and told.consent is not None and told.consent.link == link.link:
            return _connected(integration, parts, told.consent)
        if newest is not None and newest.link is not None and newest.link.asked_at_ms > link.asked_at_ms:
            raise NotConnected(f"{integration}: a newer link took the place of this one")
        settings = settings_of(parts, integration)
        if settings is None or settings.state == "disconnected":
            raise NotConnected(f"{integration} was disconnected meanwhile: the link opens nothing any more")
        await asyncio.sleep(POLL_EVERY_S)
    raise NotConnected(f"{integration}: nobody granted access in time; nothing was changed. {_anew(integration)}")


def _connected(integration: str, parts: Mapping[str, IntegrationPart], answer: ConnectAnswer) -> ConnectAnswer:
    if answer.reason is None:
        return answer
    settings = settings_of(parts, integration)
    account = to_connect(parts, integration, settings).hubspot.account if settings is not None else "another"
    reason = why(integration, account, answer)
    raise NotConnected(f"{integration}: {reason} Nothing was changed ({answer.reason}). {_anew(integration)}")


def _anew(integration: str) -> str:
    return f"Fix: `pairstream connect {integration}` makes a new link"
