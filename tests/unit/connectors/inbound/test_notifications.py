"""Reading: what a notification tells is never lost while its read is late, or its system away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.clock import SystemClock
from connectors.contract.errors import CredentialsRejected, Misconfigured, Refused, Transient
from connectors.contract.source import Gone, News, ObjectPage, ReadPurpose, Seen, Translated
from connectors.inbound import notifications as reading
from connectors.inbound import read_queue
from connectors.inbound.notifications import MOST_FAILURES, NotificationReader
from connectors.kafka.consumer import Taken
from connectors.session.context import IntegrationContext
from connectors.session.echoes import RecentWrites
from schemas.records import Cause, ChangeEvent, ConnectorRequest, DeadLetter, Notification, StampedValue
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import Told, asked_runs, context_of

CAUSE = Cause("hubspot.notifications", 0, 0, 0)


@dataclass
class Source:
    """A system whose news are the numbers in a notification's body, and whose reads show what `held` says."""

    held: dict[str, tuple[str, int]] = field(default_factory=dict)  # id -> title, modified time
    error: Exception | None = None
    broken: str | None = None  # the id whose answer our code does not understand
    refusal: Exception | None = None  # why, unless our code fails
    unreadable: int = 0
    reads: int = 0
    left_out: tuple[str, ...] = ()  # ids for which the answer shows another object
    unsettled: tuple[str, ...] = ()  # fields of an associated object that reads do not show yet
    read_size: int = 100
    ours: bool = False  # whether news name us as who did it

    def translate(self, notification: Notification) -> Translated:
        object_id, title, at_ms = notification.body.decode().split()
        if title == "deleted":
            return Translated([News("contacts", object_id, "deleted", {}, int(at_ms), 0, complete=True)])
        fields = {"title": StampedValue(title, int(at_ms))}
        news = News("contacts", object_id, "upserted", fields, int(at_ms), 0, complete=False, ours=self.ours)
        return Translated([news], unreadable=self.unreadable)

    async def read(self, object_type: str, ids: Sequence[str], purpose: ReadPurpose) -> Sequence[Seen | Gone]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        if self.broken in ids:
            raise self.refusal or KeyError("secret")
        return [self._seen(object_id) for object_id in ids if object_id not in self.left_out]

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        return ObjectPage((), None)

    def _seen(self, object_id: str) -> Seen | Gone:
        if object_id not in self.held:
            return Gone(object_id, 1_000, 0)
        title, at_ms = self.held[object_id]
        return Seen(
            object_id,
            {"title": StampedValue(title, at_ms), "city": StampedValue("Bonn", at_ms)},
            at_ms,
            0,
            unsettled=self.unsettled,
        )


@dataclass
class Reader:
    """A reading half under test: what it published and which notifications it finished."""

    source: Source
    context: IntegrationContext
    reading: NotificationReader
    heard: Told
    credit: asyncio.Event
    finished: list[str] = field(default_factory=list)

    @property
    def published(self) -> list[Any]:
        return self.heard.published

    async def told(self, object_id: str, title: str, at_ms: int) -> None:
        body = f"{object_id} {title} {at_ms}".encode()
        notification = Notification("acme", "hubspot", body, {}, 0)
        taken = Taken(CAUSE.topic, 0, 0, "acme", body, lambda: self.finished.append(title))
        await self.reading.take(notification, CAUSE, taken)

    def titles(self) -> list[Any]:
        return [change.fields["title"].value for change in self.published if isinstance(change, ChangeEvent)]

    async def until(self, good: Callable[[], bool]) -> None:
        for _ in range(2_000):
            if good():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it did not come about within 10 s")


@asynccontextmanager
async def reader() -> AsyncIterator[Reader]:
    source, may = Source(), asyncio.Event()
    may.set()

    async def credit(records: int) -> None:
        await may.wait()

    context, told = context_of("hubspot", SystemClock(), source=source, bulk_credit=credit)
    half = NotificationReader(context, RecentWrites())
    running = asyncio.create_task(half.run())
    try:
        yield Reader(source, context, half, told, may)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_an_edit_is_told_at_once_while_its_object_waits_for_a_repeated_read() -> None:
    async with reader() as it:
        it.source.held["7"] = ("old", 1)
        await it.told("7", "first", 10)
        await it.until(lambda: it.titles() == ["first"])

        await it.told("7", "second", 20)

        assert it.titles() == ["first", "second"]
        assert it.finished == []
        it.source.held["7"] = ("second", 20)
        await it.until(lambda: sorted(it.finished) == ["first", "second"])
        assert it.published[-1].fields["city"].value == "Bonn"


