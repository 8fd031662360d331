"""Rids topics of what was erased, while this process is the active scheduler: looks through all of them when due."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.producer import Publisher, PublishFailed
from connectors.kafka.rewriting import Place, Rewriter, Stopped
from connectors.kafka.table import TableReader
from connectors.kafka.topology import groups_of
from pipeline.erasure.schedule import REWRITING, Due, after_look, due, open_erasures, rewriting
from pipeline.erasure.traces import Redact, Traces
from schemas.codec import Codec
from schemas.erasures import ErasurePart, Rewriting
from schemas.registry import UnknownSchema
from schemas.topics import (
    DEAD_LETTERS,
    ERASURES,
    HUBSPOT_CHANGES,
    HUBSPOT_NOTIFICATIONS,
    OBJECTS_STATE,
    PAIRS_STATE,
    RECEIPTS,
    TOPICS,
    USERFLOW_ACTIVITY,
    USERFLOW_CHANGES,
    USERFLOW_NOTIFICATIONS,
    VITALS,
)
from schemas.values import System

log = logging.getLogger(__name__)

CHECK_EVERY_S: Final = 1.0
AGAIN_S: Final = 30.0  # after a look that could not end
KEPT: Final = frozenset(
    {
        HUBSPOT_NOTIFICATIONS,
        USERFLOW_NOTIFICATIONS,
        HUBSPOT_CHANGES,
        USERFLOW_CHANGES,
        USERFLOW_ACTIVITY,
        RECEIPTS,
        DEAD_LETTERS,
    }
)
"""Topics that are read after they were handled: to replay, to explain, to redrive. Of all others nothing is copied."""


STATE_TOPICS: Final = (OBJECTS_STATE, PAIRS_STATE)


@dataclass(frozen=True, slots=True)
class EraserDeps:
    """Wired in `pipeline/app.py`."""

    cluster: Cluster
    codec: Codec
    publisher: Publisher
    erasures: TableReader  # of sync.erasures, complete
    redact: Mapping[System, Redact]
    partitions: int
    active: Callable[[], bool]  # whether this process is the active scheduler
    now_ms: Callable[[], int]


class Eraser:
    """One look at a time; a look takes part of one core while it lasts, and nothing waits for it."""

    def __init__(self, deps: EraserDeps) -> None:
        self._deps = deps
        self._stopping = False

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                went_well = await self._look_if_due()
                await asyncio.sleep(CHECK_EVERY_S if went_well else AGAIN_S)
        finally:
            self._stopping = True  # a look under way ends at its next record

    async def _look_if_due(self) -> bool:
        parts = self._deps.erasures.table(ERASURES)
        waiting = due(parts, self._deps.now_ms())
        if not self._deps.active() or not (waiting or rewriting(parts)):
            return True
        try:
            ended = await asyncio.to_thread(self._look, parts)
        except (BrokersUnreachable, Stopped, PublishFailed, UnknownSchema) as error:
            log.warning("topics are looked through for what was erased again in %.0f s: %s", AGAIN_S, error)
            return False
        if ended:
            await self._tell(waiting)
        return ended

    def _look(self, parts: Mapping[str, ErasurePart]) -> bool:
        """Look through all topics, a partition at a time; whether each of them could be ended. Blocks."""
        deps, started = self._deps, time.monotonic()
        every = [one.erasure for one in open_erasures(parts)]
        traces = Traces(deps.codec, deps.redact, every)
        rewriter = Rewriter(deps.cluster, lambda: self._stopping or not deps.active())
        try:
            begun = rewriting(parts)
            rewriter.nudge(STATE_TOPICS, deps.partitions)
            went = [
                self._rid(rewriter, place, traces, begun.get((place.topic, place.partition)))
                for place in self._places()
            ]
        finally:
            rewriter.close()
        hits = sum(found for found, _ in went)
        log.info(
            "topics were looked through for %d erasures in %.1f s: %d records are gone or changed",
            len(every),
            time.monotonic() - started,
            hits,
        )
        return all(ended for _, ended in went)

    def _rid(self, rewriter: Rewriter, place: Place, traces: Traces, begun: Rewriting | None) -> tuple[int, bool]:
        """How many records of a partition were concerned, and whether all are gone."""

        def verdict(key: str, value: bytes) -> bytes | None:
            return traces.without(place.topic, key, value)

        progress = RewritingProgress(place, self._deps.codec)
        if begun is not None:
            rewriter.copy(place, begun.copied, begun.until, verdict, progress)
            if not rewriter.delete(place, begun.until, progress):
                return 0, False
        scan = rewriter.scan(place, verdict)
        if not scan.hits:
            return 0, True
        rewriter.copy(place, 0, scan.until, verdict, progress)
        return scan.hits, rewriter.delete(place, scan.until, progress)

    def _places(self) -> Sequence[Place]:
        # vital signs are figures: they name no object
        kept = (topic for topic in TOPICS.values() if topic.retention_days is not None and not topic.compacted)
        topics = (topic.name for topic in kept if topic.name != VITALS)
        return [
            Place(topic, number, groups_of(topic), topic in KEPT)
            for topic in topics
            for number in range(self._deps.partitions)
        ]

    async def _tell(self, looked: Sequence[Due]) -> None:
        for one in looked:
            for key, part in after_look(one, self._deps.now_ms()).items():
                if part is None:
                    await self._deps.publisher.send_bytes(ERASURES, key, None)
                else:
                    await self._deps.publisher.send(ERASURES, key, part)


@dataclass(frozen=True, slots=True)
class RewritingProgress:
    """How far the copying of one partition has come, as a record of `sync.erasures`."""

    place: Place
    codec: Codec

    @property
    def _key(self) -> str:
        return f"{REWRITING}{self.place.topic}/{self.place.partition}"

    def written(self, until: int, copied: int) -> tuple[str, str, bytes]:
        part = ErasurePart(rewriting=Rewriting(until, copied))
        return ERASURES, self._key, self.codec.encode(ERASURES, part)

    def ended(self) -> tuple[str, str]:
        return ERASURES, self._key
