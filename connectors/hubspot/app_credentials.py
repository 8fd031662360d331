"""Authorises an app itself, not a grant of an account: the journal's requests are the app's own."""

import asyncio
from typing import TypeVar

from connectors.clock import Clock
from connectors.contract.errors import CredentialsRejected, Misconfigured
from connectors.http.messages import Call
from connectors.hubspot.client import HubSpotClient
from connectors.hubspot.credentials import SendGrant, renew_ahead_s
from connectors.hubspot.protocol import OAuthApp, client_credentials
from connectors.hubspot.protocol.journal import SCOPES

T = TypeVar("T")

REFUSED = "journal_refused"
"""Reason of Misconfigured: HubSpot gives this app no token for its journal. The account's own grant may be fine."""


class AppCredentials:
    """A token of the app for its journal, renewed before its end; concurrent callers share one request."""

    def __init__(self, app: OAuthApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._token = ""
        self._renew_at = float("-inf")
        self._asking = asyncio.Lock()

    async def token(self, send: SendGrant) -> str:
        """A valid token. Raises Misconfigured `journal_refused`."""
        async with self._asking:
            if self._clock.monotonic() >= self._renew_at:
                await self._ask(send)
            return self._token

    async def replace(self, rejected: str, send: SendGrant) -> str:
        """A token other than the rejected one. Raises Misconfigured `journal_refused`."""
        async with self._asking:
            if self._token == rejected:
                await self._ask(send)
            return self._token

    def revocation(self) -> Call[None] | None:
        """None: the app's own token was granted by nobody."""
        return None

    async def close(self) -> None:
        """Nothing is kept, so nothing can be lost."""

    async def _ask(self, send: SendGrant) -> None:
        asked_at = self._clock.monotonic()
        try:
            grant = await send(client_credentials(self._app, SCOPES))
        except Misconfigured as error:
            raise Misconfigured(REFUSED, needed=SCOPES, status=error.status) from error
        self._token = grant.access_token
        self._renew_at = asked_at + grant.expires_in_s - renew_ahead_s(grant.expires_in_s)


class AppClient(HubSpotClient):
    """Sends as the app: the rejection of its credentials means a setting of the app, no grant to be renewed."""

    async def send(self, call: Call[T]) -> T:
        """As HubSpotClient; raises Misconfigured `journal_refused` instead of CredentialsRejected."""
        try:
            return await super().send(call)
        except CredentialsRejected as error:
            raise Misconfigured(REFUSED, needed=SCOPES, status=error.status) from error
