"""Who may send the next request of an integration: queues by purpose in front of the vendor's limits."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from connectors.clock import Clock
from connectors.contract.errors import RateLimited
from connectors.http.messages import Purpose, RateNotice
from connectors.http.meter import waiting_for_a_place
from connectors.http.rate_limits import NEVER, Limiter
from schemas.vitals import BudgetVitals

WEIGHTS: dict[Purpose, float] = {
    "live_read": 40,
    "write": 40,
    "control": 40,
    "search": 40,
    "bulk_read": 20,
    "bulk_write": 20,
}
"""How places are shared when all compete; nobody waits for ever."""

SAVED_TURNS = 5

LONGEST_WAIT_S: Final = 900.0
"""The longest wait that an answer may ask for: a vendor that asks for a year, by mistake, would end all calls."""

log = logging.getLogger(__name__)


class RequestBudget:
    """The limits of one integration; `search` is a limit of its own where the vendor counts searches apart.

    `longest_wait_s` caps every wait and interval that an answer asks for.
    """

    def __init__(
        self,
        clock: Clock,
        limiter: Limiter,
        search: Limiter | None = None,
        *,
        longest_wait_s: float = LONGEST_WAIT_S,
        name: str = "a system",
    ) -> None:
        """`name` stands in logs."""
        self._clock = clock
        self._general = _Queue(clock, limiter)
        self._search = self._general if search is None else _Queue(clock, search)
        self._longest_wait_s = longest_wait_s
        self._name = name
        self._told = 0.0  # the last wait that was told as too long
        self._capped_until = -NEVER

    @property
    def capping(self) -> bool:
        """Whether a wait holds that was asked for longer: few calls leave, or none, though nothing has failed."""
        return self._clock.monotonic() < self._capped_until

    @property
    def spent(self) -> float:
        """The share of the limit that is spent now; 0 where the vendor names none."""
        return self._general.spent

    def vitals(self, integration: str, system: str) -> tuple[BudgetVitals, ...]:
        """Each limit as it is now."""
        queues = {"general": self._general, "search": self._search}
        if self._search is self._general:
            del queues["search"]
        return tuple(queue.vitals(integration, system, limit) for limit, queue in queues.items())

    def capped(self, wait_s: float) -> float:
        """The wait that is kept; a longer one that was asked for is told."""
        if wait_s <= self._longest_wait_s:
            return wait_s
        self._capped_until = self._clock.monotonic() + self._longest_wait_s
        if wait_s != self._told:
            self._told = wait_s
            log.warning("%s asks for a wait of %.3g s: %.0f s are kept", self._name, wait_s, self._longest_wait_s)
        return self._longest_wait_s

    @asynccontextmanager
    async def slot(self, purpose: Purpose) -> AsyncIterator["Slot"]:
        """Wait for a place and hold it until the answer is read; safe to cancel at any point."""
        queue = self._search if purpose == "search" else self._general
        with waiting_for_a_place():
            sent_at = await queue.take(purpose)
        try:
            yield Slot(self, queue, sent_at)
        finally:
            queue.end(purpose, sent_at)

    def penalize(self, wait_s: float) -> None:
        """Nothing of this integration leaves for that many seconds, as after the daily limit."""
        for queue in {self._general, self._search}:
            queue.throttle(wait_s, NEVER)


class Budget(Protocol):
    """The interface that a client asks for a place before each request."""

    def slot(self, purpose: Purpose) -> AbstractAsyncContextManager["Slot"]: ...


@dataclass(frozen=True, slots=True)
class BulkBudget:
    """The same limits for writes that are bulk: they take what live ones leave."""

    budget: RequestBudget

    def slot(self, purpose: Purpose) -> AbstractAsyncContextManager["Slot"]:
        """A place for bulk where one for a write is asked for."""
        return self.budget.slot("bulk_write" if purpose == "write" else purpose)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that is held; passes on to the budget what the answer says of limits."""

    _budget: RequestBudget
    _queue: "_Queue"
    _sent_at: float

    def follow(self, notice: RateNotice | None) -> None:
        """Pass on the limit that the headers name."""
        if notice is not None:
            self._queue.follow(replace(notice, interval_s=self._budget.capped(notice.interval_s)))

    def limited(self, error: RateLimited) -> None:
        """The answer refused the request for its rate: its lane pauses, and after the daily limit all lanes do."""
        wait_s = None if error.wait_s is None else self._budget.capped(error.wait_s)
        self._queue.throttle(wait_s, self._sent_at)
        if error.policy == "daily" and wait_s is not None:
            self._budget.penalize(wait_s)


