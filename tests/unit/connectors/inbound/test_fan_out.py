"""Fan-outs: few are told at once, many in turn as bulk, what comes meanwhile joins, and what is gone is read again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.contract.associations import AssociatedFields, ReaderIdsPage
from connectors.contract.errors import CredentialsRejected, Refused, Transient
from connectors.contract.source import AssociatedNews, ReadPurpose
from connectors.inbound import fan_out as fanout
from connectors.inbound.fan_out import LIVE_FAN_OUTS, LIVE_RECORDS, FanOuts
from connectors.session.context import IntegrationContext, ObservedObject
from schemas.records import Cause, ChangeEvent, ConnectorRequest, DeadLetter, StampedValue, StateCommand
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import asked_runs, context_of

CAUSE = Cause("hubspot.notifications", 0, 0, 0)
ID, NAME = "company.hs_object_id", "company.name"
PAGE = 500


@dataclass
class Source:
    """Companies with a name, a modified time and contacts; `gate` holds every listing back."""

    names: dict[str, tuple[str, int]] = field(default_factory=dict)
    contacts: dict[str, list[str]] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    reads: list[tuple[str, ReadPurpose]] = field(default_factory=list)
    listed: list[tuple[str, str | None, ReadPurpose]] = field(default_factory=list)
    circle: str | None = None  # the cursor of every page
    ever_new: bool = False  # each page names a cursor of its own, and all show the same

    def doubt(self, object_type: str, object_ids: Iterable[str]) -> None:
        """It relies on nothing that was read before."""

    def shown_by(self, object_type: str) -> Sequence[str]:
        return ("contacts",)

    def id_field(self, object_type: str) -> str:
        return ID

    async def shown(
        self, object_type: str, object_id: str, told: Mapping[str, StampedValue], purpose: ReadPurpose
    ) -> Sequence[AssociatedFields]:
        self.reads.append((object_id, purpose))
        if self.errors:
            raise self.errors.pop(0)
        if object_id not in self.names:
            return ()
        name, at_ms = self.names[object_id]
        return [AssociatedFields("contacts", {NAME: StampedValue(name, at_ms)}, at_ms, 0)]

    async def showing(
        self, object_type: str, object_id: str, by_type: str, cursor: str | None, purpose: ReadPurpose
    ) -> ReaderIdsPage:
        self.listed.append((object_id, cursor, purpose))
        await self.gate.wait()
        start = int(cursor or 0)
        found = self.contacts.get(object_id, [])
        following = str(start + PAGE) if len(found) > start + PAGE else None
        following = self.circle or following
        if self.ever_new:
            return ReaderIdsPage(found[:PAGE], str(start + 1))
        return ReaderIdsPage(found[start : start + PAGE], following)


@dataclass
class Fan:
    """Fan-outs under test: what they published, asked for and finished."""

    source: Source
    context: IntegrationContext
    clock: FakeClock
    fan_outs: FanOuts
    published: list[Any]
    credit: asyncio.Semaphore
    commands: list[StateCommand]
    finished: list[str] = field(default_factory=list)

    def company(self, company_id: str, contacts: int, name: str = "Acme") -> None:
        self.source.names[company_id] = (name, 10)
        self.source.contacts[company_id] = [f"{company_id}-{number}" for number in range(contacts)]

    async def tell(self, company_id: str, word: str = "told", kind: Any = "changed", at_ms: int = 10) -> None:
        news = AssociatedNews("companies", company_id, kind, at_ms)
        await self.fan_outs.take(news, CAUSE, lambda: self.finished.append(word))

    async def rename(self, company_id: str, name: str, at_ms: int) -> None:
        self.source.names[company_id] = (name, at_ms)
        await self.tell(company_id, name)

    @property
    def changes(self) -> list[ChangeEvent]:
        return [record for record in self.published if isinstance(record, ChangeEvent)]

    @property
    def requests(self) -> list[ConnectorRequest]:
        return [record for record in self.published if isinstance(record, ConnectorRequest)]

    def last_names(self, company_id: str) -> set[Any]:
        """What the company's contacts show in the end."""
        last = {change.object_id: change.fields[NAME].value for change in self.changes}
        return {last[contact] for contact in self.source.contacts[company_id]}

    async def until(self, good: Callable[[], object]) -> None:
        for _ in range(2_000):
            if good():
                return
            await asyncio.sleep(0)
        raise AssertionError("it did not come about")


