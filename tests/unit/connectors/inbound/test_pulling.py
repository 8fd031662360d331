"""A feed's news are with the brokers before its place is kept; what it cannot have is told and waited for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.contract.errors import ConnectorError, CredentialsRejected, Misconfigured, Refused, Transient
from connectors.contract.feed import Feed, FeedSettings, Kept, Pulled
from connectors.contract.source import Seen
from connectors.inbound.positions import Positions
from connectors.inbound.pulling import KEPT_AGAIN_MS, Pulling
from connectors.session.context import IntegrationContext
from schemas.records import ChangeEvent, Notification, SourcePosition, StampedValue
from schemas.runs import RunProgress
from tests.unit.connectors.fake_clock import FakeClock
from tests.unit.connectors.session.contexts import Answering, Told, context_of


@dataclass
class Counting:
    """A feed that tells one body at each pull, whose position counts them; `errors` come first."""

    object_type: str | None = "contacts"
    errors: list[ConnectorError] = field(default_factory=list)
    objects: Sequence[Seen] = ()
    gap: str | None = None
    asked: list[Kept | None] = field(default_factory=list)
    wait_s: float = 1.0
    stuck: bool = False

    async def pull(self, kept: Kept | None, now_ms: int) -> Pulled:
        self.asked.append(kept)
        if self.errors:
            raise self.errors.pop(0)
        number = int(kept.position) if kept else 0
        gap, self.gap = self.gap, None
        after = str(number if self.stuck and kept else number + 1)
        return Pulled(after, (f"news {number}".encode(),), self.objects, self.wait_s, gap)


@dataclass
class Fed:
    """The feeds of a system by name."""

    feeds: dict[str, Counting]

    def names(self) -> Sequence[str]:
        return tuple(self.feeds)

    def open(self, name: str) -> Feed:
        return self.feeds[name]

    def patrolled(self) -> Sequence[str]:
        return ()


@dataclass
class Bench:
    """An integration whose feeds are pulled, its clock, and the rows that were kept."""

    context: IntegrationContext
    told: Told
    clock: FakeClock
    fed: Fed
    rows: dict[str, SourcePosition]

    @property
    def feed(self) -> Counting:
        return self.fed.feeds["contacts/modified"]

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.told.published if isinstance(one, kind)]


def bench(*, feed: Counting | None = None, may_write: bool = True, probe: ConnectorError | None = None) -> Bench:
    clock, fed = FakeClock(), Fed({"contacts/modified": feed or Counting()})
    it: Bench
    context, told = context_of(
        "hubspot",
        clock,
        setup=Answering(probe),
        now_ms=lambda: int(clock.now * 1000),
        may_write=lambda: may_write,
    )
    object.__setattr__(context.account, "feeds", fed)
    it = Bench(context, told, clock, fed, {})
    return it


@asynccontextmanager
async def pulled(it: Bench) -> AsyncIterator[Bench]:
    positions = Positions(it.context, it.rows.get)
    task = asyncio.create_task(Pulling(it.context, it.fed, positions, FeedSettings()).run())
    try:
        await it.clock.advance(0.2)
        yield it
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_news_are_published_before_their_place_is_kept() -> None:
    async with pulled(bench()) as it:
        await it.clock.advance(2.5)
    kinds = [type(one) for one in it.told.published]
    assert kinds == [Notification, SourcePosition] * 3
    assert [one.body for one in it.of(Notification)] == [b"news 0", b"news 1", b"news 2"]
    assert [one.position for one in it.of(SourcePosition)] == ["1", "2", "3"]


async def test_a_crash_between_news_and_place_repeats_the_news() -> None:
    it = bench()
    it.told.held_back = asyncio.Event()
    async with pulled(it):
        assert it.told.published == []
    assert it.feed.asked == [None]
    it.told.held_back = None
    async with pulled(it):
        pass
    assert it.feed.asked == [None, None]
    assert [one.body for one in it.of(Notification)] == [b"news 0"]


async def test_another_owner_goes_on_at_the_place_that_was_kept_and_not_under_another_connection() -> None:
    it = bench()
    row = SourcePosition("acme", 1, "hubspot", "contacts/modified", "7", 5)
    it.rows["acme/hubspot/contacts/modified"] = row
    async with pulled(it):
        pass
    assert it.feed.asked[0] == Kept("7", 5)
    other = bench()
    other.rows["acme/hubspot/contacts/modified"] = SourcePosition("acme", 9, "hubspot", "contacts/modified", "7", 5)
    async with pulled(other):
        pass
    assert other.feed.asked[0] is None


@pytest.mark.parametrize("why", ["paused", "away", "closing", "not ours"])
async def test_nothing_is_asked_while_nothing_may_be(why: str) -> None:
    it = bench(may_write=why != "not ours")
    if why == "paused":
        it.context.state.renew(1, active=False)
    if why == "away":
        it.context.state.fail(Transient("http_500"))
    if why == "closing":
        it.context.state.close()
    async with pulled(it):
        await it.clock.advance(60)
        assert it.feed.asked == []
        it.context.state.recover()
        it.context.state.renew(2, active=why != "closing")
        await it.clock.advance(2)
    assert bool(it.feed.asked) == (why in ("paused", "away"))


async def test_objects_are_changes_of_a_poll_under_the_credit_for_bulk_and_written_like_live_ones() -> None:
    credit: list[int] = []
    it = bench(feed=Counting(objects=[Seen("u-1", {"plan": StampedValue("gold", 5)}, 5, 0)]))

    async def take(records: int) -> None:
        credit.append(records)

    object.__setattr__(it.context, "bulk_credit", take)
    async with pulled(it):
        pass
    (change,) = it.of(ChangeEvent)
    assert (change.object_type, change.object_id, change.origin, change.bulk) == ("contacts", "u-1", "poll", False)
    assert credit == [1]
    assert change.caused_by is not None  # without a time it would count as of before every erasure
    assert 0 < change.caused_by.at_ms <= it.context.now_ms()


async def test_a_gap_asks_for_a_full_sync_before_the_new_place_is_kept() -> None:
    async with pulled(bench(feed=Counting(gap="journal_expired"))) as it:
        pass
    kinds = [type(one) for one in it.told.published]
    assert kinds == [Notification, RunProgress, SourcePosition]
    (run,) = it.of(RunProgress)
    assert (run.integration, run.state, run.full_sync.requested_by) == ("acme", "requested", "gap")


async def test_a_passing_error_is_tried_again() -> None:
    async with pulled(bench(feed=Counting(errors=[Transient("http_500"), Transient("http_500")]))) as it:
        await it.clock.advance(5)
    assert len(it.of(Notification)) >= 1
    assert it.context.state.works


@pytest.mark.parametrize(
    "errors", [[Refused("invalid_request")], [Transient("http_500")] * 7, [Misconfigured("journal_refused")]]
)
async def test_what_one_feed_is_refused_is_told_while_everything_else_goes_on(errors: list[ConnectorError]) -> None:
    feed = Counting(object_type=None, errors=list(errors))
    async with pulled(bench(feed=feed)) as it:
        await it.clock.advance(120)
        asked = len(feed.asked)
        await it.clock.advance(120)
        assert len(feed.asked) == asked
        assert it.context.state.works
        assert dict(it.context.state.denied) == {("contacts/modified", "read"): errors[0].reason}
        it.context.state.lift()
        await it.clock.advance(2)
    assert len(feed.asked) > asked
    assert it.of(Notification)


async def test_a_system_that_answers_no_probe_either_is_away() -> None:
    it = bench(feed=Counting(errors=[Transient("http_500")] * 7), probe=Transient("http_503"))
    async with pulled(it):
        await it.clock.advance(120)
    assert (it.context.state.status, it.context.state.reason) == ("unavailable", "http_503")


@pytest.mark.parametrize(
    ("error", "status"),
    [(CredentialsRejected("unauthorized"), "needs_reconnect"), (Misconfigured("forbidden"), "failed")],
)
async def test_credentials_that_are_refused_are_the_systems_matter(error: ConnectorError, status: str) -> None:
    it = bench(feed=Counting(errors=[error]), probe=error)
    async with pulled(it):
        await it.clock.advance(5)
        assert (it.context.state.status, len(it.feed.asked)) == (status, 1)
        it.context.state.recover()
        await it.clock.advance(2)
    assert it.context.state.denied == {}
    assert len(it.feed.asked) > 1


async def test_an_error_of_our_own_costs_one_feed_and_not_the_others() -> None:
    class Broken(Counting):
        async def pull(self, kept: Kept | None, now_ms: int) -> Pulled:
            raise ZeroDivisionError

    it = bench(feed=Broken())
    it.fed.feeds["contacts/archived"] = Counting()
    async with pulled(it):
        await it.clock.advance(5)
    assert it.fed.feeds["contacts/archived"].asked
    assert dict(it.context.state.denied) == {("contacts/modified", "read"): "step_failed"}


async def test_a_feed_that_mappings_need_no_more_is_pulled_no_more() -> None:
    async with pulled(bench()) as it:
        gone = it.fed.feeds.pop("contacts/modified")
        it.fed.feeds["companies/modified"] = Counting(object_type="companies")
        it.context.state.changes.bump()
        await it.clock.settle()
        asked = len(gone.asked)
        await it.clock.advance(10)
    assert len(gone.asked) == asked
    assert it.fed.feeds["companies/modified"].asked


async def test_a_place_that_does_not_move_is_kept_again_now_and_then_so_that_its_time_tells() -> None:
    async with pulled(bench(feed=Counting(wait_s=60.0, stuck=True))) as it:
        await it.clock.advance(2 * KEPT_AGAIN_MS / 1000 + 60)
    assert len(it.of(SourcePosition)) == 3
