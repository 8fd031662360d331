"""Records that were gone before they were read: told, kept as a dead letter, and healed by a full sync.

Retention or a person deleted them, or a topic was made anew. What they said is still in the systems: a run sees it.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.kafka.partitioner import partition_of
from connectors.kafka.producer import PublishFailed
from schemas.configuration import IntegrationPart, IntegrationSettings
from schemas.integrations import connected
from schemas.letters import letter_id, letter_of_no_record
from schemas.records import DeadLetter
from schemas.runs import run_request
from schemas.topics import (
    DEAD_LETTERS,
    HUBSPOT_FIELD_PATCHES,
    HUBSPOT_REQUESTS,
    HUBSPOT_TIMELINE_EVENTS,
    MATCHES,
    RUNS,
    STATE_COMMANDS,
    TOPICS,
    USERFLOW_FIELD_PATCHES,
    USERFLOW_REQUESTS,
)

log = logging.getLogger(__name__)

LOST: Final = "records_lost"
"""The reason of their dead letter."""
HEALED_ONCE_S: Final = 30.0
"""Several partitions lose records at once: one run sees what they said, and one more after this time the rest."""

STAGES: Final = 2
"""Agents whose steps write by transactions: each partition of each is one producer."""
BY_TRANSACTIONS: Final = frozenset(
    {
        MATCHES,
        STATE_COMMANDS,
        HUBSPOT_REQUESTS,
        USERFLOW_REQUESTS,
        HUBSPOT_FIELD_PATCHES,
        USERFLOW_FIELD_PATCHES,
        HUBSPOT_TIMELINE_EVENTS,
    }
)
"""Topics that hold markers of transactions beside records."""

_PLACE: Final = re.compile(r"(.+)\[(\d+)\]")

Message = tuple[str, str, Any]
"""A topic, a key, a record."""


def in_a_while(wait_s: float, work: Callable[[], None]) -> None:
    """Do it on a thread of its own, unless the process ends before."""
    timer = threading.Timer(wait_s, work)
    timer.daemon = True
    timer.start()


class LostRecords:
    """Reports losses of one process; may be called on any thread, and blocks until the brokers have the report."""

    def __init__(
        self,
        tables: Callable[[], Mapping[str, IntegrationPart]],
        publish: Callable[[Sequence[Message]], None],
        count: Callable[[str, int], None],
        *,
        partitions: int,
        now_ms: Callable[[], int],
        later: Callable[[float, Callable[[], None]], None] = in_a_while,
    ) -> None:
        self._later = later
        self._lock = threading.Lock()
        self._tables = tables
        self._publish = publish
        self._count = count
        self._partitions = partitions
        self._now_ms = now_ms
        self._healed_at: dict[str, float] = {}
        self._owed: set[str] = set()  # integrations that get one more run, a while after their last one

    def report(self, topic: str, partition: int, start: int, end: int) -> None:
        """The records of a partition from offset `start` to `end` were never read. Raises PublishFailed.

        Behind the last record each producer may have left a marker, which nobody reads and retention deletes: after a
        quiet day every restart would pass for a loss.
        """
        if topic in BY_TRANSACTIONS and end - start <= STAGES * self._partitions:
            log.info("%s[%d]: offsets %d to %d held no more than markers can be", topic, partition, start, end)
            return
        parts = self._tables()
        affected = dict(_affected(topic, partition, self._partitions, parts))
        place = f"{topic}[{partition}]"
        detail = f"{place}: offsets {start} to {end} were gone before they were read"
        log.error("%s; a full sync of %s is asked for", detail, ", ".join(affected) or "no integration")
        self._count(topic, end - start)
        self._publish([self._letter(topic, place, detail), *self._runs(affected)])

    def report_made_anew(self, topics: Collection[str]) -> None:
        """Topics were deleted, or deleted and made anew, under this process. Raises PublishFailed."""
        affected = connected(self._tables())
        details = {topic: f"{topic} was deleted under a running process" for topic in topics}
        log.error("%s; a full sync of %s is asked for", "; ".join(details.values()), ", ".join(affected))
        letters = [self._letter(topic, topic, detail) for topic, detail in details.items()]
        self._publish([*letters, *self._runs(affected)])

    def _letter(self, topic: str, key: str, detail: str) -> Message:
        at_ms = self._now_ms()
        letter = letter_of_no_record(
            id=letter_id(detail, at_ms),
            integration="",
            stage=topic,
            reason=LOST,
            detail=detail,
            at_ms=at_ms,
            key=key,
            topic=topic,
        )
        return DEAD_LETTERS, letter.key, letter

    def _runs(self, affected: Mapping[str, IntegrationSettings]) -> Iterator[Message]:
        for name in affected:
            if self._rests(name):
                continue
            with self._lock:
                self._healed_at[name] = time.monotonic()
            request = run_request(name, self._now_ms(), "gap")
            yield RUNS, request.run_id, request

    def _rests(self, name: str) -> bool:
        """Whether a run was asked for just now, which may be past what was lost since: then one more is owed."""
        with self._lock:
            rests_s = self._healed_at.get(name, -HEALED_ONCE_S) + HEALED_ONCE_S - time.monotonic()
            if rests_s > 0 and name not in self._owed:
                self._owed.add(name)
                self._later(rests_s, lambda: self._heal_again(name))
            return rests_s > 0

    def _heal_again(self, name: str) -> None:
        with self._lock:
            self._owed.discard(name)
            self._healed_at.pop(name, None)
        settings = connected(self._tables()).get(name)
        if settings is None:
            return
        try:
            self._publish(list(self._runs({name: settings})))
        except PublishFailed as error:
            log.error("%s; run `pairstream full-sync start %s`: records were lost", error, name)


def _affected(
    topic: str, partition: int, partitions: int, parts: Mapping[str, IntegrationPart]
) -> Iterator[tuple[str, IntegrationSettings]]:
    """The integrations whose records the partition may have held: every one where its key is an object or a pair."""
    for name, settings in connected(parts).items():
        if TOPICS[topic].key != "integration" or partition_of(name, partitions) == partition:
            yield name, settings


def affected_by(letter: DeadLetter, partitions: int, parts: Mapping[str, IntegrationPart]) -> Sequence[str]:
    """The integrations that the loss of a letter concerns: all of them where a whole topic was made anew."""
    place = _PLACE.fullmatch(letter.key)
    if place is not None and place[1] in TOPICS:
        return [name for name, _ in _affected(place[1], int(place[2]), partitions, parts)]
    return list(connected(parts))
