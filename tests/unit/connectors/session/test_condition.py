"""One condition for many: a change between two looks is seen by each waiter, however late it waits."""

import asyncio

from connectors.session.condition import VersionedCondition


async def test_a_change_before_the_wait_is_seen_by_everyone() -> None:
    condition = VersionedCondition()
    seen = condition.version
    condition.bump()
    assert [await condition.wait_after(seen) for _ in range(2)] == [True, True]


async def test_a_change_wakes_all_who_wait_and_those_who_follow() -> None:
    condition, calls = VersionedCondition(), list[int]()
    condition.follow(lambda: calls.append(condition.version))
    waiting = [asyncio.create_task(condition.wait_after(condition.version)) for _ in range(3)]
    await asyncio.sleep(0)
    condition.bump()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert calls == [1]


async def test_a_wait_without_a_change_ends_with_its_time() -> None:
    condition = VersionedCondition()
    assert not await condition.wait_after(condition.version, 0.0)
    assert not await condition.until(lambda: False, 0.0)


async def test_until_asks_again_after_each_change_and_not_in_between() -> None:
    condition, asked = VersionedCondition(), list[int]()

    def third() -> bool:
        asked.append(condition.version)
        return condition.version >= 2

    waiting = asyncio.create_task(condition.until(third))
    for _ in range(2):
        await asyncio.sleep(0)
        condition.bump()
    assert await waiting
    assert asked == [0, 1, 2]


async def test_a_change_while_a_waiter_does_something_else_is_not_lost() -> None:
    """An event that one waiter cleared hid the change from the others; that cost a poll in each of them."""
    condition, looks = VersionedCondition(), 0

    async def looking() -> None:
        nonlocal looks
        while looks < 2:
            version = condition.version
            looks += 1
            condition.bump()  # what a look itself changes, or what comes while it lasts
            await condition.wait_after(version)

    await looking()
    assert looks == 2
