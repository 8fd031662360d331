"""A slow look is made once for all who ask; a little old answer is given while a newer one is looked for."""

import asyncio

import pytest

from pipeline.console.desk import Kept


async def settled() -> None:
    """Until looks on threads had their turn."""
    for _ in range(50):
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: None)


async def test_whoever_asks_a_little_later_is_not_kept_waiting() -> None:
    looks: list[int] = []

    def look() -> int:
        looks.append(len(looks))
        return len(looks)

    kept = Kept(look, 0.05)
    assert await asyncio.gather(*(kept.get() for _ in range(20))) == [1] * 20
    kept._at -= 0.06  # older than it is kept
    assert await kept.get() == 1
    await settled()
    assert await kept.get() == 2
    kept._at -= 10.0  # too old
    assert await kept.get() == 3
    kept.forget()
    assert await kept.get() == 4 == len(looks)


async def test_a_look_that_fails_is_told_to_whoever_asks_next() -> None:
    fails = [False]

    def look() -> int:
        if fails[0]:
            raise ConnectionError("no broker")
        return 7

    kept = Kept(look, 0.05)
    assert kept.soon() is None
    await settled()
    assert kept.soon() == 7
    fails[0] = True
    kept._at -= 0.06
    assert await kept.get() == 7
    await settled()
    with pytest.raises(ConnectionError):
        await kept.get()
