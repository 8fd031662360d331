"""A crawl tells when a whole type was shown, and only then."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.contract.errors import ConnectorError, Missing, RateLimited, Refused, Transient
from connectors.contract.source import ObjectPage, Seen
from connectors.inbound import crawl as crawl_module
from connectors.inbound.crawl import crawl
from connectors.inbound.persistence import MOST_OUTAGES
from schemas.records import Cause, ChangeEvent, ConnectorRequest, StampedValue
from schemas.runs import RunProgress, RunState
from tests.unit.connectors.fake_clock import InstantClock
from tests.unit.connectors.session.contexts import Told, context_of

CAUSE = Cause("", -1, -1, 0)
REQUEST = ConnectorRequest("acme", 1, "crawl", "users", run_id="run-1")


@dataclass
class Source:
    """Three pages of one user each; an error comes before the page that it stands for."""

    errors: dict[str | None, ConnectorError] = field(default_factory=dict)

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        error = self.errors.pop(cursor, None)
        if error is not None:
            raise error
        number = int(cursor or 0)
        return ObjectPage([Seen(f"u-{number}", {}, 1, 0)], str(number + 1) if number < 2 else None)


async def crawled(source: Source) -> tuple[Told, list[str]]:
    """What a crawl published, and the types that it told to be complete."""
    told, completed = await _ending(source)
    if completed:
        assert len([one for one in told.published if isinstance(one, ChangeEvent)]) == 3
    return told, completed


async def test_it_is_complete_once_every_page_was_published() -> None:
    told, completed = await crawled(Source())
    assert completed == ["users"]
    assert [one.object_id for one in told.published if isinstance(one, ChangeEvent)] == ["u-0", "u-1", "u-2"]


async def test_what_a_page_does_not_settle_is_left_out_and_read_again() -> None:
    class Unsettled(Source):
        async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
            fields = {"plan": StampedValue("gold", 1), "company.name": StampedValue(None, 1)}
            return ObjectPage([Seen("u-1", fields, 1, 0, unsettled=("company.name",))], None)

    told, _ = await _ending(Unsettled())
    (change,) = (one for one in told.published if isinstance(one, ChangeEvent))
    (request,) = (one for one in told.published if isinstance(one, ConnectorRequest))
    assert (set(change.fields), change.unknown) == ({"plan"}, ())
    assert (request.kind, request.values, request.run_id) == ("reread", ("u-1",), "run-1")


async def test_a_page_that_failed_is_read_again() -> None:
    _, completed = await crawled(Source({"1": Transient("http_500")}))
    assert completed == ["users"]


async def test_a_crawl_that_is_refused_is_not_complete() -> None:
    told, completed = await crawled(Source({"1": Refused("invalid_request")}))
    assert completed == []
    assert _end(told) == ("failed", "invalid_request", 1)


@dataclass
class Circle:
    """A list that brings nothing new; `turn` gives the ids and the cursor of each page by its number."""

    turn: Callable[[int], tuple[list[str], str | None]]
    pages: int = 0

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        self.pages += 1
        assert self.pages < 100, "the crawl goes on for ever"
        ids, following = self.turn(self.pages)
        return ObjectPage([Seen(id, {}, 1, 0) for id in ids], following)


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        (lambda number: ([f"u-{number}"], "same"), "paging_cursor_repeated"),
        (lambda number: ([f"u-{number}"], f"{number % 3}"), "paging_cursor_repeated"),
        (lambda number: ([], f"{number}"), "paging_page_empty"),
        (lambda number: (["u-1", "u-2"], f"{number}"), "paging_page_repeated"),
        (lambda number: ([f"u-{number % 4}", f"u-{number}"], f"{number}"), "paging_page_repeated"),
    ],
    ids=["the same cursor", "a cycle of cursors", "ever new empty pages", "the same page", "a cycle of pages"],
)
async def test_paging_that_brings_nothing_new_ends_the_crawl_with_its_reason(turn: Any, reason: str) -> None:
    told, completed = await _ending(Circle(turn))
    assert completed == []
    assert _end(told)[:2] == ("failed", reason)


@dataclass
class Deleting(Source):
    """Whoever names the second page is deleted, so many times."""

    times: int = 1

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        if cursor == "1" and self.times > 0:
            self.times -= 1
            raise Refused("cursor_gone")
        return await super().page(object_type, cursor)


async def test_a_crawl_begins_again_where_its_place_was_deleted_but_not_for_ever() -> None:
    told, completed = await _ending(Deleting(times=2))
    assert (completed, _end(told)[0]) == (["users"], "completed")
    told, completed = await _ending(Deleting(times=1_000))
    assert (completed, _end(told)[:2]) == ([], ("failed", "cursor_gone"))


@dataclass
class Hopeless:
    """Pages that always fail, of a system that answers all else."""

    error: ConnectorError
    asked: int = 0

    async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
        self.asked += 1
        assert self.asked < 10_000, "the page is tried for ever"
        raise self.error


@pytest.mark.parametrize("error", [Transient("http_500"), RateLimited("unknown", status=503), Missing()])
async def test_a_page_that_never_comes_has_a_last_try(error: ConnectorError) -> None:
    source = Hopeless(error)
    context, told = context_of("userflow", InstantClock(), source=source, uniform=lambda low, high: high)
    outages = []

    def answers_again() -> None:
        if not context.state.works:
            outages.append(context.state.reason)
            context.state.recover()

    context.state.changes.follow(answers_again)
    assert not await crawl(context, REQUEST, CAUSE)
    assert _end(told)[:2] == ("failed", error.reason)
    assert outages == [error.reason] * (0 if isinstance(error, Missing) else MOST_OUTAGES - 1)


def _end(told: Told) -> tuple[str, str | None, int]:
    """State, reason and number of objects that the run's last record tells."""
    last = [one for one in told.published if isinstance(one, RunProgress)][-1]
    return last.state, last.reason, last.read


