"""Reads what explains an object: its row, its pairs' rows and what is retained of it, each from its one partition.

Partitions are read from their ends: a row that changed lately is found at once, and one that nobody ever wrote costs a
look through its partition of the state topic. Of the history no more is read than there is time for.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from connectors.kafka.admin import Admin
from connectors.kafka.backwards import slices
from connectors.kafka.partitioner import partition_of
from connectors.kafka.spans import Found, read_spans
from pipeline.agents.configuration import Configuration, IntegrationView
from pipeline.core.candidates import paired, side
from pipeline.core.derive import Paired
from pipeline.core.mapping import OTHER
from pipeline.explain.answer import Explanation, Named, NamedPair
from pipeline.explain.events_reading import read_events
from pipeline.explain.history import Seen
from pipeline.explain.judging import Facts, explanation
from pipeline.explain.sources import ENOUGH, Search, Sources, record_of, row_of
from pipeline.explain.trace import Between, LastWrite, last_written
from schemas.codec import Codec
from schemas.configuration import IntegrationPart
from schemas.integrations import connector_of, every, settings_of
from schemas.records import ChangeEvent, FieldPatch, MatchedChange, Receipt
from schemas.state import ObjectState, PairState
from schemas.topics import (
    INTEGRATIONS,
    MAPPINGS,
    MATCHES,
    OBJECTS_STATE,
    PAIRS_STATE,
    RECEIPTS,
    changes_topic,
    field_patches_topic,
    object_key,
    pair_key,
)
from schemas.values import SYSTEMS, System

NEAR_MS: Final = 60_000
MOST_BETWEEN: Final = 5_000
"""Of a change that took longer, or beside more records, the agents' own hops are left out."""


