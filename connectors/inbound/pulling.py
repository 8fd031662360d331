"""Pulls the feeds of one integration: news are published first, then how far they were pulled is kept.

A crash between the two repeats news, and a repeat does no harm; nothing is left out.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.contract.errors import ConnectorError, Denied, Missing, Refused, Retryable
from connectors.contract.feed import Feed, Feeds, FeedSettings, Kept, Pulled
from connectors.contract.sink import OwnershipLost
from connectors.http.meter import Meter
from connectors.http.retry import CALLS, Tries
from connectors.inbound.patrol import Patrol
from connectors.inbound.positions import Positions
from connectors.inbound.run_requests import request_run
from connectors.session.context import IntegrationContext, seen
from connectors.session.wall import contained
from schemas.records import Cause, Notification
from schemas.spent import with_spent
from schemas.topics import notifications_topic

log = logging.getLogger(__name__)

KEPT_AGAIN_MS: Final = 600_000  # an unchanged position is kept again, so that its time tells how long nobody pulled
NOT_OURS_S: Final = 1.0  # the next look at a partition that may be somebody else's by now
LEAST_WAIT_S: Final = 0.05  # between two pulls: a system that has nothing to say and names no wait is no tight loop
PATROLLED: Final = "/patrol"


class Pulling:
    """All feeds of an integration; `settings` bounds the patrols."""

    def __init__(self, context: IntegrationContext, feeds: Feeds, positions: Positions, settings: FeedSettings) -> None:
        self._context = context
        self._feeds = feeds
        self._positions = positions
        self._settings = settings
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled; raises what a feed raised that nobody foresaw."""
        feeds, changes = self._feeds, self._context.state.changes
        try:
            while True:
                version = changes.version
                self._fit((*feeds.names(), *(f"{object_type}{PATROLLED}" for object_type in feeds.patrolled())))
                waiting = asyncio.ensure_future(changes.wait_after(version))
                try:
                    await asyncio.wait({waiting, *self._tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
                for task in [task for task in self._tasks.values() if task.done()]:
                    task.result()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _fit(self, names: Sequence[str]) -> None:
        """A task for each feed that the catalog asks for, none for others."""
        for name in [name for name in self._tasks if name not in names]:
            self._tasks.pop(name).cancel()
        for name in names:
            if name not in self._tasks:
                pull = _Pull(self._context, self._opened(name), self._positions, name)
                self._tasks[name] = asyncio.create_task(pull.run())

    def _opened(self, name: str) -> Feed:
        if name.endswith(PATROLLED):
            return Patrol(self._context.account.source, name.removesuffix(PATROLLED), self._settings.patrol_per_s)
        return self._feeds.open(name)


@dataclass(slots=True)
class _Pull:
    """One feed, pulled again and again."""

    context: IntegrationContext
    feed: Feed
    positions: Positions
    name: str
    tries: Tries = field(default_factory=Tries)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._may_pull()
            kept, began_ms = self.positions.kept(self.name), self.context.now_ms()
            meter = Meter(self.context.clock.monotonic)
            try:
                with meter.measuring():
                    pulled = await self._asked(kept)
            except (OwnershipLost, Denied):  # `_may_pull` waits until it is not so any more
                continue
            except Retryable as error:
                await self._again_after(error)
                continue
            except (Refused, Missing) as error:
                self._refused(error)
                continue
            except ConnectorError as error:
                self.context.state.fail(error)
                continue
            self.tries = Tries()
            # a change that tells no time counts as of before every erasure, and would be refused for ever
            spent, cause = meter.spent(), Cause("", -1, -1, began_ms)
            cause = with_spent(cause, read_s=spent.system_s, budget_s=spent.budget_s)
            await self._published(pulled, cause)
            await self._keep(pulled, kept)
            await self.context.clock.sleep(pulled.wait_s)

    async def _may_pull(self) -> None:
        """Wait until the integration is active, the system works, the partition is ours, and nothing is denied."""
        context = self.context
        await context.clock.sleep(LEAST_WAIT_S)
        while True:
            await context.state.changes.until(self._is_wanted)
            if context.may_write():
                return
            await context.clock.sleep(NOT_OURS_S)

    def _is_wanted(self) -> bool:
        state = self.context.state
        denied = {self.name, self.feed.object_type}
        return (
            not state.away and not state.closing and not any((name, "read") in state.denied for name in denied if name)
        )

    async def _asked(self, kept: Kept | None) -> Pulled:
        async def pull() -> Pulled:
            return await self.feed.pull(kept, self.context.now_ms())

        return await self.context.asked(pull, self.feed.object_type or self.name, "read")

    async def _again_after(self, error: Retryable) -> None:
        """Wait as the policy says; where it gives up, the system is away, or this feed alone fails and is told."""
        context = self.context
        self.tries = self.tries.after(error, context.clock.monotonic())
        wait_s = CALLS.wait_s(error, self.tries, context.uniform)
        if wait_s is not None:
            await context.clock.sleep(wait_s)
            return
        self.tries = Tries()
        try:
            await contained(context.account.setup.probe())
        except ConnectorError as probed:
            context.state.fail(probed)
        else:
            self._refused(error)

    def _refused(self, error: ConnectorError) -> None:
        """The system works and refuses this: it is told, left for a while, and goes on where it was kept."""
        log.warning(
            "%s: %s of %s cannot be pulled: %s", self.context.integration, self.name, self.context.system, error
        )
        self.context.state.deny(self.name, "read", error.reason)

    async def _published(self, pulled: Pulled, cause: Cause) -> None:
        """The news are with the brokers when this returns; objects were read at the cause's time at the earliest."""
        context = self.context
        if pulled.objects:
            await context.bulk_credit(len(pulled.objects))
            # bulk by their credit; written like live changes, for that is what most of their few changes are
            object_type = self.feed.object_type or ""
            await context.observed_all(seen(object_type, one, "poll", None, False, cause) for one in pulled.objects)
        for body in pulled.bodies:
            notification = Notification(context.integration, context.system, body, {}, context.now_ms())
            await context.publish(notifications_topic(context.system), context.integration, notification)
        if pulled.gap is not None:
            log.warning("%s: news of %s were lost (%s)", context.integration, context.system, pulled.gap)
            await request_run(context.send, context.integration, context.now_ms())

    async def _keep(self, pulled: Pulled, kept: Kept | None) -> None:
        now_ms = self.context.now_ms()
        if kept is None or kept.position != pulled.position or now_ms - kept.at_ms >= KEPT_AGAIN_MS:
            await self.positions.keep(self.name, Kept(pulled.position, now_ms))