async def _ending(source: Any) -> tuple[Told, list[str]]:
    context, told = context_of("userflow", InstantClock(), source=source)
    return told, ["users"] if await crawl(context, REQUEST, CAUSE) else []


def _standing(cursor: str | None, state: RunState = "running", run: RunState = "running") -> Callable[[str], Any]:
    """`sync.runs` as a killed connector left it: one user read in two calls, and the run itself."""
    rows = {
        "run-1": RunProgress("run-1", "acme", "run", run, 0, 0),
        "run-1/userflow.users": RunProgress("run-1", "acme", "userflow.users", state, 0, 0, 1, cursor, calls=2),
    }
    return rows.get


async def test_after_a_kill_it_goes_on_at_the_page_that_was_not_told() -> None:
    context, told = context_of("userflow", InstantClock(), source=Source(), run_row=_standing("1"))
    assert await crawl(context, REQUEST, CAUSE)
    assert [one.object_id for one in told.published if isinstance(one, ChangeEvent)] == ["u-1", "u-2"]
    assert _end(told) == ("completed", None, 3)


async def test_a_cursor_that_has_lapsed_begins_the_type_anew_and_says_so() -> None:
    source = Source({"1": Refused("invalid_request")})
    context, told = context_of("userflow", InstantClock(), source=source, run_row=_standing("1"))
    assert await crawl(context, REQUEST, CAUSE)
    assert _end(told) == ("completed", "cursor_lapsed", 3)


@pytest.mark.parametrize(("ahead", "wanted"), [(1, [None, "1"]), (2, [None, "1", "2"]), (9, [None, "1", "2"])])
async def test_some_pages_are_read_while_one_waits_to_be_published_and_none_beyond(
    monkeypatch: pytest.MonkeyPatch, ahead: int, wanted: list[str | None]
) -> None:
    monkeypatch.setattr(crawl_module, "PAGES_AHEAD", ahead)
    asked, room = list[str | None](), asyncio.Event()

    class Counting(Source):
        async def page(self, object_type: str, cursor: str | None) -> ObjectPage:
            asked.append(cursor)
            return await super().page(object_type, cursor)

    async def credit(records: int) -> None:
        await room.wait()

    clock = InstantClock()
    context, told = context_of("userflow", clock, source=Counting(), bulk_credit=credit)
    work = asyncio.create_task(crawl(context, REQUEST, CAUSE))
    await clock.settle()
    assert asked == wanted
    assert [one for one in told.published if isinstance(one, ChangeEvent)] == []
    room.set()
    assert await work
    assert asked == [None, "1", "2"]


@pytest.mark.parametrize("state", ["completed", "failed", "stopped"])
async def test_a_part_that_has_ended_is_left_alone(state: RunState) -> None:
    context, told = context_of("userflow", InstantClock(), source=Source(), run_row=_standing(None, state))
    assert not await crawl(context, REQUEST, CAUSE)
    assert told.published == []


@pytest.mark.parametrize("state", ["stopped", "superseded", "failed"])
async def test_nothing_is_read_for_a_run_that_is_over(state: RunState) -> None:
    context, told = context_of("userflow", InstantClock(), source=Source(), run_row=_standing("1", run=state))
    assert not await crawl(context, REQUEST, CAUSE)
    assert _end(told) == ("stopped", None, 1)
    assert [one for one in told.published if isinstance(one, ChangeEvent)] == []


async def test_its_row_lives_while_the_system_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.inbound.crawl.HEARTBEAT_S", 0.01)
    context, told = context_of("userflow", InstantClock(), source=Source())
    context.state.fail(Transient("http_503"))
    work = asyncio.create_task(crawl(context, REQUEST, CAUSE))

    def reasons() -> list[str | None]:
        return [one.reason for one in told.published if isinstance(one, RunProgress)]

    async with asyncio.timeout(10):
        while reasons().count("http_503") < 3:  # noqa: ASYNC110 - rows are told by a beat, not by an event
            await asyncio.sleep(0.01)
    context.state.recover()
    assert await work
    assert _end(told) == ("completed", None, 3)
