"""Waiting for an event with a deadline, and a cancellation that comes at the worst moment."""

import asyncio

import pytest

from connectors.clock import set_within

DEADLINE_S = 5.0


async def test_an_event_that_is_set_is_told() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await set_within(event, DEADLINE_S)
    assert await set_within(event, None)


async def test_an_event_that_is_not_set_is_not_waited_for_longer() -> None:
    assert not await set_within(asyncio.Event(), 0.0)


@pytest.mark.parametrize("turns", range(5))
async def test_no_cancellation_is_forgotten_however_near_it_is_to_the_event(turns: int) -> None:
    event = asyncio.Event()

    async def forever() -> None:
        while True:
            event.clear()
            await set_within(event, DEADLINE_S)

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=DEADLINE_S)
    assert task.cancelled()
