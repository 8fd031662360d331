"""Reads what became of an object's events: those that are retained, its pairs' objects, and what still waits."""

import time
from collections.abc import Collection, Iterator
from typing import Final

from connectors.kafka.admin import Admin
from connectors.kafka.backwards import slices
from connectors.kafka.partitioner import partition_of
from connectors.kafka.spans import Found, read_spans
from connectors.kafka.topology import connector_group
from pipeline.explain.events import EventFacts, Row, SeenEvent
from pipeline.explain.sources import ENOUGH, Search, Sources, record_of, row_of
from schemas.records import ActivityEvent, TimelineEvent
from schemas.state import ObjectState
from schemas.topics import HUBSPOT_TIMELINE_EVENTS, OBJECTS_STATE, USERFLOW_ACTIVITY, object_of

MOST_WAITING: Final = 5_000
"""So many timeline events that wait are looked at."""


def read_events(sources: Sources, name: str, objects: Collection[str], search: Search) -> EventFacts:
    """Of these objects, by their keys: Userflow's and the HubSpot records of their timelines. Blocks.

    Raises BrokersUnreachable.
    """
    doers = [key for key in objects if object_of(key)[0] == "userflow"]
    if not search.most or not doers:
        return EventFacts(complete=False)
    seen, since_ms, complete = _retained(sources, doers, search)
    if not seen:
        return EventFacts((), since_ms, complete)
    rows = dict(_rows(sources, objects))
    return EventFacts(seen, since_ms, complete, rows, frozenset(_waiting(sources, name)))


def _retained(sources: Sources, keys: Collection[str], search: Search) -> tuple[list[SeenEvent], int | None, bool]:
    """The newest events of these objects, from when on all of them are here, and whether none is older."""
    by_partition: dict[int, set[bytes]] = {}
    for key in keys:
        by_partition.setdefault(partition_of(key, sources.partitions), set()).add(key.encode())
    found: list[SeenEvent] = []
    begins: list[int] = []
    floor_ms, deadline = 0, time.monotonic() + search.within_s
    for partition, wanted in by_partition.items():
        some, since_ms, whole = _of_partition(sources, partition, wanted, search.most * ENOUGH, deadline)
        found += some
        begins += [] if since_ms is None else [since_ms]
        floor_ms = floor_ms if whole or since_ms is None else max(floor_ms, since_ms)
    there = [one for one in found if one.at_ms >= floor_ms]
    return there, floor_ms or min(begins, default=None), not floor_ms


def _of_partition(
    sources: Sources, partition: int, keys: Collection[bytes], enough: int, deadline: float
) -> tuple[list[SeenEvent], int | None, bool]:
    found: list[SeenEvent] = []
    since_ms: int | None = None
    for one in slices(sources.cluster, USERFLOW_ACTIVITY, partition, keys):
        since_ms = since_ms if one.since_ms is None else one.since_ms
        for message in one.messages:
            record = record_of(sources.codec, USERFLOW_ACTIVITY, message.value() or b"")
            if isinstance(record, ActivityEvent):
                place = (USERFLOW_ACTIVITY, partition, message.offset() or 0)
                found.append(SeenEvent(place, message.timestamp()[1], record))
        if one.whole:
            break
        if len(found) >= enough or time.monotonic() > deadline:
            return found, since_ms, False
    return found, since_ms, True


def _rows(sources: Sources, keys: Collection[str]) -> Iterator[tuple[Row, ObjectState]]:
    for key in keys:
        row = row_of(sources, OBJECTS_STATE, key)
        if isinstance(row, ObjectState):
            yield object_of(key), row


def _waiting(sources: Sources, name: str) -> list[str]:
    """The ids of the integration's timeline events that HubSpot's connector has not ended."""
    admin, place = Admin(sources.cluster), (HUBSPOT_TIMELINE_EVENTS, partition_of(name, sources.partitions))
    topics = [HUBSPOT_TIMELINE_EVENTS]
    begin = admin.committed(connector_group("hubspot"), topics)[place]
    span, found = (begin, min(admin.end_offsets(topics)[place], begin + MOST_WAITING)), list[str]()

    def seen(one: Found) -> bool:
        record = record_of(sources.codec, HUBSPOT_TIMELINE_EVENTS, one.value)
        if isinstance(record, TimelineEvent) and record.integration == name:
            found.append(record.event_id)
        return True

    read_spans(sources.cluster, {place: span}, seen)
    return found
