"""Reads what became of an object's events: those that are retained, its pairs' objects, and what still waits."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from connectors.kafka.admin import Admin
from connectors.kafka.partitioner import partition_of
from connectors.kafka.spans import Found, read_spans
from connectors.kafka.topology import connector_group
from pipeline.explain.by_key import newest_rows, retained
from pipeline.explain.events import EventFacts, Row
from pipeline.explain.sources import Search, Sources, record_of
from schemas.codec import Codec
from schemas.records import ActivityEvent, TimelineEvent
from schemas.state import ObjectState
from schemas.topics import HUBSPOT_TIMELINE_EVENTS, OBJECTS_STATE, USERFLOW_ACTIVITY, object_of

MOST_WAITING: Final = 5_000
"""So many timeline events that wait are looked at."""


def read_events(
    sources: Sources, name: str, objects: Collection[str], known: Mapping[str, ObjectState], search: Search
) -> EventFacts:
    """Of these objects, by their keys: Userflow's and the HubSpot records of their timelines. Blocks.

    `known`: the rows that were read already. Raises BrokersUnreachable.
    """
    doers = [key for key in objects if object_of(key)[0] == "userflow"]
    found = retained(sources, {USERFLOW_ACTIVITY: doers}, search, _event)
    if not found.seen:
        return EventFacts((), found.since_ms, found.complete)
    rows = {**known, **newest_rows(sources, OBJECTS_STATE, [key for key in objects if key not in known])}
    return EventFacts(
        found.seen, found.since_ms, found.complete, dict(_by_object(rows)), frozenset(_waiting(sources, name))
    )


def _event(codec: Codec, topic: str, value: bytes | None) -> ActivityEvent | None:
    record = record_of(codec, topic, value)
    return record if isinstance(record, ActivityEvent) else None


def _by_object(rows: Mapping[str, object]) -> Iterator[tuple[Row, ObjectState]]:
    for key, row in rows.items():
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
