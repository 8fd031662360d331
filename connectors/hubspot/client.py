"""Sends calls to one HubSpot account: waits for the budget, adds the token, reads the answer; never retries."""

from dataclasses import replace
from typing import TypeVar

from connectors.clock import Clock
from connectors.contract.errors import CredentialsRejected
from connectors.contract.metrics import ApiMetrics
from connectors.http.budget import LONGEST_WAIT_S, Budget, RequestBudget
from connectors.http.exchange import Exchange
from connectors.http.messages import Call, Request, Transport
from connectors.http.rate_limits import RollingWindow, WindowSettings
from connectors.hubspot.credentials import Credentials
from connectors.hubspot.protocol import DEFAULT_VERSION, rate_notice, spelled

T = TypeVar("T")

SEARCH_WINDOW = WindowSettings(limit=4, interval_s=1.0, in_flight=3, margin=1.0, announced=False)
"""HubSpot counts searches apart, five a second per account, and sends no limit for them in headers."""


class HubSpotClient:
    """One account by one app; `api_version` is a date such as `2026-03`, or `v3` for the legacy paths."""

    def __init__(
        self,
        transport: Transport,
        budget: Budget,
        credentials: Credentials,
        api_version: str = DEFAULT_VERSION,
        metrics: ApiMetrics | None = None,
    ) -> None:
        self._exchange = Exchange(transport, budget, metrics or ApiMetrics(), rate_notice)
        self._credentials = credentials
        self._api_version = api_version

    async def send(self, call: Call[T]) -> T:
        """Send one call and return its parsed answer; raises the errors of `connectors.contract.errors`.

        A rejected token is replaced once, and the call repeated once.
        """
        if not call.request.authorized:
            return await self._carry(call, call.request)
        token = await self._credentials.token(self.send)
        try:
            return await self._carry(call, _authorized(call.request, token))
        except CredentialsRejected:
            another = await self._credentials.replace(token, self.send)
        return await self._carry(call, _authorized(call.request, another))

    async def _carry(self, call: Call[T], request: Request) -> T:
        return await self._exchange.carry(call, replace(request, path=spelled(request.path, self._api_version)))


def _authorized(request: Request, token: str) -> Request:
    return request.with_header("Authorization", f"Bearer {token}")


def windowed_budget(
    clock: Clock,
    settings: WindowSettings | None = None,
    *,
    longest_wait_s: float = LONGEST_WAIT_S,
    name: str = "HubSpot",
) -> RequestBudget:
    """The budget of one account: a window set by the headers, and a separate one for searches."""
    window, searches = RollingWindow(settings), RollingWindow(SEARCH_WINDOW)
    return RequestBudget(clock, window, searches, longest_wait_s=longest_wait_s, name=name)
