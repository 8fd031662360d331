"""What authorises the requests to one HubSpot account: a static token, or an OAuth grant that is renewed in time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from connectors.clock import Clock
from connectors.contract.errors import CredentialsRejected, Retryable
from connectors.http.messages import Call
from connectors.hubspot.protocol import Grant, OAuthApp, refresh_token

SendGrant: TypeAlias = Callable[[Call[Grant]], Awaitable[Grant]]
StoreGrant: TypeAlias = Callable[[Grant], Awaitable[None]]

RENEW_AHEAD_S = 300.0
RENEW_AHEAD_SHARE = 0.2
"""A token is renewed five minutes before its end, a short-lived one in the last fifth of its life."""


class Credentials(Protocol):
    """A source of access tokens."""

    async def token(self, send: SendGrant) -> str:
        """A token that is valid now; `send` carries the refresh when one is due."""
        ...

    async def replace(self, rejected: str, send: SendGrant) -> str:
        """Another token than the one that was rejected; raises CredentialsRejected when there is none to be had."""
        ...


class StaticToken:
    """A private app's token or a service key: it neither ends nor can be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, send: SendGrant) -> str:
        """The token."""
        return self._token

    async def replace(self, rejected: str, send: SendGrant) -> str:
        """There is no other."""
        raise CredentialsRejected("unauthorized", status=401)


class OAuthCredentials:
    """An OAuth grant; many callers at once cause one refresh.

    `store` is given each grant whose refresh token is new, before its access token is used.
    """

    def __init__(self, app: OAuthApp, refresh_token: str, store: StoreGrant, clock: Clock) -> None:
        self._app = app
        self._refresh_token = refresh_token
        self._store = store
        self._clock = clock
        self._stored_token = refresh_token
        self._renewal: asyncio.Task[None] | None = None
        self._access_token: str | None = None
        self._renew_at = self._ends_at = 0.0

    async def token(self, send: SendGrant) -> str:
        """The token in use, renewed ahead of its end; while it still holds, a failed renewal is no trouble."""
        if not self._fresh():
            await self._renewed_if_possible(send)
        return self._held()

    async def replace(self, rejected: str, send: SendGrant) -> str:
        """The token somebody else has renewed meanwhile, or a new one."""
        if self._access_token == rejected:
            await self._renewed(send)
        return self._held()

    def _fresh(self) -> bool:
        return self._access_token is not None and self._clock.monotonic() < self._renew_at

    def _held(self) -> str:
        if self._access_token is None:
            raise CredentialsRejected("no_token")
        return self._access_token

    async def _renewed_if_possible(self, send: SendGrant) -> None:
        try:
            await self._renewed(send)
        except Retryable:
            if self._access_token is None or self._clock.monotonic() >= self._ends_at:
                raise

    async def _renewed(self, send: SendGrant) -> None:
        """Join the renewal under way, or start one; no caller's cancellation may lose a token HubSpot has changed."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(send))
        await asyncio.shield(self._renewal)

    async def _renew(self, send: SendGrant) -> None:
        asked_at = self._clock.monotonic()
        grant = await send(refresh_token(self._app, self._refresh_token))
        self._refresh_token = grant.refresh_token
        if self._refresh_token != self._stored_token:
            await self._store(grant)
            self._stored_token = grant.refresh_token
        self._access_token = grant.access_token
        self._ends_at = asked_at + grant.expires_in_s
        self._renew_at = self._ends_at - min(RENEW_AHEAD_S, grant.expires_in_s * RENEW_AHEAD_SHARE)
