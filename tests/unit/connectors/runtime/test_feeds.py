"""Who pulls a feed: the owner of the integration's partition, from where the last owner's place was kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.contract.feed import Feed, Kept, Pulled
from schemas.topics import POSITIONS, notifications_topic
from tests.unit.connectors.runtime.runners import WELL, Vendor
from tests.unit.connectors.runtime.running import Member, Running, running, until

NOTIFICATIONS = notifications_topic("userflow")


@dataclass
class Counted:
    """One feed, whose place counts what it told."""

    asked: list[str] = field(default_factory=list)

    @property
    def object_type(self) -> str | None:
        return None

    async def pull(self, kept: Kept | None, now_ms: int) -> Pulled:
        position = kept.position if kept is not None else "0"
        self.asked.append(position)
        return Pulled(str(int(position) + 1), (f"news {position}".encode(),))

    def names(self) -> Sequence[str]:
        return ("news",)

    def open(self, name: str) -> Feed:
        return self

    def patrolled(self) -> Sequence[str]:
        return ()


@dataclass
class Gated(Vendor):
    """A vendor that is opened when the test says so."""

    may_open: asyncio.Event = field(default_factory=asyncio.Event)

    async def may_be_opened(self) -> None:
        await self.may_open.wait()


def told(it: Running) -> list[int]:
    return [int(one.body.decode().removeprefix("news ")) for one in it.publisher.of(NOTIFICATIONS)]


async def test_the_next_owner_of_a_partition_goes_on_where_the_last_one_kept_its_place(members: list[Member]) -> None:
    first, second = Counted(), Counted()
    async with running(members, {WELL: Vendor(feeds=first)}) as before:
        await until(lambda: len(before.publisher.of(POSITIONS)) >= 3)
        await before.member.revoke()
        asked = len(first.asked)
        before.configure(WELL)
        rows = before.publisher.of(POSITIONS)
    vendor = Gated(feeds=second)
    async with running(members, {WELL: vendor}) as after:
        after.tables.tables[POSITIONS][f"{WELL}/userflow/news"] = rows[-1]
        vendor.may_open.set()
        await until(lambda: len(after.publisher.of(POSITIONS)) >= 3)
    assert len(first.asked) == asked, "an owner that gave its partition away went on pulling"
    assert second.asked[0] == rows[-1].position
    assert [row.position for row in rows] == [str(number + 1) for number in range(len(rows))]
    everything = {*told(before), *told(after)}
    assert everything == set(range(max(everything) + 1)), "news were left out between two owners"


async def test_a_process_that_owns_nothing_pulls_nothing(members: list[Member]) -> None:
    feed = Counted()
    async with running(members, {WELL: Vendor(feeds=feed)}) as it:
        await until(lambda: bool(feed.asked))
        it.member.owned = frozenset()  # fenced, and not told yet
        asked = len(feed.asked)
        await until(lambda: len(it.publisher.of(POSITIONS)) >= asked - 1)
        assert len(feed.asked) <= asked + 1
