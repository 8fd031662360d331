"""Posting: events leave oldest first and once, each ends once, and what could not be sent is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from connectors.clock import Clock, SystemClock
from connectors.contract.errors import ConnectorError, CredentialsRejected, Transient
from connectors.contract.sink import OwnershipLost
from connectors.contract.timeline import EventResult, EventSent, RefusedEvent, SendAgain, TargetGone, Unsure
from connectors.kafka.consumer import Taken
from connectors.outbound import event_writer
from connectors.outbound.event_writer import EventWriter
from connectors.session.context import IntegrationContext
from schemas.records import ChangeEvent, DeadLetter, Receipt, TimelineEvent
from tests.unit.connectors.fake_clock import FakeClock, InstantClock
from tests.unit.connectors.outbound.timeline_events import event
from tests.unit.connectors.session.contexts import Answering, Told, context_of
from tests.unit.connectors.simulation.simulated import eventually

Answer = Callable[[TimelineEvent], EventResult] | BaseException


@dataclass
class FakeTimeline:
    """Gives the answers in turn, then takes everything; two events a batch."""

    answers: list[Answer] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    batch_size: int = 2

    async def send(self, events: Sequence[TimelineEvent], may_write: Callable[[], bool]) -> Sequence[EventResult]:
        self.batches.append([one.event_id for one in events])
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else EventSent
        if isinstance(answer, BaseException):
            raise answer
        return [answer(one) for one in events]


@dataclass
class Half:
    """A posting on an integration whose clock moves by itself, and all that came of it."""

    timeline: FakeTimeline
    context: IntegrationContext
    posting: EventWriter
    told: Told
    finished: list[str]

    async def take(self, *events: TimelineEvent) -> None:
        for one in events:
            finished = partial(self.finished.append, one.event_id)
            await self.posting.take(one, Taken("hubspot.timeline-events", 0, 7, "acme", b"raw", finished))

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.told.published if isinstance(record, kind)]


@asynccontextmanager
async def half(*answers: Answer, clock: Clock | None = None, **changes: Any) -> AsyncIterator[Half]:
    timeline = FakeTimeline(list(answers))
    context, told = context_of("hubspot", clock or InstantClock(), timeline=timeline, **{"revision": 1, **changes})
    posting = EventWriter(context, timeline)
    running = asyncio.create_task(posting.run())
    try:
        yield Half(timeline, context, posting, told, [])
    finally:
        running.cancel()


async def test_events_leave_oldest_first_in_batches_and_end_once() -> None:
    async with half() as it:
        await it.take(event(3), event(1), event(2))
        await eventually(lambda: len(it.finished) == 3)
        assert it.timeline.batches == [["event-1", "event-2"], ["event-3"]]
        assert it.told.published == []
        assert it.told.outcomes == {("timeline", "written"): 3}


async def test_an_event_that_comes_again_while_it_waits_is_sent_once_and_both_records_end() -> None:
    async with half() as it:
        it.timeline.gate = asyncio.Event()
        await it.take(event(1))
        await eventually(lambda: bool(it.timeline.batches))
        await it.take(event(1))
        it.timeline.gate.set()
        await eventually(lambda: it.finished == ["event-1", "event-1"])
        assert it.timeline.batches == [["event-1"]]


async def test_attributes_left_out_are_counted() -> None:
    async with half(lambda one: EventSent(one, 2)) as it:
        await it.take(event(1))
        await eventually(lambda: bool(it.finished))
        assert it.told.outcomes == {("timeline", "written"): 1, ("attributes", "refused"): 2}


async def test_a_refused_event_is_a_receipt_and_a_letter_that_holds_the_record() -> None:
    async with half(lambda one: RefusedEvent(one, "invalid_request"), lambda one: RefusedEvent(one, "x")) as it:
        await it.take(event(1))
        await eventually(lambda: len(it.finished) == 1)
        await it.take(event(1))
        await eventually(lambda: len(it.finished) == 2)
        (receipt, _), letters = it.of(Receipt), it.of(DeadLetter)
        assert (receipt.kind, receipt.reason, receipt.event) == ("refused", "invalid_request", event(1))
        assert (letters[0].reason, letters[0].topic, letters[0].offset, letters[0].value) == (
            "invalid_request",
            "hubspot.timeline-events",
            7,
            b"raw",
        )
        assert (letters[0].stage, letters[0].mapping) == ("hubspot.timeline", "contacts-users")
        assert letters[0].id != letters[1].id
        assert "Task 1" not in letters[0].detail


async def test_an_event_whose_target_is_gone_tells_so() -> None:
    async with half(lambda one: TargetGone(one, 5, 9)) as it:
        await it.take(event(1, "8"))
        await eventually(lambda: bool(it.finished))
        (change,) = it.of(ChangeEvent)
        assert (change.object_id, change.operation, change.at_ms, change.spread_ms) == ("8", "deleted", 5, 9)
        assert it.told.outcomes == {("timeline", "unmatched"): 1}


async def test_what_failed_for_the_time_being_is_sent_again() -> None:
    async with half(Transient("http_503"), SendAgain, OwnershipLost("hubspot")) as it:
        await it.take(event(1))
        for tries in range(1, 5):
            await eventually(lambda tries=tries: len(it.timeline.batches) >= tries)  # type: ignore[misc]
            await it.posting.drained()
            await it.context.clock.sleep(10)
            it.context.state.renew(1, active=True)
        assert it.finished == ["event-1"]
        assert it.timeline.batches == [["event-1"]] * 4
        assert it.told.published == []


async def test_a_result_that_is_not_known_is_a_dead_letter_and_never_sent_again() -> None:
    async with half(Unsure) as it:
        await it.take(event(1))
        await eventually(lambda: bool(it.finished))
        await it.take(event(2))
        await eventually(lambda: len(it.finished) == 2)
        assert [letter.reason for letter in it.of(DeadLetter)] == ["unknown_result"]
        assert it.timeline.batches == [["event-1"], ["event-2"]]


async def test_results_that_stay_unknown_make_the_system_unavailable() -> None:
    async with half(*[Unsure] * 7) as it:
        for number in range(7):
            await it.take(event(number))
            await eventually(lambda number=number: len(it.finished) == number + 1)  # type: ignore[misc]
        assert it.context.state.status == "unavailable"


async def test_events_of_a_system_that_is_away_are_parked() -> None:
    rejected: ConnectorError = CredentialsRejected("unauthorized")
    async with half(rejected, setup=Answering(rejected)) as it:
        await it.take(event(1), event(2), event(3))
        await eventually(lambda: len(it.finished) == 3)
        await it.take(event(4))
        assert sorted(receipt.event.event_id for receipt in it.of(Receipt)) == [f"event-{n}" for n in range(1, 5)]
        assert {(receipt.kind, receipt.reason) for receipt in it.of(Receipt)} == {("parked", None)}
        assert (it.context.state.status, it.context.state.parked) == ("needs_reconnect", True)
        assert it.timeline.batches == [["event-1", "event-2"]]


async def test_an_event_that_is_being_parked_is_not_sent_as_well_when_the_system_is_back() -> None:
    async with half() as it:
        it.timeline.gate, held_back = asyncio.Event(), asyncio.Event()
        await it.take(*(event(number) for number in range(1, 6)))
        await eventually(lambda: bool(it.timeline.batches))
        it.context.state.fail(CredentialsRejected("unauthorized"))
        it.told.held_back = held_back
        parking = [asyncio.create_task(it.posting.park_if_away()) for _ in range(2)]
        await asyncio.sleep(0)
        it.context.state.recover()
        it.timeline.gate.set()
        await eventually(lambda: len(it.finished) == 2)
        held_back.set()
        await asyncio.gather(*parking)

        assert sorted(it.finished) == [f"event-{number}" for number in range(1, 6)]
        assert it.timeline.batches == [["event-1", "event-2"]]
        assert sorted(receipt.event.event_id for receipt in it.of(Receipt)) == ["event-3", "event-4", "event-5"]


async def test_that_something_is_parked_is_kept_before_it_is_told() -> None:
    kept: list[int] = []

    async def keep() -> None:
        kept.append(len(it.told.published))

    async with half(keep_parked=keep) as it:
        it.context.state.fail(CredentialsRejected("unauthorized"))
        await it.take(event(1), event(2))
        assert (kept, len(it.of(Receipt))) == ([0, 1], 2), "each asks for it; who reports it does so once"


async def test_an_event_of_mappings_that_are_not_known_here_leaves_as_soon_as_they_come() -> None:
    """It left when somebody looked again, up to 5 s later."""
    clock = FakeClock()
    async with half(clock=clock) as it:
        ahead = replace(event(1), revision=2)
        await it.take(ahead, event(2))
        await clock.settle()
        assert it.finished == ["event-2"]
        await clock.advance(0.2)
        it.context.state.renew(2, active=True)
        await clock.settle()
        assert it.finished == ["event-2", "event-1"]


async def test_an_event_does_not_wait_for_mappings_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_writer, "LATE_S", 0.05)
    async with half(clock=SystemClock()) as it:
        await it.take(replace(event(1), revision=2))
        assert it.finished == []
        await eventually(lambda: it.finished == ["event-1"])


@pytest.mark.parametrize("answer", [SendAgain, OwnershipLost("hubspot"), Transient("http_503")])
async def test_what_comes_back_to_an_integration_that_was_paused_meanwhile_is_parked(answer: Answer) -> None:
    async with half(answer) as it:
        it.timeline.gate = asyncio.Event()
        await it.take(event(1))
        await eventually(lambda: bool(it.timeline.batches))
        it.context.state.renew(1, active=False)
        await it.posting.park_if_away()
        assert it.finished == []
        it.timeline.gate.set()
        await eventually(lambda: it.finished == ["event-1"])
        assert [receipt.kind for receipt in it.of(Receipt)] == ["parked"]


async def test_what_sending_does_not_expect_is_refused_with_a_letter() -> None:
    async with half(RuntimeError("secret")) as it:
        await it.take(event(1))
        await eventually(lambda: it.finished == ["event-1"])
        assert [(receipt.kind, receipt.reason) for receipt in it.of(Receipt)] == [("refused", "step_failed")]
        assert [letter.reason for letter in it.of(DeadLetter)] == ["step_failed"]


async def test_an_integration_that_closes_begins_nothing_and_ends_nothing() -> None:
    async with half() as it:
        it.timeline.gate = asyncio.Event()
        await it.take(event(1))
        await eventually(lambda: bool(it.timeline.batches))
        it.context.state.close()
        await it.take(event(2))
        await it.posting.park_if_away()
        it.timeline.gate.set()
        await it.posting.drained()
        assert it.finished == ["event-1"]
        assert it.told.published == []