@asynccontextmanager
async def fan(*, credit: int = 1_000_000) -> AsyncIterator[Fan]:
    source, commands = Source(), list[StateCommand]()
    source.gate.set()
    clock, left = FakeClock(), asyncio.Semaphore(credit)

    async def take(records: int) -> None:
        await left.acquire()

    async def command(record: StateCommand) -> None:
        commands.append(record)

    context, told = context_of("hubspot", clock, bulk_credit=take)
    fan_outs = FanOuts(context, source, command)
    running = asyncio.create_task(fan_outs.run())
    try:
        yield Fan(source, context, clock, fan_outs, told.published, left, commands)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_few_contacts_are_told_at_once_on_the_condition_that_they_show_the_company() -> None:
    async with fan() as it:
        it.company("10", LIVE_RECORDS)
        await it.tell("10")
        await it.until(lambda: it.finished)
        assert len(it.changes) == LIVE_RECORDS
        change = it.changes[0]
        assert (change.fields, change.given, change.bulk) == ({NAME: StampedValue("Acme", 10)}, {ID: "10"}, False)
        assert (change.object_type, change.object_id, change.caused_by) == ("contacts", "10-0", CAUSE)


async def test_many_are_bulk_under_credit_page_by_page() -> None:
    async with fan(credit=7) as it:
        it.company("10", 1_200)
        await it.tell("10")
        await it.until(lambda: len(it.changes) == 700)
        await it.clock.settle()
        assert len(it.changes) == 700
        assert it.finished == []
        for _ in range(5):
            it.credit.release()
        await it.until(lambda: it.finished)
        assert all(change.bulk for change in it.changes)
        assert {change.object_id for change in it.changes} == set(it.source.contacts["10"])
        assert [cursor for _, cursor, _ in it.source.listed] == [None, "500", "1000"]


async def test_a_big_one_holds_up_neither_a_small_one_nor_another_big_one() -> None:
    async with fan(credit=5) as it:
        it.company("big", 50_000)
        it.company("other", 600)
        it.company("small", 3)
        await it.tell("big", "big")
        await it.until(lambda: len(it.changes) == 500)
        await it.tell("small", "small")
        await it.until(lambda: it.finished == ["small"])
        await it.tell("other", "other")
        for _ in range(30):
            it.credit.release()
        await it.until(lambda: "other" in it.finished)
        assert "big" not in it.finished


async def test_many_small_ones_at_once_are_bulk_too() -> None:
    async with fan(credit=0) as it:
        it.source.gate.clear()
        for number in range(2 * LIVE_FAN_OUTS):
            it.company(str(number), 1)
            await it.tell(str(number))
        it.source.gate.set()
        await it.until(lambda: len(it.finished) >= LIVE_FAN_OUTS)
        await it.clock.settle()
        assert not any(change.bulk for change in it.changes)
        assert len(it.changes) < 2 * LIVE_FAN_OUTS


async def test_what_is_told_of_a_company_whose_fan_out_waits_joins_it() -> None:
    async with fan() as it:
        it.company("10", 2)
        it.context.state.fail(CredentialsRejected("unauthorized"))
        await it.tell("10", "first")
        await it.tell("10", "second")
        assert it.finished == ["second"]
        it.context.state.recover()
        await it.clock.advance(5)
        await it.until(lambda: "first" in it.finished)
        assert [one for one, _ in it.source.reads] == ["10"]


@pytest.mark.parametrize("contacts", [3, 1_200])
async def test_a_rename_while_the_list_is_read_reaches_everybody(contacts: int) -> None:
    async with fan() as it:
        it.source.gate.clear()
        it.company("10", contacts)
        await it.tell("10", "first")
        await it.until(lambda: it.source.listed)
        await it.rename("10", "Acme Limited", 20)
        it.source.gate.set()
        await it.until(lambda: "first" in it.finished)
        assert it.last_names("10") == {"Acme Limited"}


async def test_a_rename_in_the_middle_of_a_big_one_goes_on_with_the_new_name_and_round_once_more() -> None:
    async with fan(credit=6) as it:
        it.company("10", 1_200)
        await it.tell("10", "first")
        await it.until(lambda: len(it.changes) == 600)
        await it.rename("10", "Acme Limited", 20)
        for _ in range(40):
            it.credit.release()
        await it.until(lambda: "first" in it.finished)
        assert it.last_names("10") == {"Acme Limited"}
        assert len(it.changes) < 3 * 1_200