class _Queue:
    """Waiting requests in front of one limiter, served by weight (stride scheduling)."""

    def __init__(self, clock: Clock, limiter: Limiter) -> None:
        self._clock = clock
        self._limiter = limiter
        self._waiting: dict[Purpose, deque[asyncio.Future[float]]] = {purpose: deque() for purpose in WEIGHTS}
        self._spent: dict[Purpose, float] = dict.fromkeys(WEIGHTS, 0.0)
        self._reached = 0.0
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = NEVER
        self._day: tuple[int | None, int | None] = (None, None)  # requests of a day, and how many are left

    async def take(self, purpose: Purpose) -> float:
        """Wait for a place; answers when it was given."""
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if not self._waiting[purpose]:
            self._spent[purpose] = max(self._spent[purpose], self._reached)
        self._waiting[purpose].append(turn)
        self._serve()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._serve()
            else:
                # the place was given at the moment of the cancellation: it must go to somebody else
                self.end(purpose, turn.result())
            raise

    def end(self, purpose: Purpose, sent_at: float) -> None:
        """The request is over, with or without an answer."""
        self._limiter.ended(purpose, sent_at, self._clock.monotonic())
        self._serve()

    @property
    def spent(self) -> float:
        """The share of the limiter's places that are taken."""
        return self._limiter.spent(self._clock.monotonic())

    def vitals(self, integration: str, system: str, limit: str) -> BudgetVitals:
        """The limit as it is now."""
        now = self._limiter.standing(self._clock.monotonic())
        waiting = {purpose: sum(not turn.done() for turn in turns) for purpose, turns in self._waiting.items()}
        return BudgetVitals(
            integration,
            system,
            limit,
            now.ceiling,
            round(now.interval_s * 1000),
            now.found,
            {purpose: number for purpose, number in now.used.items() if number},
            now.others,
            {purpose: number for purpose, number in waiting.items() if number},
            round(now.paused_s * 1000),
            *self._day,
        )

    def follow(self, notice: RateNotice) -> None:
        """An answer's headers name the limit."""
        self._limiter.follow(notice, self._clock.monotonic())
        if notice.day_limit is not None:
            self._day = notice.day_limit, notice.day_remaining

    def throttle(self, wait_s: float | None, sent_at: float) -> None:
        """A request was refused for its rate."""
        self._limiter.throttled(wait_s, sent_at, self._clock.monotonic())

    def _serve(self) -> None:
        while True:
            now = self._clock.monotonic()
            opening = {purpose: self._limiter.opens_at(purpose, now) for purpose in self._lanes()}
            ready = [purpose for purpose, opens_at in opening.items() if opens_at <= now]
            if not ready:
                self._wake_at(min(opening.values(), default=NEVER), now)
                return
            self._give(min(ready, key=self._standing), now)

    def _lanes(self) -> list[Purpose]:
        for turns in self._waiting.values():
            while turns and turns[0].done():
                turns.popleft()
        return [purpose for purpose, turns in self._waiting.items() if turns]

    def _standing(self, purpose: Purpose) -> float:
        """A lane's use by its weight; a lane that a limit held back saves up some turns, an idle lane none."""
        return max(self._spent[purpose], self._reached - SAVED_TURNS / WEIGHTS[purpose])

    def _give(self, purpose: Purpose, now: float) -> None:
        standing = self._standing(purpose)
        self._reached = max(self._reached, standing)
        self._spent[purpose] = standing + 1 / WEIGHTS[purpose]
        self._limiter.took(purpose, now)
        self._waiting[purpose].popleft().set_result(now)

    def _wake_at(self, at: float, now: float) -> None:
        if self._alarm is not None and self._alarm_at <= at and at != NEVER:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if at != NEVER:
            self._alarm_at = at
            self._alarm = asyncio.get_running_loop().create_task(self._ring(at - now))

    async def _ring(self, wait_s: float) -> None:
        await self._clock.sleep(wait_s)
        self._alarm = None
        self._serve()
