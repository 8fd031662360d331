"""Writing: what the sink saw is told in the order in which it was seen; what it did not foresee ends it."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from connectors.clock import SystemClock
from connectors.contract.sink import Answered, Write, WriteResult
from connectors.outbound.patch_writer import PatchWriter
from connectors.session.echoes import RecentWrites
from schemas.records import ChangeEvent, FieldPatch
from tests.unit.connectors.session.contexts import Told, lane_of

SECOND_MS, SPREAD_MS = 1_000, 999
DEADLINE_S = 10.0


class Sink:
    """A system that holds "held", and whose clock stands still."""

    batch_size, in_flight = 1, 1
    error: Exception | None = None

    async def write(self, writes: Sequence[Write], may_write: Callable[[], bool]) -> Sequence[WriteResult]:
        if self.error is not None:
            raise self.error
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
    context, told = lane_of("userflow", SystemClock(), sink=sink)
    return PatchWriter(context, RecentWrites()), told


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


async def test_what_a_write_does_not_expect_ends_the_writing_instead_of_holding_its_records_for_ever() -> None:
    sink = Sink()
    sink.error = RuntimeError("unforeseen")
    (writing, _), finished = half(sink), asyncio.Event()
    await writing.take(patch("new"), finished.set)
    with pytest.raises(RuntimeError, match="unforeseen"):
        await asyncio.wait_for(writing.run(), DEADLINE_S)
    assert not finished.is_set()
