"""Lookups of an integration: gathered, asked once, told with their counts, finished when answered or let go."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from connectors.contract.errors import ConnectorError, CredentialsRejected, Misconfigured, Refused, Transient
from connectors.contract.source import MOST_FOUND, ReadPurpose, Seen
from connectors.http.retry import LOOKUPS
from connectors.inbound import lookups
from connectors.inbound.lookups import LINGER_S, Lookups
from connectors.inbound.persistence import MOST_OUTAGES
from connectors.inbound.run_parts import AskedTally
from connectors.session.context import IntegrationContext
from schemas.records import Cause, ChangeEvent, ConnectorRequest, DeadLetter, Found, Receipt, StampedValue
from schemas.runs import RunProgress
from schemas.values import FieldDefinition
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import Answering, Told, context_of

CAUSE = Cause("userflow.notifications", 0, 7, 0)


@dataclass
class Source:
    """A system whose contacts are told by their emails; `hold` keeps an answer back until it is set."""

    emails: dict[str, str] = field(default_factory=dict)  # id -> email
    asked: list[tuple[str, ...]] = field(default_factory=list)
    purposes: list[ReadPurpose] = field(default_factory=list)
    errors: list[ConnectorError] = field(default_factory=list)
    refuses: str | None = None
    refusal: Exception = field(default_factory=lambda: Refused("invalid_request"))
    hold: asyncio.Event | None = None
    read_size: int = 3
    leads_to: dict[str, str] = field(default_factory=dict)  # secondary email -> id
    ids: bool = False  # its contacts are told by their ids

    async def look_up(
        self, object_type: str, field: FieldDefinition, values: Sequence[str], purpose: ReadPurpose
    ) -> Sequence[Seen]:
        assert (object_type, field.name) == ("contacts", "hs_object_id" if self.ids else "email")
        self.asked.append(tuple(values))
        self.purposes.append(purpose)
        if self.hold is not None:
            await self.hold.wait()
        if self.errors:
            raise self.errors.pop(0)
        if self.refuses in values:
            raise self.refusal
        if self.ids:
            return [self._seen(id) for id in values if id in self.emails]
        own = [id for id, email in self.emails.items() if email.strip().lower() in values]
        return [self._seen(id) for id in (*own, *(self.leads_to[value] for value in values if value in self.leads_to))]

    def _seen(self, object_id: str) -> Seen:
        return Seen(object_id, {"email": StampedValue(self.emails[object_id], 5)}, 5, 0)


@dataclass
class Looking:
    """Lookups under test: what they published and finished."""

    source: Source
    context: IntegrationContext
    clock: FakeClock
    lookups: Lookups
    heard: Told
    setup: Answering
    finished: list[str] = field(default_factory=list)

    def ask(self, *values: str, mapping: str = "people", **more: Any) -> None:
        for value in values:
            asked = ConnectorRequest("acme", 1, "lookup", "contacts", (value,), "email", mapping, by_email=True)
            request = replace(asked, **more)
            self.lookups.take(request, CAUSE, lambda value=value: self.finished.append(value))  # type: ignore[misc]

    @property
    def published(self) -> list[ChangeEvent]:
        return [record for record in self.heard.published if isinstance(record, ChangeEvent)]

    @property
    def letters(self) -> list[DeadLetter]:
        return [record for record in self.heard.published if isinstance(record, DeadLetter)]

    @property
    def unmatched(self) -> int:
        return self.heard.outcomes["source", "unmatched"]

    @property
    def told(self) -> dict[str, Found | None]:
        return {change.object_id: change.found for change in self.published}


@asynccontextmanager
async def looking(**source: Any) -> AsyncIterator[Looking]:
    clock, tasks = FakeClock(), list[asyncio.Task[None]]()
    system = Source(**source)
    setup = Answering()
    context, told = context_of("hubspot", clock, source=system, setup=setup, uniform=lambda low, high: high)
    under_test = Lookups(context, lambda work: tasks.append(asyncio.ensure_future(work)), AskedTally(context))
    made = Looking(system, context, clock, under_test, told, setup)
    try:
        yield made
        assert not [task for task in tasks if task.done() and task.exception()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_values_that_come_together_are_one_call_and_each_is_asked_once() -> None:
    async with looking(emails={"1": "ada@x", "2": "bob@x"}) as it:
        it.ask("ada@x", "bob@x", "ada@x")
        assert it.source.asked == []
        await it.clock.advance(LINGER_S)
        assert it.source.asked == [("ada@x", "bob@x")]
        assert it.finished == ["ada@x", "ada@x", "bob@x"]
        assert [(change.origin, change.caused_by, change.bulk) for change in it.published] == [
            ("lookup", CAUSE, False)
        ] * 2


async def test_what_comes_while_a_call_is_under_way_goes_together_after_it() -> None:
    async with looking(hold=asyncio.Event()) as it:
        it.ask("ada@x")
        await it.clock.advance(LINGER_S)
        it.ask("bob@x", "carl@x", "dora@x", "emil@x")
        assert it.source.hold is not None
        it.source.hold.set()
        await it.clock.settle()
        assert it.source.asked == [("ada@x",), ("bob@x", "carl@x", "dora@x"), ("emil@x",)]
        assert len(it.finished) == 5


async def test_each_object_is_told_with_how_many_hold_the_value() -> None:
    async with looking(emails={"1": "ada@x", "2": " Ada@X", "3": "bob@x"}) as it:
        it.ask("ada@x", "bob@x", "carl@x")
        await it.clock.advance(LINGER_S)
        two, one = Found("people", "ada@x", 2), Found("people", "bob@x", 1)
        assert it.told == {"1": two, "2": two, "3": one}
        assert it.unmatched == 1


async def test_a_crowd_is_told_as_more_than_a_pair_keeps() -> None:
    async with looking(emails={str(number): "n/a" for number in range(200)}) as it:
        it.ask("n/a")
        await it.clock.advance(LINGER_S)
        assert set(it.told.values()) == {Found("people", "n/a", MOST_FOUND)}


async def test_an_object_with_another_value_is_told_without_a_count_and_once() -> None:
    async with looking(emails={"1": "ada@x"}, leads_to={"old@x": "1", "older@x": "1"}) as it:
        it.ask("old@x", "older@x")
        await it.clock.advance(LINGER_S)
        assert [(change.object_id, change.found) for change in it.published] == [("1", None)]
        assert len(it.finished) == 2


async def test_one_mapping_does_not_wait_for_another() -> None:
    async with looking(hold=asyncio.Event()) as it:
        it.ask("ada@x")
        it.ask("ada@x", mapping="others")
        await it.clock.advance(LINGER_S)
        assert len(it.source.asked) == 2


async def test_a_failure_is_tried_again_and_the_request_stays_unfinished_meanwhile() -> None:
    async with looking(emails={"1": "ada@x"}, errors=[Transient("http_500")]) as it:
        it.ask("ada@x")
        await it.clock.advance(LINGER_S)
        assert (it.finished, it.published) == ([], [])
        await it.clock.advance(1)
        assert (it.finished, list(it.told)) == (["ada@x"], ["1"])
        assert it.context.state.works


async def test_what_fails_for_minutes_is_let_go_and_leaves_the_system_to_others() -> None:
    async with looking(errors=[Transient("http_500")] * 100) as it:
        it.ask("ada@x")
        await it.clock.advance(1_000)
        assert (it.finished, it.unmatched, it.context.state.works) == (["ada@x"], 1, True)
        assert len(it.source.asked) == LOOKUPS.attempts


@pytest.mark.parametrize("error", [Misconfigured("missing_scopes"), Refused("invalid_request")])
async def test_what_will_be_refused_again_is_let_go(error: ConnectorError) -> None:
    async with looking(errors=[error]) as it:
        it.ask("ada@x")
        await it.clock.advance(LINGER_S)
        assert (it.finished, len(it.source.asked)) == (["ada@x"], 1)


async def test_a_value_that_the_system_refuses_costs_the_others_nothing() -> None:
    async with looking(emails={"1": "ada@x", "2": "bob@x"}, refuses="?") as it:
        it.ask("ada@x", "?", "bob@x")
        await it.clock.advance(LINGER_S)
        assert sorted(it.told) == ["1", "2"]
        assert (sorted(it.finished), it.unmatched) == (["?", "ada@x", "bob@x"], 1)
        assert [(letter.reason, letter.key[-1]) for letter in it.letters] == [("invalid_request", "?")]


@pytest.mark.parametrize("refusal", [Misconfigured("not_this_api"), Misconfigured("forbidden"), KeyError("secret")])
async def test_nor_does_one_that_the_system_forbids_or_a_proxy_does_not_know_or_our_own_code(
    refusal: Exception,
) -> None:
    async with looking(emails={"1": "ada@x", "2": "bob@x"}, refuses="?", refusal=refusal) as it:
        it.ask("ada@x", "?", "bob@x")
        await it.clock.advance(LINGER_S)
        assert (sorted(it.told), len(it.letters), it.context.state.status) == (["1", "2"], 1, "ok")


@pytest.mark.parametrize("run", [None, "run-1"])
async def test_nor_does_one_at_which_the_system_always_fails(run: str | None) -> None:
    async with looking(emails={"1": "ada@x", "2": "bob@x"}, refuses="?", refusal=Transient("http_500")) as it:
        it.context.state.changes.follow(it.context.state.recover)  # probes find that it works
        it.ask("ada@x", "?", "bob@x", run_id=run, bulk=run is not None)
        for _ in range(400):
            await it.clock.advance(5)
        assert sorted(it.told) == ["1", "2"]
        assert (sorted(it.finished), [letter.reason for letter in it.letters]) == (
            ["?", "ada@x", "bob@x"],
            ["http_500"],
        )


async def test_while_a_system_is_away_for_all_no_batch_is_taken_apart() -> None:
    async with looking(errors=[Transient("http_500")] * 100) as it:
        it.setup.error = Transient("http_500")
        it.ask("ada@x", "bob@x")
        await it.clock.advance(1_000)
        assert (sorted(it.finished), len(it.source.asked), it.letters) == (["ada@x", "bob@x"], LOOKUPS.attempts, [])


async def test_while_the_system_is_away_they_wait_and_go_when_it_is_back() -> None:
    async with looking(emails={"1": "ada@x"}, errors=[CredentialsRejected("unauthorized")]) as it:
        it.setup.error = CredentialsRejected("unauthorized")
        it.ask("ada@x")
        await it.clock.advance(30)
        assert (it.finished, it.context.state.status, len(it.source.asked)) == ([], "needs_reconnect", 1)
        it.context.state.recover()
        await it.clock.settle()
        assert (it.finished, list(it.told)) == (["ada@x"], ["1"])


async def test_no_more_wait_than_memory_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "MOST_WAITING", 2)
    async with looking() as it:
        it.ask("ada@x", "bob@x", "carl@x")
        assert (it.finished, it.unmatched) == (["carl@x"], 1)


async def test_nothing_is_asked_once_the_integration_closes() -> None:
    async with looking() as it:
        it.ask("ada@x")
        it.context.state.close()
        await it.clock.advance(60)
        assert (it.source.asked, it.finished) == ([], [])


async def test_credentials_that_probes_accept_and_lookups_do_not_have_a_last_try() -> None:
    async with looking(errors=[CredentialsRejected("unauthorized") for _ in range(100)]) as it:
        it.setup.error = CredentialsRejected("unauthorized")
        it.context.state.changes.follow(it.context.state.recover)
        it.ask("ada@x")
        await it.clock.advance(1.0)
        await it.clock.settle()
        assert (len(it.source.asked), it.unmatched) == (MOST_OUTAGES, 1)


async def test_those_of_a_full_sync_are_bulk_and_what_they_cost_stands_on_its_row() -> None:
    async with looking(emails={"1": "ada@x", "2": "bob@x"}) as it:
        it.ask("ada@x", "bob@x", run_id="run-1", bulk=True)
        it.ask("ada@x")
        await it.clock.advance(LINGER_S)
        assert sorted(zip(it.source.purposes, it.source.asked, strict=True)) == [
            ("bulk_read", ("ada@x", "bob@x")),
            ("live_read", ("ada@x",)),
        ]
        assert sorted((one.object_id, one.run_id or "", one.bulk) for one in it.published) == [
            ("1", "", False),
            ("1", "run-1", True),
            ("2", "run-1", True),
        ]
        (row,) = [one for one in it.heard.published if isinstance(one, RunProgress)]
        assert (row.run_id, row.part, row.state, row.read) == ("run-1", "hubspot.contacts/asked", "running", 2)


async def test_none_of_a_full_sync_is_let_go_for_others_that_wait(monkeypatch: Any) -> None:
    monkeypatch.setattr(lookups, "MOST_WAITING", 2)
    async with looking(hold=asyncio.Event()) as it:
        it.ask(*(f"{number}@x" for number in range(9)), run_id="run-1")
        await it.clock.advance(LINGER_S)
        assert it.finished == []
        assert it.source.hold is not None
        it.source.hold.set()
        await it.clock.settle()
        assert len(it.finished) == 9


async def test_those_of_a_full_sync_wait_for_a_system_that_is_away_and_fail_its_part_where_it_never_answers() -> None:
    async with looking(emails={"1": "ada@x"}, errors=[Transient("http_503")] * 1_000) as it:

        def answers_again() -> None:
            if not it.context.state.works:
                it.context.state.recover()

        it.context.state.changes.follow(answers_again)
        it.ask("ada@x", run_id="run-1")
        await it.clock.advance(LINGER_S)
        for _ in range(100):
            await it.clock.advance(60.0)
        rows = [one for one in it.heard.published if isinstance(one, RunProgress)]
        assert [(row.state, row.reason) for row in rows] == [("failed", "http_503")]
        assert it.finished == ["ada@x"]


async def test_a_type_that_may_not_be_read_fails_the_part_of_a_full_sync_and_leaves_no_letter_for_each_value() -> None:
    async with looking(emails={}, refuses="ada@x", refusal=Misconfigured("missing_scopes")) as it:
        it.ask("ada@x", "bob@x", "carl@x", run_id="run-1")
        await it.clock.advance(LINGER_S)
        rows = [one for one in it.heard.published if isinstance(one, RunProgress)]
        assert [(row.state, row.reason) for row in rows] == [("failed", "missing_scopes")]
        assert (sorted(it.finished), it.letters, len(it.source.asked)) == (["ada@x", "bob@x", "carl@x"], [], 1)


@pytest.mark.parametrize("run_id", [None, "run-1"])
async def test_an_account_that_is_misconfigured_as_a_whole_is_waited_for(run_id: str | None) -> None:
    async with looking(emails={"1": "ada@x"}, errors=[Misconfigured("not_this_api")]) as it:
        it.setup.error = Misconfigured("not_this_api")
        it.ask("ada@x", "bob@x", run_id=run_id)
        await it.clock.advance(LINGER_S)
        assert (it.finished, it.letters, it.context.state.works) == ([], [], False)
        it.setup.error = None
        it.context.state.recover()
        await it.clock.settle()
        assert (sorted(it.finished), list(it.told)) == (["ada@x", "bob@x"], ["1"])


async def test_a_value_that_nobody_holds_is_told_where_the_pair_waits_for_it() -> None:
    async with looking(emails={"1": "ada@x"}) as it:
        it.ask("ada@x", "bob@x", tell_missing=True)
        it.ask("carl@x")
        await it.clock.advance(LINGER_S)
        receipts = [one for one in it.heard.published if isinstance(one, Receipt)]
        assert [(one.kind, one.mapping, one.match_value, one.system) for one in receipts] == [
            ("missed", "people", "bob@x", "hubspot")
        ]


async def test_where_no_mapping_asks_objects_are_asked_for_by_their_ids() -> None:
    async with looking(emails={"1": "ada@x"}, ids=True) as it:
        it.ask("1", "2", mapping="", match_field="hs_object_id", by_email=False, tell_missing=True)
        await it.clock.advance(LINGER_S)
        (told,) = it.published
        assert (told.object_id, told.origin, told.found) == ("1", "lookup", Found("", "1", 1))
        receipts = [one for one in it.heard.published if isinstance(one, Receipt)]
        assert [(one.kind, one.mapping, one.match_value) for one in receipts] == [("missed", "", "2")]