async def test_what_a_read_does_not_settle_is_read_again_before_it_is_believed() -> None:
    async with reader() as it:
        it.source.held["7"], it.source.unsettled = ("first", 10), ("city",)
        await it.told("7", "first", 10)
        await it.until(lambda: it.source.reads == 2)
        assert [set(change.fields) for change in it.published] == [{"title"}]
        it.source.unsettled = ()
        await it.until(lambda: it.finished == ["first"])
        assert it.published[-1].fields["city"].value == "Bonn"


async def test_what_no_read_settles_is_believed_at_last(monkeypatch: Any) -> None:
    monkeypatch.setattr(read_queue, "REPEATS_S", (0.0, 0.0))
    async with reader() as it:
        it.source.held["7"], it.source.unsettled = ("first", 10), ("city",)
        await it.told("7", "first", 10)
        await it.until(lambda: it.finished == ["first"])
        assert (it.source.reads, it.published[-1].fields["city"].value) == (3, "Bonn")


async def test_what_is_told_while_the_system_is_away_is_used_at_once_and_read_later() -> None:
    async with reader() as it:
        it.context.state.fail(CredentialsRejected("unauthorized"))

        await it.told("7", "meanwhile", 10)

        assert it.titles() == ["meanwhile"]
        assert (it.source.reads, it.finished) == (0, [])
        it.source.held["7"] = ("meanwhile", 10)
        it.context.state.recover()
        await it.until(lambda: it.finished == ["meanwhile"])
        assert it.published[-1].fields["city"].value == "Bonn"


async def test_a_read_that_fails_does_not_hold_up_what_was_told() -> None:
    async with reader() as it:
        it.source.error = Transient("http_500", wait_s=5)

        await it.told("7", "told", 10)

        await it.until(lambda: it.titles() == ["told"])
        assert it.finished == []


async def test_more_than_can_wait_is_let_go_and_its_type_synced_afterwards(monkeypatch: Any) -> None:
    monkeypatch.setattr(reading, "MOST_WAITING", 2)
    async with reader() as it:
        it.context.state.fail(CredentialsRejected("unauthorized"))
        for number in range(4):
            it.source.held[str(number)] = (f"t{number}", 10)
            await it.told(str(number), f"t{number}", 10)

        assert it.titles() == ["t0", "t1", "t2", "t3"]
        await it.until(lambda: it.finished == ["t2", "t3"])
        assert asked_runs(it.published), "nobody was asked for a full sync"
        it.context.state.recover()
        await it.until(lambda: sorted(it.finished) == ["t0", "t1", "t2", "t3"])
        assert asked_runs(it.published) == ["hubspot.contacts"]


async def test_what_a_read_does_not_expect_costs_the_object_that_was_read_and_no_other() -> None:
    async with reader() as it:
        it.source.held = {"1": ("told", 10), "2": ("other", 10)}
        it.source.broken = "1"
        await it.told("1", "told", 10)
        await it.told("2", "other", 10)
        await it.until(lambda: len(it.finished) == 2)
        (letter,) = (record for record in it.published if isinstance(record, DeadLetter))
        assert (letter.reason, letter.key) == ("step_failed", "acme:1:hubspot:contacts:1")
        assert "place KeyError in read:" in letter.detail
        assert "secret" not in letter.detail


async def test_what_our_own_code_does_not_expect_ends_the_reading_instead_of_holding_its_records_for_ever() -> None:
    async with reader() as it:
        it.source.held["1"] = ("told", 10)
        it.heard.error = TypeError("ours")
        await it.told("1", "told", 10)
        with pytest.raises(TypeError):
            await it.reading.run()
        assert it.finished == []


async def test_a_read_that_is_refused_for_good_is_a_dead_letter() -> None:
    async with reader() as it:
        it.source.error = Refused("invalid_request", status=400)
        await it.told("1", "told", 10)
        await it.until(lambda: it.finished == ["told"])
        assert [letter.reason for letter in it.published if isinstance(letter, DeadLetter)] == ["invalid_request"]
        assert it.titles() == ["told"]


@pytest.mark.parametrize("error", [Misconfigured("forbidden", status=403), Misconfigured("not_this_api", status=404)])
async def test_one_id_that_is_forbidden_or_unknown_to_a_proxy_costs_no_other_and_no_status(
    error: Misconfigured,
) -> None:
    async with reader() as it:
        it.source.held = {"1": ("told", 10), "2": ("other", 10)}
        it.source.broken, it.source.refusal = "1", error
        await it.told("1", "told", 10)
        await it.told("2", "other", 10)
        await it.until(lambda: len(it.finished) == 2)
        assert [letter.reason for letter in it.published if isinstance(letter, DeadLetter)] == [error.reason]
        assert it.context.state.works
        assert any(one.fields["city"].value == "Bonn" for one in it.published if "city" in getattr(one, "fields", {}))


