"""Credit for bulk: publishes crawls and fan-outs only while few of their records are unfinished downstream.

Queues stand at the rim: with 30,000 records queued in front, a live edit took 20 s; with 300 outstanding, 358 ms.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.topology import connector_group, handled_group
from connectors.runtime.credit_limit import CreditLimit, Stage
from schemas.topics import MATCHES, RECEIPTS, WORKER_GROUP, TopicAndPartition, changes_topic, field_patches_topic
from schemas.values import System

log = logging.getLogger(__name__)

REFRESH_S: Final = 0.03
MEASURED_EVERY_S: Final = 2.0
MOST_PATCHES: Final = 1_000
"""Patches that wait for their vendors: a sink parks what it cannot hold."""

COUNTED_AGAIN_S: Final = 60.0
"""How long the partition counts are believed: they change by hand only, and asking costs the cluster's metadata."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is unfinished downstream: in each stage of the worker, and as patches in front of the sinks."""

    stages: Mapping[str, Stage]
    patches: int

    @property
    def in_worker(self) -> int:
        return sum(stage.unfinished for stage in self.stages.values())

    @property
    def records(self) -> int:
        return self.in_worker + self.patches


class BulkCredit:
    """Lets bulk through while fewer records are unfinished than a live change can bear to wait behind."""

    def __init__(
        self,
        look: Callable[[], Look],
        start: int,
        report: Callable[[int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`start` is the first limit; `report` is called with each measurement of what is outstanding."""
        self._look = look
        self._limit = CreditLimit(start)
        self._report = report
        self._monotonic = monotonic
        self._some = asyncio.Event()  # something was outstanding when it was measured last
        self._left = 0
        self._lock = asyncio.Lock()

    async def take(self, records: int) -> None:
        """Wait until that many records may be published."""
        async with self._lock:
            while self._left < records:
                free = await self._free()
                if free < max(min(records, self._limit.records), self._together):
                    await asyncio.sleep(REFRESH_S)
                    continue
                self._left = free
                break
            self._left -= records

    @property
    def _together(self) -> int:
        """Half of what may be outstanding is let through at once: what comes together takes few transactions."""
        return min(self._limit.records, MOST_PATCHES) // 2

    async def measure_on(self) -> None:
        """Measure until nothing is outstanding, though nobody takes: the report would grow old. Until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(MEASURED_EVERY_S)
            await self._free()

    async def _free(self) -> int:
        """How many records may be published now; none while the brokers do not answer."""
        try:
            look = await asyncio.to_thread(self._look)
        except BrokersUnreachable as error:
            log.info("no credit for bulk: %s", error)
            return 0
        self._limit.looked(look.stages, self._monotonic())
        self._report(look.records)
        if look.records:
            self._some.set()
        else:
            self._some.clear()
        return max(0, min(self._limit.records - look.in_worker, MOST_PATCHES - look.patches))


class Positions(Protocol):
    """What is asked of the brokers."""

    def partitions(self) -> Mapping[str, int]: ...

    def positions(
        self, groups: Mapping[str, Iterable[TopicAndPartition]]
    ) -> tuple[Mapping[TopicAndPartition, int], Mapping[str, Mapping[TopicAndPartition, int]]]: ...


class Downstream:
    """The road between a connector's output and the last sink."""

    def __init__(
        self, admin: Positions, systems: Collection[System], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._admin = admin
        self._stages = {"objects": tuple(map(changes_topic, systems)), "pairs": (MATCHES, RECEIPTS)}
        self._sinks = {connector_group(name): field_patches_topic(name) for name in systems}
        self._in_transactions = {MATCHES, *self._sinks.values()}
        self._monotonic = monotonic
        self._partitions: Mapping[str, int] = {}
        self._counted_at = float("-inf")

    def look(self) -> Look:
        """What no group has committed yet; blocks. Raises BrokersUnreachable.

        A stage's step commits in its transaction how far it got, and the worker's group what led to nothing.
        """
        if self._monotonic() - self._counted_at > COUNTED_AGAIN_S:
            self._partitions, self._counted_at = self._admin.partitions(), self._monotonic()
        asked: dict[str, list[TopicAndPartition]] = defaultdict(list)
        for stage, topics in self._stages.items():
            asked[handled_group(stage)] += self._places(topics)
            asked[WORKER_GROUP] += self._places(topics)
        for group, topic in self._sinks.items():
            asked[group] += self._places((topic,))
        ends, committed = self._admin.positions(asked)

        def reached(place: TopicAndPartition, *groups: str) -> int:
            return max(committed[group].get(place, 0) for group in groups)

        stages = {}
        for stage, topics in self._stages.items():
            at = {place: reached(place, handled_group(stage), WORKER_GROUP) for place in self._places(topics)}
            stages[stage] = Stage(self._behind(ends, at), sum(at.values()))
        sinks = (
            {place: reached(place, group) for place in self._places((topic,))} for group, topic in self._sinks.items()
        )
        return Look(stages, sum(self._behind(ends, at) for at in sinks))

    def _places(self, topics: Iterable[str]) -> list[TopicAndPartition]:
        return [(topic, number) for topic in topics for number in range(self._partitions[topic])]

    def _behind(self, ends: Mapping[TopicAndPartition, int], reached: Mapping[TopicAndPartition, int]) -> int:
        """Offsets without the transaction markers that may stand at each partition's end.

        Were one of them taken for a record, it would be unfinished until a record comes behind it, and hold bulk up.
        """
        return sum(max(ends[place] - at - self._markers(place[0]), 0) for place, at in reached.items())

    def _markers(self, topic: str) -> int:
        """The most at one end: each lane of the stage before commits by itself, and ends what a dead one left open."""
        return 2 * self._partitions[topic] if topic in self._in_transactions else 1
