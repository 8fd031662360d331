"""Authorises requests to one HubSpot account: a static token, or an OAuth grant that is renewed in time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from connectors.clock import Clock
from connectors.contract.errors import CredentialsRejected, Retryable, Transient
from connectors.http.messages import Call
from connectors.hubspot.protocol import Grant, OAuthApp, refresh_token, revoke_token

SendGrant: TypeAlias = Callable[[Call[Grant]], Awaitable[Grant]]
StoreGrant: TypeAlias = Callable[[Grant], Awaitable[None]]

RENEW_AHEAD_S = 300.0
RENEW_AHEAD_SHARE = 0.2
RENEW_AGAIN_S = 15.0
"""The wait after a renewal failed while the token still holds."""


def renew_ahead_s(life_s: float) -> float:
    """How long before its end a token is renewed: five minutes, a short-lived one in the last fifth of its life."""
    return min(RENEW_AHEAD_S, life_s * RENEW_AHEAD_SHARE)


class Credentials(Protocol):
    """A source of access tokens."""

    async def token(self, send: SendGrant) -> str:
        """A valid token; `send` carries the refresh if one is due."""
        ...

    async def replace(self, rejected: str, send: SendGrant) -> str:
        """A token other than the rejected one; raises CredentialsRejected if there is none."""
        ...

    def revocation(self) -> Call[None] | None:
        """The call that gives up the grant; None where nothing was granted."""
        ...

    async def close(self) -> None:
        """Return once no renewal is under way: whoever opens the account next must find the newest token kept."""
        ...


class StaticToken:
    """A private app's token or a service key: never ends, cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, send: SendGrant) -> str:
        """The token."""
        return self._token

    async def replace(self, rejected: str, send: SendGrant) -> str:
        """Raise: a static token has no successor."""
        raise CredentialsRejected("unauthorized", status=401)

    def revocation(self) -> Call[None] | None:
        """None: such a token is its maker's to delete."""
        return None

    async def close(self) -> None:
        """Nothing is ever under way."""


def _owned() -> bool:
    return True


class OAuthCredentials:
    """An OAuth grant; concurrent callers share one refresh.

    `store` receives the first grant, and each with a new refresh token, before its access token is used. `owned` is
    asked straight before a refresh: where HubSpot rotates tokens, two processes would spend the same one.
    """

    def __init__(
        self, app: OAuthApp, refresh_token: str, store: StoreGrant, clock: Clock, owned: Callable[[], bool] = _owned
    ) -> None:
        self._app = app
        self._refresh_token = refresh_token
        self._store = store
        self._clock = clock
        self._owned = owned
        self._stored_token: str | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._access_token: str | None = None
        self._renew_at = self._ends_at = 0.0

    async def token(self, send: SendGrant) -> str:
        """The current token, renewed before its end; a failed renewal is ignored while the token still holds."""
        if not self._fresh():
            await self._renewed_if_possible(send)
        return self._held()

    async def replace(self, rejected: str, send: SendGrant) -> str:
        """The token that another caller has renewed meanwhile, or a new one."""
        if self._access_token == rejected:
            await self._renewed(send)
        return self._held()

    def revocation(self) -> Call[None] | None:
        """For the newest refresh token."""
        return revoke_token(self._app, self._refresh_token)

    async def close(self) -> None:
        """Return once no renewal is under way, however it ended; whoever waits for it hears how."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])

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
            now = self._clock.monotonic()
            if self._access_token is None or now >= self._ends_at:
                raise
            # every call would wait for a renewal that hangs, though the token holds for minutes
            self._renew_at = min(now + RENEW_AGAIN_S, self._ends_at)

    async def _renewed(self, send: SendGrant) -> None:
        """Join or start the renewal; shielded from cancellation, which could lose a token that HubSpot has changed."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(send))
        await asyncio.shield(self._renewal)

    async def _renew(self, send: SendGrant) -> None:
        if not self._owned():
            raise Transient("not_owned")
        asked_at = self._clock.monotonic()
        grant = await send(refresh_token(self._app, self._refresh_token))
        self._refresh_token = grant.refresh_token
        if self._refresh_token != self._stored_token:
            await self._store(grant)
            self._stored_token = grant.refresh_token
        self._access_token = grant.access_token
        self._ends_at = asked_at + grant.expires_in_s
        self._renew_at = self._ends_at - renew_ahead_s(grant.expires_in_s)