async def test_a_type_that_may_not_be_read_leaves_a_letter_each_and_the_integration_goes_on() -> None:
    async with reader() as it:
        it.source.error = Misconfigured("missing_scopes", status=403)
        for number in range(3):
            await it.told(str(number), f"t{number}", 10)
        await it.until(lambda: len(it.finished) == 3)
        assert [letter.reason for letter in it.published if isinstance(letter, DeadLetter)] == ["missing_scopes"] * 3
        assert (it.source.reads, it.context.state.works) == (1, True)
        assert sorted(it.titles()) == ["t0", "t1", "t2"]


async def test_items_of_a_notification_that_cannot_be_read_leave_a_dead_letter_with_all_of_it() -> None:
    async with reader() as it:
        it.source.unreadable = 2
        it.source.held["1"] = ("told", 10)
        await it.told("1", "told", 10)
        await it.until(lambda: it.finished == ["told"])
        (letter,) = (record for record in it.published if isinstance(record, DeadLetter))
        assert (letter.reason, letter.value) == ("malformed_notification", b"1 told 10")


async def test_bulk_reads_wait_for_credit_one_batch_at_a_time_and_live_ones_pass() -> None:
    async with reader() as it:
        it.credit.clear()
        numbers = [str(number) for number in range(250)]
        it.source.held = dict.fromkeys([*numbers, "live"], ("held", 10))
        request = ConnectorRequest("acme", 1, "reread", "contacts", tuple(numbers), bulk=True)
        it.reading.reread(request, CAUSE, lambda: it.finished.append("bulk"))
        await it.told("live", "held", 10)

        await it.until(lambda: it.finished == ["held"])

        assert (it.source.reads, [change.object_id for change in it.published]) == (1, ["live"])
        it.credit.set()
        await it.until(lambda: "bulk" in it.finished)
        assert all(change.bulk for change in it.published[1:])
        assert len(it.published) == 251


async def test_an_edit_before_a_deletion_holds_nothing_up_once_the_deletion_is_notified() -> None:
    async with reader() as it:
        await it.told("7", "edited", 100)
        await it.until(lambda: it.source.reads == 2)  # the first read and one repeat: is it gone, or does it lag?
        assert it.finished == []
        await it.told("7", "deleted", 150)
        await it.until(lambda: it.finished == ["deleted", "edited"])
        assert it.source.reads == 3


async def test_an_edit_that_comes_after_its_deletion_was_notified_is_read_once() -> None:
    async with reader() as it:
        await it.told("7", "deleted", 150)
        await it.told("7", "edited", 100)
        await it.until(lambda: it.finished == ["deleted", "edited"])
        assert it.source.reads == 1


async def test_an_object_for_which_another_is_answered_is_let_go_as_unreadable() -> None:
    async with reader() as it:
        it.source.left_out = ("7",)
        await it.told("7", "edited", 100)
        await it.until(lambda: it.finished == ["edited"])
        assert it.source.reads == 1
        assert it.heard.outcomes["source", "dead-lettered"] == 1


async def test_a_read_that_always_fails_has_a_last_try_though_the_system_answers_probes() -> None:
    source = Source(error=Transient("http_500"))
    context, told = context_of("hubspot", FakeClock(), source=source)
    context.state.changes.follow(context.state.recover)
    half = NotificationReader(context, RecentWrites())
    running = asyncio.create_task(half.run())
    try:
        it = Reader(source, context, half, told, asyncio.Event())
        await it.told("7", "edited", 100)
        await it.until(lambda: it.finished == ["edited"])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert source.reads == MOST_FAILURES + 1
    assert told.outcomes["source", "dead-lettered"] == 1
    assert it.titles() == ["edited"]


async def test_one_at_which_every_read_fails_leaves_its_neighbours_read_and_the_system_at_work() -> None:
    source = Source({str(one): ("read", 200) for one in range(9)}, broken="7", refusal=Transient("http_500"))
    context, told = context_of("hubspot", FakeClock(), source=source)
    half = NotificationReader(context, RecentWrites())
    it = Reader(source, context, half, told, asyncio.Event())
    for one in range(9):
        await it.told(str(one), f"edited{one}", 100)
    running, statuses = asyncio.create_task(half.run()), set[str]()
    clock = context.clock
    assert isinstance(clock, FakeClock)
    context.state.changes.follow(lambda: statuses.add(context.state.status))
    try:
        for _ in range(200):
            if len(it.finished) >= 8:
                break
            await clock.advance(1.0)
        assert sorted(it.finished) == [f"edited{one}" for one in range(9) if one != 7]
        assert statuses <= {"ok"}
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