class Tables(Protocol):
    """The configuration in force, by topic."""

    def table(self, topic: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class _Retained:
    seen: list[Seen] = field(default_factory=list)
    since_ms: int | None = None
    complete: bool = True


def connected(tables: Tables) -> dict[str, IntegrationView]:
    """The integrations that are connected, by name."""
    configuration = Configuration()
    for topic in (MAPPINGS, INTEGRATIONS):
        for key, record in tables.table(topic).items():
            configuration.apply(topic, key, record)
    found = {name: configuration.view(name) for name in every(tables.table(INTEGRATIONS))}
    return {name: view for name, view in found.items() if view is not None and view.connected}


def explain_object(
    sources: Sources, tables: Tables, named: Named, integration: str | None = None, search: Search | None = None
) -> list[Explanation]:
    """One answer for each connected integration that maps the object's type, or for the one named. Blocks.

    Raises BrokersUnreachable.
    """
    parts = tables.table(INTEGRATIONS)
    return [
        _explain(sources, parts, name, view, named, search or Search())
        for name, view in sorted(connected(tables).items())
        if integration in (None, name) and view.of_type(named.system, named.object_type)
    ]


def explain_pair(
    sources: Sources, tables: Tables, asked: NamedPair, search: Search | None = None
) -> Explanation | None:
    """The answer for a pair by its match value; None where no connected integration has that mapping. Blocks."""
    view = connected(tables).get(asked.integration)
    if view is None or asked.mapping not in view.mappings:
        return None
    mapping, limits = view.mappings[asked.mapping], search or Search()
    value = asked.match_value.strip().lower() if mapping.by_email else asked.match_value
    key = pair_key(asked.integration, view.connection, asked.mapping, value)
    state = row_of(sources, PAIRS_STATE, key)
    pairs = {asked.mapping: (value, state if isinstance(state, PairState) else None)}
    keys = _keys(asked.integration, view, None, pairs)
    return explanation(
        _facts(sources, tables.table(INTEGRATIONS), asked.integration, view, None, key, None, pairs, keys, limits)
    )


def _explain(
    sources: Sources,
    parts: Mapping[str, IntegrationPart],
    name: str,
    view: IntegrationView,
    named: Named,
    search: Search,
) -> Explanation:
    key = object_key(name, view.connection, named.system, named.object_type, named.object_id)
    row = row_of(sources, OBJECTS_STATE, key)
    known = row if isinstance(row, ObjectState) else None
    pairs = _pairs(sources, name, view, known)
    keys = _keys(name, view, named, pairs)
    return explanation(_facts(sources, parts, name, view, named, key, known, pairs, keys, search))


def _facts(
    sources: Sources,
    parts: Mapping[str, IntegrationPart],
    name: str,
    view: IntegrationView,
    named: Named | None,
    key: str,
    row: ObjectState | None,
    pairs: Mapping[str, tuple[str, PairState | None]],
    keys: Mapping[str, Sequence[str]],
    search: Search,
) -> Facts:
    objects = [key for system in SYSTEMS for key in keys[changes_topic(system)]]
    with ThreadPoolExecutor(1) as beside:
        events = beside.submit(read_events, sources, name, objects, search)
        retained = _retained(sources, keys, search)
    write = last_written(retained.seen)
    settings = settings_of(parts, name)
    connectors = {system: state for system in SYSTEMS if (state := connector_of(parts, name, system)) is not None}
    return Facts(
        at_ms=sources.now_ms(),
        integration=name,
        view=view,
        named=named,
        key=key,
        partition=partition_of(key, sources.partitions),
        row=row,
        pairs=pairs,
        lookup_interval_ms=sources.lookup_interval_ms,
        connectors=connectors,
        paused=settings is not None and settings.state == "paused",
        seen=retained.seen,
        searched_since_ms=retained.since_ms,
        complete=retained.complete,
        most=search.most,
        write=write,
        between=_between(sources, name, keys[RECEIPTS], write) if write is not None else (),
        events=events.result(),
        event_hold_ms=sources.event_hold_ms,
    )


def _pairs(
    sources: Sources, name: str, view: IntegrationView, known: ObjectState | None
) -> dict[str, tuple[str, PairState | None]]:
    found: dict[str, tuple[str, PairState | None]] = {}
    for mapping, value in (known.matches if known is not None else {}).items():
        if mapping in view.mappings:
            row = row_of(sources, PAIRS_STATE, pair_key(name, view.connection, mapping, value))
            found[mapping] = (value, row if isinstance(row, PairState) else None)
    return found


def _keys(
    name: str, view: IntegrationView, named: Named | None, pairs: Mapping[str, tuple[str, PairState | None]]
) -> dict[str, list[str]]:
    """The keys of everything that is about the object: its own, its partners', its pairs'; by topic."""
    keys: dict[str, set[str]] = {RECEIPTS: set(), **{changes_topic(system): set() for system in SYSTEMS}}
    if named is not None:
        own = object_key(name, view.connection, named.system, named.object_type, named.object_id)
        keys[changes_topic(named.system)].add(own)
    for mapping, (value, state) in pairs.items():
        keys[RECEIPTS].add(pair_key(name, view.connection, mapping, value))
        for system, object_id in _partners(state, view, mapping):
            object_type = view.mappings[mapping].object_type(system)
            keys[changes_topic(system)].add(object_key(name, view.connection, system, object_type, object_id))
    return {topic: sorted(found) for topic, found in keys.items()}


def _partners(state: PairState | None, view: IntegrationView, mapping: str) -> Iterator[tuple[System, str]]:
    if state is None:
        return
    pair = paired(state, view.mappings[mapping])
    for system in OTHER:
        ids = (pair.ids[system],) if isinstance(pair, Paired) else tuple(side(state, system))
        yield from ((system, object_id) for object_id in ids)


def _retained(sources: Sources, keys: Mapping[str, Sequence[str]], search: Search) -> _Retained:
    """What is retained under these keys, and from when on all of it is here."""
    places: dict[tuple[str, int], set[bytes]] = {}
    for topic, wanted in keys.items():
        for key in wanted:
            places.setdefault((topic, partition_of(key, sources.partitions)), set()).add(key.encode())
    if not search.most or not places:
        return _Retained(complete=False)
    with ThreadPoolExecutor(len(places)) as pool:
        parts = list(pool.map(lambda place: _of_place(sources, place, places[place], search), places))
    since = [one.since_ms for one in parts if not one.complete and one.since_ms is not None]
    begins = [one.since_ms for one in parts if one.since_ms is not None]
    complete = all(one.complete for one in parts)
    # what is older than the latest of these moments may lack an answer: it is left out rather than told half
    floor = 0 if complete else max(since, default=0)
    return _Retained(
        [one for part in parts for one in part.seen if one.at_ms >= floor],
        floor or min(begins, default=None),
        complete,
    )


def _between(sources: Sources, name: str, pair_keys: Sequence[str], write: LastWrite) -> list[Between]:
    """What the agents published of a change until it was written, where that is near enough to be read."""
    begin_ms, end_ms = write.news.at_ms, write.answer.at_ms + 1
    if end_ms - begin_ms > NEAR_MS:
        return []
    patches = field_patches_topic(write.written.system)
    places = {(MATCHES, partition_of(key, sources.partitions)) for key in pair_keys}
    places.add((patches, partition_of(name, sources.partitions)))
    begins = Admin(sources.cluster).offsets_at(sorted({topic for topic, _ in places}), begin_ms)
    spans = {place: (begins[place], begins[place] + MOST_BETWEEN) for place in places & begins.keys()}
    found: list[Between] = []

    def seen(one: Found) -> bool:
        if one.at_ms >= end_ms:
            return False
        record = record_of(sources.codec, one.place[0], one.value)
        if not isinstance(record, MatchedChange | FieldPatch) or record.caused_by != write.cause:
            return True
        found.append(Between((*one.place, one.offset), one.at_ms, record))
        return False  # what follows it in this place is of other changes, or of the same once more

    read_spans(sources.cluster, spans, seen)
    return found


def _of_place(sources: Sources, place: tuple[str, int], keys: set[bytes], search: Search) -> _Retained:
    topic, partition = place
    found: list[Seen] = []
    since_ms: int | None = None
    deadline = time.monotonic() + search.within_s
    for one in slices(sources.cluster, topic, partition, keys):
        since_ms = since_ms if one.since_ms is None else one.since_ms
        for message in one.messages:
            record = decoded(sources.codec, topic, message.value())
            if record is not None:
                found.append(Seen((topic, partition, message.offset() or 0), message.timestamp()[1], record))
        if one.whole:
            return _Retained(found, since_ms, complete=True)
        if len(found) >= search.most * ENOUGH or time.monotonic() > deadline:
            return _Retained(found, since_ms, complete=False)
    return _Retained(found, since_ms, complete=True)


def decoded(codec: Codec, topic: str, value: bytes | None) -> ChangeEvent | Receipt | None:
    """The record; None where it is none of ours, which its dead letter tells."""
    record = None if value is None else record_of(codec, topic, value)
    return record if isinstance(record, ChangeEvent | Receipt) else None
