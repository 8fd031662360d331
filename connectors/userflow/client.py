"""Sends calls to one Userflow environment: a place in the budget, the key, the answer read; no retry."""

from typing import Literal, TypeVar

from connectors.clock import Clock
from connectors.contract.errors import RateLimited
from connectors.http.budget import Budget, RequestBudget
from connectors.http.messages import Call, Transport
from connectors.http.rate_limits import AdaptiveRate, AdaptiveSettings
from connectors.userflow.protocol import VERSION_HEADER

T = TypeVar("T")

API_URLS: dict[Literal["us", "eu"], str] = {"us": "https://api.userflow.com", "eu": "https://api.eu.userflow.com"}


class UserflowClient:
    """One environment by its API key."""

    def __init__(self, transport: Transport, budget: Budget, api_key: str) -> None:
        self._transport = transport
        self._budget = budget
        self._api_key = api_key

    async def send(self, call: Call[T]) -> T:
        """What the call's answer says; raises the errors of `connectors.contract.errors`."""
        request = call.request.with_header(*VERSION_HEADER).with_header("Authorization", f"Bearer {self._api_key}")
        async with self._budget.slot(call.purpose) as slot:
            response = await self._transport.send(request)
            try:
                return call.parse(response)
            except RateLimited as error:
                slot.limited(error)
                raise


def adaptive_budget(clock: Clock, settings: AdaptiveSettings | None = None) -> RequestBudget:
    """The budget of a Userflow environment, whose limits are not published."""
    return RequestBudget(clock, AdaptiveRate(settings))
