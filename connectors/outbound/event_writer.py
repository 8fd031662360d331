"""Sends the timeline events of one integration, oldest first; a receipt or dead letter reports each that failed."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connectors.contract.errors import UnknownResult
from connectors.contract.timeline import EventResult, EventSent, RefusedEvent, SendAgain, TargetGone, Timeline, Unsure
from connectors.http.retry import ALONE_S
from connectors.kafka.consumer import Taken
from connectors.outbound.delivery import Sending, deliver
from connectors.outbound.receipts import event_receipt, pair_of
from connectors.session.context import IntegrationContext, ObservedObject
from connectors.session.dispatcher import AT_ONCE, BatchDispatcher
from connectors.session.failures import Failures
from connectors.session.letters import publish_letter
from schemas.letters import letter_about, letter_id
from schemas.records import ReceiptKind, TimelineEvent
from schemas.topics import RECEIPTS

STAGE: Final = "timeline"
ATTRIBUTES: Final = "attributes"  # the stage that counts attributes which their event's type does not have
UNSURE: Final = "unknown_result"
MOST_WAITING: Final = 10_000
LATE_S: Final = 5.0  # how far this process's view of the mappings may lag behind an event


@dataclass(slots=True, eq=False)
class _HeldEvent:
    """An event that has no outcome yet; a repeat that comes meanwhile shares its outcome."""

    event: TimelineEvent
    records: list[Taken]
    since: float
    under_way: bool = False


class EventWriter:
    """The half of an integration that sends events; one batch at a time, so that each timeline gets them in order."""

    def __init__(self, context: IntegrationContext, timeline: Timeline) -> None:
        self._context = context
        self._timeline = timeline
        self._held: dict[str, _HeldEvent] = {}  # by event id
        self._dispatcher = BatchDispatcher(context)
        self._sending: Sending[_HeldEvent, EventResult] = Sending(
            self._ask,
            lambda batch: self._put_back(held.event for held in batch),
            lambda batch: self._park(batch, derived_again=False),
            lambda held, reason: RefusedEvent(held.event, reason),
            self._settle,
            self.park_if_away,
            Failures(lambda one: one.event.event_id),
        )

    async def take(self, event: TimelineEvent, record: Taken) -> None:
        """Take one event and the record it came as; it ends written, refused, parked or unmatched."""
        if self._context.state.closing:
            return
        known = self._held.get(event.event_id)
        if known is not None:
            known.records.append(record)
            return
        held = _HeldEvent(event, [record], self._context.clock.monotonic())
        full = len(self._held) >= MOST_WAITING
        self._held[event.event_id] = held
        if self._context.state.away or full:
            await self._park([held])
        else:
            self._dispatcher.wake()

    async def run(self) -> None:
        """Send what waits until cancelled."""
        await self._dispatcher.run(self._due, self._begin)

    async def drained(self) -> None:
        """Wait for the batch under way."""
        await self._dispatcher.drained()

    async def park_if_away(self) -> None:
        """While the system is away, park every waiting event: its receipt has it sent again later."""
        if self._context.state.away and not self._context.state.closing:
            await self._park(list(self._waiting()))

    def _begin(self) -> None:
        now = self._context.clock.monotonic()
        due = (held for held in self._waiting() if self._due_at(held) <= now)
        batch = sorted(due, key=lambda held: held.event.occurred_at_ms)[: self._timeline.batch_size]
        for held in batch:
            held.under_way = True
        self._dispatcher.start(deliver(batch, self._sending, self._dispatcher))

    def _due(self) -> float | None:
        may_begin = not self._context.state.away and not self._context.state.closing and not self._dispatcher.under_way
        return min(map(self._due_at, self._waiting()), default=None) if may_begin else None

    def _waiting(self) -> Iterator[_HeldEvent]:
        return (held for held in self._held.values() if not held.under_way)

    def _due_at(self, held: _HeldEvent) -> float:
        """When an event may leave: at once, or a while later if its mappings are newer than those known here."""
        return AT_ONCE if held.event.revision <= self._context.state.revision else held.since + LATE_S

    async def _ask(self, batch: Sequence[_HeldEvent]) -> Sequence[EventResult]:
        events, timeline, may_write = [held.event for held in batch], self._timeline, self._context.may_write
        return await self._context.asked(lambda: timeline.send(events, may_write), STAGE, "write")

    async def _settle(self, results: Sequence[EventResult], begun_in: int) -> None:
        """Publish the outcome of each event; its records are finished once the brokers have it."""
        await asyncio.gather(*(self._end_with(result) for result in results))
        again = [result.event for result in results if isinstance(result, SendAgain)]
        self._put_back(again)
        if any(isinstance(result, Unsure) for result in results):
            self._dispatcher.failed(UnknownResult(UNSURE), begun_in)
        else:
            self._dispatcher.succeeded()
            if again:
                self._dispatcher.pause(ALONE_S)
        await self.park_if_away()

    async def _end_with(self, result: EventResult) -> None:
        event = result.event
        match result:
            case EventSent():
                self._context.count(STAGE, event.mapping, "written", 1)
                if result.left_out:
                    self._context.count(ATTRIBUTES, event.mapping, "refused", result.left_out)
            case TargetGone():
                await self._gone(result)
            case RefusedEvent():
                await self._refused(event, result.reason)
            case Unsure():
                await self._refused(event, UNSURE)
            case SendAgain():
                return
        self._end(event)

    async def _gone(self, result: TargetGone) -> None:
        event = result.event
        await self._context.observed(
            ObservedObject(
                event.object_type,
                event.object_id,
                "deleted",
                result.at_ms,
                result.spread_ms,
                "receipt",
                run_id=event.run_id,
                caused_by=event.caused_by,
            )
        )
        self._context.count(STAGE, event.mapping, "unmatched", 1)

    async def _refused(self, event: TimelineEvent, reason: str) -> None:
        await self._letter(event, reason)
        await self._receipt(event, "refused", reason)
        self._context.count(STAGE, event.mapping, "refused", 1)

    async def _park(self, parked: Sequence[_HeldEvent], *, derived_again: bool = True) -> None:
        """Tell that the events are not sent; `derived_again`: they come back at once when the system does."""
        for held in parked:
            held.under_way = True  # so that nobody else sends or parks it
        if parked and derived_again:
            await self._context.state.park()
        for held in parked:
            await self._receipt(held.event, "parked", None)
            self._context.count(STAGE, held.event.mapping, "parked", 1)
            self._end(held.event)

    def _put_back(self, events: Iterable[TimelineEvent]) -> None:
        for event in events:
            held = self._held[event.event_id]
            held.event, held.under_way = event, False

    def _end(self, event: TimelineEvent) -> None:
        for record in self._held.pop(event.event_id).records:
            record.finished()

    async def _receipt(self, event: TimelineEvent, kind: ReceiptKind, reason: str | None) -> None:
        receipt = event_receipt(event, self._context.system, kind, reason)
        await self._context.publish(RECEIPTS, pair_of(event), receipt)

    async def _letter(self, event: TimelineEvent, reason: str) -> None:
        """The refusal's dead letter, with the record; the same event refused again for the same reason is the same."""
        record = self._held[event.event_id].records[0]
        detail = f"event {event.name} is not on the timeline of one of {event.object_type}"
        stage, now_ms = f"{self._context.system}.{STAGE}", self._context.now_ms()
        letter = letter_about(record, stage, reason, detail, now_ms, about=event)
        own_id = letter_id(pair_of(event), event.event_id, reason)
        await publish_letter(self._context.send, replace(letter, id=own_id, mapping=event.mapping))
