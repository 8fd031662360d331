"""Delivers webhooks as vendors do: batched, concurrent, retried and, on request, late, twice, shuffled or never."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

from connectors.simulation.clock import VendorClock
from connectors.simulation.settings import SimulatorSettings

T = TypeVar("T")
_DELIVERIES_KEPT = 5_000


@dataclass(frozen=True)
class Post:
    """One webhook request, signed and ready."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Delivery:
    """One attempt; `status` 0 if the receiver was unreachable or too slow. `attempt` counts from 0."""

    time_ms: int
    url: str
    events: int
    attempt: int
    status: int


class Courier(Generic[T]):
    """Takes events of type T; `compose(events, attempt)` writes the request, None if no subscriber wants it."""

    def __init__(
        self,
        compose: Callable[[Sequence[T], int], Post | None],
        settings: Callable[[], SimulatorSettings],
        clock: Callable[[], VendorClock],
        rng: random.Random,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._compose, self._settings, self._clock, self._rng = compose, settings, clock, rng
        self._transport = transport
        self._waiting: deque[T] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pump: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None
        self._in_flight = 0
        self._freed = asyncio.Event()
        self.deliveries: deque[Delivery] = deque(maxlen=_DELIVERIES_KEPT)

    @property
    def pending(self) -> int:
        """Events and requests not yet delivered or given up."""
        return len(self._waiting) + len(self._tasks)

    def submit(self, event: T) -> None:
        """Take one event; outside a running loop, the next `wake` delivers it."""
        settings = self._settings()
        if self._chance(settings.webhook_drop_probability):
            return
        copies = 2 if self._chance(settings.webhook_duplicate_probability) else 1
        for _ in range(copies):
            delay_ms = self._delay_ms(settings)
            if delay_ms and _loop_runs():
                self._spawn(self._later(event, delay_ms))
            else:
                self._waiting.append(event)
        self.wake()

    def wake(self) -> None:
        """Start delivering the waiting events."""
        if self._waiting and self._pump is None and _loop_runs():
            self._pump = self._spawn(self._run())

    async def close(self) -> None:
        """Cancel every delivery; no task outlives this call."""
        self._waiting.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pump, self._in_flight = None, 0
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self._rng.random() < probability

    def _delay_ms(self, settings: SimulatorSettings) -> float:
        held = settings.webhook_delay_ms if self._chance(settings.webhook_delay_probability) else 0.0
        shuffled = self._chance(settings.webhook_reorder_probability)
        return held + (self._rng.uniform(0, settings.webhook_reorder_ms) if shuffled else 0.0)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _later(self, event: T, delay_ms: float) -> None:
        await asyncio.sleep(delay_ms / 1000)
        self._waiting.append(event)
        self.wake()

    async def _run(self) -> None:
        while self._waiting:
            settings = self._settings()
            if settings.webhook_window_ms and len(self._waiting) < settings.webhook_batch_size:
                await asyncio.sleep(settings.webhook_window_ms / 1000)
            await self._take_place()
            size = min(settings.webhook_batch_size, len(self._waiting))
            self._spawn(self._deliver([self._waiting.popleft() for _ in range(size)]))
        self._pump = None

    async def _deliver(self, events: Sequence[T]) -> None:
        for attempt in range(self._settings().webhook_attempts):
            if attempt:
                # a request waiting for its retry is not in flight: others may go
                await asyncio.sleep(self._backoff_s(attempt - 1))
                await self._take_place()
            try:
                post = self._compose(events, attempt)
                if post is None or await self._attempt(post, len(events), attempt):
                    return
            finally:
                self._in_flight -= 1
                self._freed.set()

    async def _take_place(self) -> None:
        while self._in_flight >= self._settings().webhook_max_in_flight:
            self._freed.clear()
            await self._freed.wait()
        self._in_flight += 1

    async def _attempt(self, post: Post, events: int, attempt: int) -> bool:
        timeout_s = self._settings().webhook_timeout_ms / 1000
        if self._client is None:
            # kept as long as a receiver keeps it (5 s), a connection is used, now and then, when it was just closed
            limits = httpx.Limits(keepalive_expiry=1)
            self._client = httpx.AsyncClient(transport=self._transport, timeout=timeout_s, limits=limits)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._client.post(post.url, content=post.body, headers=dict(post.headers))
            status = answer.status_code
        except (httpx.HTTPError, TimeoutError):
            status = 0
        self.deliveries.append(Delivery(self._clock().now_ms(), post.url, events, attempt, status))
        return 200 <= status < 300

    def _backoff_s(self, attempt: int) -> float:
        settings = self._settings()
        full_ms = min(settings.webhook_backoff_cap_ms, settings.webhook_backoff_ms * 2**attempt)
        return self._rng.uniform(full_ms / 2, full_ms) / 1000


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
