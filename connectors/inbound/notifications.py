"""Turns the notifications and requests of one integration into changes: translates them, and reads the rest."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from connectors.contract.errors import OTHER_OBJECT, ConnectorError, Missing, RateLimited, Refused, Transient
from connectors.contract.source import AssociatedNews, Gone, News, ReadPurpose, Seen
from connectors.http.batches import halves
from connectors.http.calls_made import counting_calls
from connectors.http.meter import Meter, QueueMeter
from connectors.inbound.fan_out import FanOuts
from connectors.inbound.read_queue import Pending, ReadQueue, ReadReason
from connectors.inbound.run_parts import AskedTally
from connectors.inbound.run_requests import OwedRuns
from connectors.kafka.consumer import Taken
from connectors.session.context import IntegrationContext, ObservedObject, seen
from connectors.session.dispatcher import BatchDispatcher
from connectors.session.echoes import ECHO_WITHIN_S, RecentWrites
from connectors.session.failures import Failures
from connectors.session.gathering import Gathering, tight_gather_s
from connectors.session.latch import CompletionLatch
from connectors.session.letters import publish_letter
from schemas.letters import letter_about
from schemas.records import ActivityEvent, Cause, ConnectorRequest, Notification, Origin, StampedValue
from schemas.spent import with_spent
from schemas.topics import object_key

log = logging.getLogger(__name__)

READS_IN_FLIGHT: Final = 3
BULK_IN_FLIGHT: Final = 2  # beside the live ones: one is read while another waits for credit or is published
MOST_FAILURES: Final = 20
"""Reads of one object that may fail: seven until the system counts as away, then one each time that it answers a probe.
Rate limits do not count."""
MOST_READS: Final = 10_000  # objects to be read by a system that is slow; were there more, their type is crawled too
MOST_WAITING: Final = 1_000  # objects to be read once the system answers again; were there more, their type is crawled


class NotificationReader:
    """The reading half of an integration."""

    def __init__(
        self,
        context: IntegrationContext,
        writes: RecentWrites,
        fan_outs: FanOuts | None = None,
        tally: AskedTally | None = None,
    ) -> None:
        self._context = context
        self._tally = tally or AskedTally(context)
        self._writes = writes
        self._fan_outs = fan_outs
        self._meter = QueueMeter(context.clock.monotonic)
        self._queue = ReadQueue(self._meter)
        self._dispatcher = BatchDispatcher(context)
        self._failures: Failures[Pending] = Failures(lambda one: (one.object_type, one.object_id))
        self._gathering = Gathering()
        self._bulk: set[asyncio.Task[None]] = set()
        self._owed = OwedRuns(context)

    async def take(self, notification: Notification, cause: Cause, taken: Taken) -> None:
        """Take one stored webhook request. Raises Refused where its body is not one of the system's."""
        finished = taken.finished
        try:
            translated = self._context.account.source.translate(notification)
        except ValueError as error:
            raise Refused("untranslatable") from error
        if translated.unreadable:
            await self._report_unreadable(taken, notification, translated.unreadable)
        to_read = [news for news in translated.news if not self._complete(news)]
        done = CompletionLatch(len(to_read) + len(translated.associated), finished)
        for news in translated.news:
            if news.operation != "upserted":
                self._queue.note_deletion(news.object_type, news.object_id, news.at_ms)
                self._dispatcher.wake()
        for news in to_read:
            self._ask(
                ReadReason(
                    news.object_type, news.object_id, news, translated.origin, None, False, cause, done.count_down
                ),
                # a webhook may overtake the answer to the write that it tells of
                self._context.clock.monotonic() + ECHO_WITHIN_S if self._writes.may_echo(news) else 0.0,
            )
        told = (news for news in translated.news if self._complete(news) or (news.fields and self._late(news)))
        await self._context.observed_all(
            [
                _observation_of(news, translated.origin, cause, bulk=self._is_bulk(news))
                for news in told
                if not self._answered_for(news)
            ]
        )
        for item in translated.associated:
            await self._fan_out(item, cause, done.count_down)
        for event in translated.activity:
            await self._publish_activity(event, cause)
        done.seal()

    async def _report_unreadable(self, taken: Taken, notification: Notification, items: int) -> None:
        """A dead letter with the whole request: its readable items go on meanwhile, and may be redriven with it."""
        context, detail = self._context, f"{items} of its items could not be read"
        stage, now_ms = f"{context.system}.source", context.now_ms()
        letter = letter_about(taken, stage, "malformed_notification", detail, now_ms, about=notification)
        await publish_letter(context.send, letter)
        context.count("source", None, "dead-lettered", items)

    async def _publish_activity(self, event: ActivityEvent, cause: Cause) -> None:
        context = self._context
        topic = context.traits.activity_topic
        if topic is None:
            raise RuntimeError(f"{context.system} reports activity, and its traits name no topic for it")
        key = object_key(context.integration, context.connection, context.system, event.object_type, event.object_id)
        await context.publish(topic, key, replace(event, caused_by=cause))

    def reread(self, request: ConnectorRequest, cause: Cause | None, finished: Callable[[], None]) -> None:
        """Take a request to read objects by id."""
        done = CompletionLatch(len(request.values), finished)
        if self._context.account.associated is not None:
            self._context.account.associated.doubt(request.object_type, request.values)
        not_before = self._context.clock.monotonic() + request.delay_ms / 1000
        for object_id in request.values:
            ask = ReadReason(
                request.object_type,
                object_id,
                None,
                "lookup",
                request.run_id,
                request.bulk,
                cause,
                done.count_down,
                request.later_than,
            )
            self._ask(ask, not_before)
        done.seal()

    async def run(self) -> None:
        """Read objects that are due, a few batches at once, until cancelled."""
        await self._dispatcher.run(self._due, self._begin)

    async def drained(self) -> None:
        """Wait for the reads under way."""
        await self._dispatcher.drained()

    def _begin(self) -> None:
        self._owed.begin_anew()
        most, now = self._context.account.source.read_size, self._context.clock.monotonic()
        meter = Meter(self._context.clock.monotonic, self._meter)
        batch = self._but_echoes(self._queue.take(most, now, bulk=self._bulk_may_go, meter=meter))
        if batch:
            self._gathering.left(batch[0].object_type, now)
            with meter.measuring():
                self._begin_read(batch)

    def _begin_read(self, batch: list[Pending]) -> None:
        if not batch[0].bulk:
            self._dispatcher.start(self._read(batch))
            return
        task = self._dispatcher.start(self._read_bulk(batch), aside=True)
        self._bulk.add(task)
        task.add_done_callback(self._bulk.discard)

    def _but_echoes(self, batch: list[Pending]) -> list[Pending]:
        """The objects still to be read: what turned out to be echoes meanwhile is told without a read."""
        echoes = [
            pending for pending in batch if all(ask.news and self._writes.echoed(ask.news) for ask in pending.asks)
        ]
        if not echoes:
            return batch
        self._dispatcher.start(self._end_echoes(echoes), aside=True)
        return [pending for pending in batch if pending not in echoes]

    async def _end_echoes(self, echoes: list[Pending]) -> None:
        asks = [ask for pending in echoes for ask in pending.asks]
        told = ((ask, ask.news) for ask in asks if ask.news is not None and not self._answered_for(ask.news))
        await self._context.observed_all(
            [_observation_of(news, ask.origin, ask.caused_by, bulk=self._is_bulk(news)) for ask, news in told]
        )
        for ask in asks:
            ask.finished()

    def _due(self) -> float | None:
        free = self._dispatcher.under_way < READS_IN_FLIGHT
        may_begin = free and self._context.state.works and not self._context.state.closing
        due = self._next_due() if may_begin else None
        self._meter.held_up(full=not free, saving=due is not None and self._saving(due))
        return due

    def _saving(self, due: float) -> bool:
        """Whether the next read waits because the system's limits are short; thousands may wait: no look in vain."""
        now = self._context.clock.monotonic()
        if due <= now:
            return self._dispatcher.limited
        if tight_gather_s(self._context.account.spent()) == 0.0:
            return False
        may_go = self._queue.next_due(bulk=self._bulk_may_go)
        return may_go is not None and may_go <= now

    def _next_due(self) -> float | None:
        """When the next read may leave; reads stand apart where calls are scarce, and share the next one."""
        tight_s, due = tight_gather_s(self._context.account.spent()), self._queue.next_due(bulk=self._bulk_may_go)
        if due is None or tight_s == 0.0:
            return due
        full, now = self._context.account.source.read_size, self._context.clock.monotonic()
        gathering = self._queue.part_of_batch(full, now)
        return due if gathering is None else max(due, self._gathering.due(gathering, tight_s))

    @property
    def _bulk_may_go(self) -> bool:
        return len(self._bulk) < BULK_IN_FLIGHT

    async def _fan_out(self, news: AssociatedNews, cause: Cause, finished: Callable[[], None]) -> None:
        if self._fan_outs is None:
            raise RuntimeError("a source without associated fields reports news of them")
        await self._fan_outs.take(news, cause, finished)

    def _complete(self, news: News) -> bool:
        return news.complete or self._writes.echoed(news)

    def _is_bulk(self, news: News) -> bool:
        """The echo of a bulk write: as a live change it would end the gathering of bulk, once for each write."""
        return self._writes.echoed(news) and self._writes.echoed_bulk(news)

    def _answered_for(self, news: News) -> bool:
        """Whether it is our own bulk write by the system's word: the answer to the write told the same.

        Without that word it may be somebody else's equal edit, and is told with its own stamp.
        """
        return news.ours and self._is_bulk(news)

    def _late(self, news: News) -> bool:
        """Whether the read will take long: the values that the notification names are published meanwhile."""
        return not self._context.state.works or self._queue.lagging(news.object_type, news.object_id)

    def _ask(self, ask: ReadReason, not_before: float) -> None:
        most = MOST_READS if self._context.state.works else MOST_WAITING
        if len(self._queue) >= most:
            self._dispatcher.start(self._let_go(ask), aside=True)
            return
        self._queue.add(ask, not_before)
        self._dispatcher.wake()

    async def _read_bulk(self, batch: list[Pending]) -> None:
        await self._context.bulk_credit(len(batch))
        await self._read(batch)

    async def _read(self, batch: list[Pending]) -> None:
        ids = [pending.object_id for pending in batch]
        begun_in = self._dispatcher.rounds
        purpose: ReadPurpose = "bulk_read" if all(pending.bulk for pending in batch) else "live_read"
        try:
            source, object_type = self._context.account.source, batch[0].object_type
            with counting_calls() as made:
                read = partial(source.read, object_type, ids, purpose)
                answers = await self._context.asked(read, object_type, "read")
        except (Refused, Missing) as error:
            await self._unreadable(batch, error)
            return
        except ConnectorError as error:
            judged = self._failures.judged(batch, error) if isinstance(error, Transient) else error
            if len(batch) > 1 and isinstance(judged, Refused):
                await asyncio.gather(*(self._read(list(half)) for half in halves(batch)))
                return
            hopeless = self._put_back(batch, error, begun_in)
            waiting = (one for one in batch if one not in hopeless)
            await asyncio.gather(*(self._publish_notified(one) for one in waiting if not one.published_early))
            if hopeless:
                await self._unreadable(hopeless, error)
            return
        self._dispatcher.succeeded()
        self._failures.succeeded(batch)
        await self._count(batch, made.calls)
        by_id = {
            (item.asked_id or item.object_id) if isinstance(item, Seen) else item.object_id: item for item in answers
        }
        await asyncio.gather(*(self._answered(pending, by_id.get(pending.object_id)) for pending in batch))

    async def _count(self, batch: list[Pending], calls: int) -> None:
        """What a full sync asked to be read stands on its rows."""
        run_id = max((ask.run_id for pending in batch for ask in pending.asks if ask.run_id), default=None)
        if run_id is not None:
            await self._tally.add(run_id, batch[0].object_type, read=len(batch), calls=calls)

    async def _let_go(self, ask: ReadReason) -> None:
        await self._owed.owe(ask.object_type)
        ask.finished()

    async def _unreadable(self, batch: list[Pending], error: ConnectorError) -> None:
        """The system refuses the read for good: read one by one, so that one odd object costs the others nothing."""
        if len(batch) > 1:  # where the whole type is denied, nobody is asked about each
            await asyncio.gather(*(self._read([pending]) for pending in batch))
            return
        log.warning("%s: an object of %s cannot be read: %s", self._context.integration, batch[0].object_type, error)
        if not batch[0].published_early:
            await self._publish_notified(batch[0])
        await self._context.unreadable(batch[0].object_type, batch[0].object_id, error, batch[0].asks[0].caused_by)
        for ask in batch[0].asks:
            ask.finished()

    def _put_back(self, batch: list[Pending], error: ConnectorError, begun_in: int) -> list[Pending]:
        """Nothing was read: try all of it again later, but for what was tried often enough, which is returned."""
        self._dispatcher.failed(error, begun_in)
        hopeless = []
        for pending in batch:
            pending.failures += not isinstance(error, RateLimited)
            if pending.failures > MOST_FAILURES:
                hopeless.append(pending)
            else:
                self._queue.put_back(pending, self._context.clock.monotonic())
        return hopeless

    async def _answered(self, pending: Pending, answer: Seen | Gone | None) -> None:
        if answer is None:
            await self._unreadable([pending], Refused(OTHER_OBJECT))
            return
        if pending.lags(answer, self._queue.deleted_ms(pending)):
            if not pending.published_early:
                await self._publish_notified(pending)
            wait_s = pending.repeat_after_s()
            if wait_s is not None:
                pending.repeats += 1
                self._queue.put_back(pending, self._context.clock.monotonic() + wait_s)
                self._dispatcher.wake()
                return
        await self._publish(pending, answer)
        for ask in pending.asks:
            ask.finished()

    async def _publish_notified(self, pending: Pending) -> None:
        """Publish the values that the notifications name, while the read lags behind or fails."""
        pending.published_early = True
        fields = pending.notified
        if fields:
            ask = next(ask for ask in pending.asks if ask.news)
            at_ms = max(value.at_ms for value in fields.values())
            await self._context.observed(
                ObservedObject(
                    pending.object_type,
                    pending.object_id,
                    "upserted",
                    at_ms,
                    0,
                    ask.origin,
                    dict(fields),
                    caused_by=_with_waits(ask.caused_by, pending),
                )
            )

    async def _publish(self, pending: Pending, answer: Seen | Gone) -> None:
        first = pending.asks[0]
        cause = _with_waits(first.caused_by, pending)
        if isinstance(answer, Gone):
            await self._context.observed(
                ObservedObject(
                    pending.object_type,
                    pending.object_id,
                    "deleted",
                    answer.at_ms,
                    answer.spread_ms,
                    first.origin,
                    run_id=first.run_id,
                    merged_into=answer.merged_into,
                    bulk=pending.bulk,
                    caused_by=cause,
                )
            )
            return
        settled = replace(answer, unsettled=())  # it was read often enough
        observation = seen(pending.object_type, settled, first.origin, first.run_id, pending.bulk, cause)
        for name, value in pending.notified.items():
            if name in observation.fields and value.at_ms > observation.fields[name].at_ms:
                observation.fields[name] = value
        await self._context.observed(replace(observation, later_than=pending.later_than))


def _with_waits(cause: Cause | None, pending: Pending) -> Cause | None:
    """The first cause, and what the object's reads waited for."""
    spent = pending.waits.spent()
    return None if cause is None else with_spent(cause, read_s=spent.system_s, budget_s=spent.budget_s)


def _observation_of(news: News, origin: Origin, cause: Cause | None, *, bulk: bool) -> ObservedObject:
    fields: dict[str, StampedValue] = dict(news.fields)
    return ObservedObject(
        news.object_type,
        news.object_id,
        news.operation,
        news.at_ms,
        news.spread_ms,
        origin,
        fields,
        merged_into=news.merged_into,
        bulk=bulk,
        caused_by=cause,
    )
