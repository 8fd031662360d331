"""Carries the calls of one account: a place in the budget, the request measured, its answer read; no retry."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from connectors.contract.errors import ConnectorError, RateLimited
from connectors.contract.metrics import ApiMetrics
from connectors.http.budget import Budget
from connectors.http.calls_made import note_call
from connectors.http.messages import Call, Headers, Purpose, RateNotice, Request, Response, Transport
from connectors.http.meter import waiting_for_an_answer

T = TypeVar("T")


def no_notice(_: Headers) -> RateNotice | None:
    """For a vendor whose answers do not tell of its limits."""
    return None


@dataclass(frozen=True, slots=True)
class Exchange:
    """The way to one account; `notice` reads what an answer's headers say of the rate limit."""

    transport: Transport
    budget: Budget
    metrics: ApiMetrics
    notice: Callable[[Headers], RateNotice | None] = no_notice
    monotonic: Callable[[], float] = time.monotonic

    async def carry(self, call: Call[T], request: Request) -> T:
        """What the call's answer to the request says; raises the errors of `connectors.contract.errors`."""
        began = self.monotonic()
        async with self.budget.slot(call.purpose) as slot:
            self.metrics.waited(call.purpose, self.monotonic() - began)
            response = await self._sent(request, call.purpose)
            notice = self.notice(response.headers)
            if notice is not None:
                slot.follow(notice)
                self.metrics.remaining(notice.remaining)
            try:
                return call.parse(response)
            except RateLimited as error:
                slot.limited(error)
                self.metrics.limited(error.policy)
                raise

    async def _sent(self, request: Request, purpose: Purpose) -> Response:
        started = self.monotonic()
        note_call()
        try:
            with waiting_for_an_answer():
                response = await self.transport.send(request)
        except ConnectorError as error:
            self.metrics.called(purpose, error.status, self.monotonic() - started)
            raise
        self.metrics.called(purpose, response.status, self.monotonic() - started)
        return response
