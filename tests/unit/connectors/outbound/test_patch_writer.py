"""Writing: what the sink saw is told in the order in which it was seen; what nobody foresaw costs one write."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest

from connectors.clock import SystemClock
from connectors.contract.errors import Misconfigured, Transient
from connectors.contract.sink import Again, Answered, OwnershipLost, Write, WriteResult
from connectors.contract.source import News
from connectors.outbound import patch_writer
from connectors.outbound.patch_writer import PatchWriter
from connectors.session.echoes import RecentWrites
from schemas.records import Cause, ChangeEvent, FieldPatch, Receipt, StampedValue
from tests.unit.connectors.session.contexts import Told, context_of

SECOND_MS, SPREAD_MS = 1_000, 999
DEADLINE_S = 10.0


class Sink:
    """A system that holds "held", and whose clock stands still."""

    batch_size, in_flight = 1, 1
    broken: str | None = None  # the object at which our code fails

    def __init__(self, error: Exception | None = None, *, again: bool = False) -> None:
        self.error, self.again = error, again
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.may_end.set()

    async def write(self, writes: Sequence[Write], may_write: Callable[[], bool]) -> Sequence[WriteResult]:
        self.begun.set()
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        if self.broken in {write.object_id for write in writes}:
            raise KeyError("secret")
        if self.again:
            return [Again(write) for write in writes]
        return [
            Answered(write, dict(write.fields), SECOND_MS, SPREAD_MS, equal=write.fields["title"] == "held")
            for write in writes
        ]


def patch(title: str) -> FieldPatch:
    return FieldPatch(
        integration="acme",
        connection=1,
        revision=1,
        mapping="contacts-users",
        match_value="ada@example.com",
        system="userflow",
        object_type="users",
        object_id="u1",
        fields={"title": title},
    )


def half(sink: Sink) -> tuple[PatchWriter, Told]:
    context, told = context_of("userflow", SystemClock(), sink=sink)
    return PatchWriter(context, RecentWrites()), told


@pytest.mark.parametrize(
    "sink",
    [Sink(again=True), Sink(OwnershipLost("userflow")), Sink(Transient("http_503"))],
    ids=["again", "not ours", "failed"],
)
async def test_what_comes_back_to_an_integration_that_was_paused_meanwhile_is_parked(sink: Sink) -> None:
    context, told = context_of("userflow", SystemClock(), sink=sink)
    writing, finished = PatchWriter(context, RecentWrites()), asyncio.Event()
    running = asyncio.create_task(writing.run())
    sink.may_end.clear()
    await writing.take(patch("new"), finished.set)
    await asyncio.wait_for(sink.begun.wait(), DEADLINE_S)
    context.state.renew(1, active=False)
    await writing.park_if_away()
    assert not finished.is_set()
    sink.may_end.set()
    await asyncio.wait_for(finished.wait(), DEADLINE_S)
    assert [receipt.kind for receipt in told.published if isinstance(receipt, Receipt)] == ["parked"]
    running.cancel()


async def test_an_equal_answer_and_a_write_of_one_second_are_told_as_ours_and_in_order() -> None:
    writing, so_far = half(Sink())
    running = asyncio.create_task(writing.run())
    for title in ("held", "new"):
        done = asyncio.Event()
        await writing.take(patch(title), done.set)
        await asyncio.wait_for(done.wait(), DEADLINE_S)
    running.cancel()

    told = [change.fields["title"] for change in so_far.published if isinstance(change, ChangeEvent)]
    assert [(value.value, value.ours) for value in told] == [("held", True), ("new", True)]
    assert told[0].at_ms + told[0].spread_ms < told[1].at_ms + told[1].spread_ms


async def test_what_a_write_does_not_expect_is_refused_and_the_rest_of_its_batch_written() -> None:
    sink = Sink()
    sink.batch_size, sink.broken = 4, "u3"
    (writing, told), finished = half(sink), list[str]()
    ids = ["u1", "u2", "u3", "u4"]
    for id in ids:
        await writing.take(replace(patch("new"), object_id=id), partial(finished.append, id))
    running = asyncio.create_task(writing.run())
    await until(lambda: len(finished) == len(ids))
    running.cancel()
    refused = [(one.object_id, one.kind, one.reason) for one in told.published if isinstance(one, Receipt)]
    assert refused == [("u3", "refused", "step_failed")]
    assert [one.object_id for one in told.published if isinstance(one, ChangeEvent)] == ["u1", "u2", "u4"]


async def test_patches_of_a_type_that_may_not_be_written_are_parked_and_nothing_is_derived_again() -> None:
    (writing, told), finished = half(Sink(Misconfigured("missing_scopes", status=403))), asyncio.Event()
    await writing.take(patch("new"), finished.set)
    running = asyncio.create_task(writing.run())
    await until(finished.is_set)
    running.cancel()
    assert [(one.kind, one.fields) for one in told.published] == [("parked", {"title": "new"})]
    state = writing._context.state
    assert (state.works, state.parked, dict(state.denied)) == (True, False, {("users", "write"): "missing_scopes"})


async def test_what_our_own_code_does_not_expect_ends_the_writing_instead_of_holding_its_records_for_ever() -> None:
    (writing, told), finished = half(Sink()), asyncio.Event()
    told.error = TypeError("ours")
    await writing.take(patch("new"), finished.set)
    with pytest.raises(TypeError):
        await writing.run()
    assert not finished.is_set()


async def until(good: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if good():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come about within 10 s")


async def test_a_write_that_always_fails_alone_has_a_last_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_writer, "ALONE_S", 0.0)
    sink, finished = Sink(again=True), asyncio.Event()
    writing, told = half(sink)
    await writing.take(patch("new"), finished.set)
    running = asyncio.create_task(writing.run())
    await until(finished.is_set)
    running.cancel()
    receipts = [(one.kind, one.reason) for one in told.published if isinstance(one, Receipt)]
    assert receipts == [("refused", "failed_alone")]


async def test_what_waits_for_the_partner_of_an_erased_object_is_not_written() -> None:
    """Neither what is queued nor what comes later and follows from before; a write under way ends."""
    sink = Sink()
    writing, told = half(sink)
    ended = list[str]()
    running = asyncio.create_task(writing.run())
    sink.may_end.clear()
    await writing.take(patch("under way"), partial(ended.append, "under way"))
    await asyncio.wait_for(sink.begun.wait(), DEADLINE_S)
    other = replace(patch("other"), mapping="deals-users", fields={"deal": "other"})
    await writing.take(patch("queued"), partial(ended.append, "queued"))
    await writing.take(other, partial(ended.append, "other"))
    writing.erase("contacts-users", "users", ["u1"])
    assert ended == ["queued"]
    await writing.take(patch("late"), partial(ended.append, "late"))
    assert ended == ["queued", "late"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (told.published, told.outcomes["sink", "erased"]) == ([], 2)


async def test_how_long_a_change_took_is_measured_where_something_was_written() -> None:
    measured: list[tuple[bool, int]] = []
    cause = Cause("hubspot.notifications", 0, 1, 1_000)
    context, _ = context_of(
        "userflow",
        SystemClock(),
        sink=Sink(),
        now_ms=lambda: 1_250,
        visible=lambda bulk, parts: measured.append((bulk, parts.whole)),
    )
    writing = PatchWriter(context, RecentWrites())
    running = asyncio.create_task(writing.run())
    for one in (
        replace(patch("new"), caused_by=cause),
        replace(patch("held"), caused_by=cause),  # it was there already
        replace(patch("newer"), caused_by=cause, bulk=True),
        patch("newest"),  # nobody knows since when
    ):
        done = asyncio.Event()
        await writing.take(one, done.set)
        await asyncio.wait_for(done.wait(), DEADLINE_S)
    running.cancel()
    assert measured == [(False, 250), (True, 250)]


async def test_fields_that_leave_together_are_told_with_the_cause_of_each_and_whether_anything_was_written() -> None:
    sink = Sink()
    writing, so_far = half(sink)
    running = asyncio.create_task(writing.run())
    first, second = Cause("hubspot.notifications", 0, 1, 1_000), Cause("hubspot.notifications", 0, 2, 1_001)
    sink.may_end.clear()
    await writing.take(patch("held"), lambda: None)
    await asyncio.wait_for(sink.begun.wait(), DEADLINE_S)
    ended = [asyncio.Event(), asyncio.Event()]
    await writing.take(replace(patch("new"), caused_by=first), ended[0].set)
    await writing.take(replace(patch("new"), fields={"plan": "pro"}, caused_by=second), ended[1].set)
    sink.may_end.set()
    for one in ended:
        await asyncio.wait_for(one.wait(), DEADLINE_S)
    running.cancel()
    held, both = (change for change in so_far.published if isinstance(change, ChangeEvent))
    assert (held.equal, held.caused_by, held.causes) == (True, None, {})
    assert (both.equal, both.caused_by, both.causes) == (False, first, {"plan": second})


async def test_what_was_written_is_known_before_the_write_counts_as_ended() -> None:
    """Between the two a webhook that tells of it would be no echo: it would be read."""

    class Watched(RecentWrites):
        known_at_the_end: bool | None = None

        def ended(self, write: Write) -> None:
            news = News("users", "u1", "upserted", {"title": StampedValue("new", SECOND_MS)}, SECOND_MS, 0, False)
            self.known_at_the_end = self.echoed(news)
            super().ended(write)

    context, _ = context_of("userflow", SystemClock(), sink=Sink())
    writes, done = Watched(), asyncio.Event()
    writing = PatchWriter(context, writes)
    running = asyncio.create_task(writing.run())
    await writing.take(patch("new"), done.set)
    await asyncio.wait_for(done.wait(), DEADLINE_S)
    running.cancel()
    assert writes.known_at_the_end is True