async def test_a_read_that_was_under_way_is_brought_up_to_date() -> None:
    async with fan() as it:
        it.company("10", 1, "New")
        await it.tell("10")
        await it.until(lambda: it.finished)
        late = {ID: StampedValue("10", 5, 999), NAME: StampedValue("Old", 5)}
        await it.context.observed(ObservedObject("contacts", "late", "upserted", 5, 0, "webhook", late))
        assert it.changes[-1].fields[NAME] == StampedValue("New", 10)


async def test_those_who_show_what_is_gone_are_read_again_by_command_twice() -> None:
    async with fan() as it:
        await it.tell("10", "one", "gone", 50_000)
        await it.tell("11", "other", "gone", 50_000)
        await it.clock.settle()
        assert it.finished == []
        await it.clock.advance(10)
        assert it.finished == ["one", "other"]
        asked = {object_id for command in it.commands for object_id in command.where[ID] or ()}  # type: ignore[union-attr]
        assert asked == {"10", "11"}
        assert {(command.stage, command.kind) for command in it.commands} == {("objects", "reread")}
        assert len(it.commands) >= 2


async def test_a_read_under_way_that_shows_what_is_gone_is_read_again() -> None:
    async with fan() as it:
        await it.tell("10", kind="gone", at_ms=50_000)
        fields = {"email": StampedValue("ada@x", 1), ID: StampedValue("10", 49_000, 999), NAME: StampedValue("Old", 5)}
        await it.context.observed(ObservedObject("contacts", "7", "upserted", 5, 0, "crawl", fields, bulk=True))
        assert set(it.changes[-1].fields) == {"email"}
        assert [(request.kind, request.values, request.bulk) for request in it.requests] == [("reread", ("7",), True)]
        back = {ID: StampedValue("10", 200_000, 999), NAME: StampedValue("Old", 5)}
        await it.context.observed(ObservedObject("contacts", "8", "upserted", 5, 0, "webhook", back))
        assert it.changes[-1].fields == back


async def test_whoever_is_joined_to_what_came_back_is_read_again() -> None:
    async with fan() as it:
        it.company("10", 250)
        await it.tell("10", kind="back")
        await it.until(lambda: it.finished)
        assert it.changes == []
        asked = [object_id for request in it.requests for object_id in request.values]
        assert asked == it.source.contacts["10"]
        assert {(request.kind, request.object_type, request.bulk) for request in it.requests} == {
            ("reread", "contacts", True)
        }


async def test_a_company_that_is_not_there_any_more_ends_its_fan_out() -> None:
    async with fan() as it:
        await it.tell("10")
        await it.until(lambda: it.finished)
        assert it.published == []


async def test_it_is_tried_again_until_the_system_answers_and_given_up_where_it_refuses() -> None:
    async with fan() as it:
        it.company("10", 1)
        it.company("11", 1)
        it.source.errors = [Transient("http_500", wait_s=2), Transient("http_500", wait_s=2)]
        await it.tell("10", "tried")
        await it.clock.advance(1)
        assert it.finished == []
        await it.clock.advance(10)
        assert it.finished == ["tried"]
        it.source.errors = [Refused("invalid_request")]
        await it.tell("11", "refused")
        await it.until(lambda: "refused" in it.finished)
        assert {change.object_id for change in it.changes} == {"10-0"}


async def test_more_than_can_wait_is_let_go_and_the_types_that_show_it_are_synced(monkeypatch: Any) -> None:
    monkeypatch.setattr(fanout, "MOST_WAITING", 2)
    async with fan() as it:
        it.context.state.fail(CredentialsRejected("unauthorized"))
        for number in range(4):
            it.company(str(number), 1)
            await it.tell(str(number), str(number))
        assert it.finished == ["2", "3"]
        it.context.state.recover()
        await it.clock.advance(5)
        await it.until(lambda: len(it.finished) == 4)
        assert asked_runs(it.published) == ["hubspot.contacts"]


async def test_a_list_that_goes_in_a_circle_ends_its_fan_out() -> None:
    async with fan() as it:
        it.company("acme", 2)
        it.source.circle = "0"
        await it.tell("acme")
        await it.until(lambda: it.finished == ["told"])
        assert len(it.source.listed) == 2
        assert [one.reason for one in it.published if isinstance(one, DeadLetter)] == ["paging_page_repeated"]


async def test_a_list_that_shows_one_page_under_ever_new_cursors_ends_its_fan_out() -> None:
    async with fan() as it:
        it.company("acme", 2)
        it.source.ever_new = True
        await it.tell("acme")
        await it.until(lambda: it.finished == ["told"])
        assert len(it.source.listed) == 2
        assert [one.reason for one in it.published if isinstance(one, DeadLetter)] == ["paging_page_repeated"]
