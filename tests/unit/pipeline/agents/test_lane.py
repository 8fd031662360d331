"""A lane keeps the order, is bounded by records, and loses nothing to a wait that ends."""

import asyncio

import pytest

from pipeline.agents.lane import Lane, Room
from tests.unit.pipeline.agents.stage import batch, event, record, until


async def test_what_was_put_first_comes_first() -> None:
    lane = Lane(Room())
    for number in range(3):
        await lane.put(event(number, "a=1"))
    assert [(await lane.get()).message.records[0].offset for _ in range(3)] == [0, 1, 2]
    assert lane.empty


async def test_a_full_lane_takes_the_next_batch_once_one_has_left() -> None:
    lane = Lane(Room(), most_records=3)
    await lane.put(batch(*(record(number, "a=1") for number in range(5))))
    waiting = asyncio.create_task(lane.put(event(5, "a=1")))
    await asyncio.sleep(0)
    assert not waiting.done()
    lane.get_now()
    await until(waiting.done)
    assert (await lane.get()).message.records[0].offset == 5


async def test_a_wait_that_ends_loses_nothing() -> None:
    lane = Lane(Room())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await lane.get()
    await lane.put(event(0, "a=1"))
    assert (await lane.get()).message.records[0].offset == 0


async def test_a_full_room_waits_for_whichever_lane_has_a_batch_taken() -> None:
    room = Room(most_records=2)
    one, other = Lane(room), Lane(room)
    await one.put(event(0, "a=1"))
    await one.put(event(1, "a=1"))
    waiting = asyncio.create_task(other.put(event(2, "a=1")))
    await asyncio.sleep(0)
    assert not waiting.done()
    one.get_now()
    await until(waiting.done)
    assert not other.empty


async def test_more_is_waited_for_until_it_comes_or_the_time_is_over() -> None:
    lane = Lane(Room())
    assert not await lane.more(-1.0)
    assert not await lane.more(0.001)
    waiting = asyncio.create_task(lane.more(60.0))
    await asyncio.sleep(0)
    await lane.put(event(0, "a=1"))
    assert await waiting
    assert await lane.more(-1.0), "what waits is there whatever the time"
