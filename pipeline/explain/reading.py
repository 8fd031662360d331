"""Reads what explains an object: its row, its pairs' rows and what is retained of it, as far as there is time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from connectors.kafka.admin import Admin
from connectors.kafka.partitioner import partition_of
from connectors.kafka.spans import Found, read_spans
from pipeline.agents.configuration import Configuration, IntegrationView
from pipeline.core.candidates import paired, side
from pipeline.core.derive import Paired
from pipeline.core.mapping import OTHER
from pipeline.explain.answer import Explanation, Named, NamedPair
from pipeline.explain.by_key import Searched, newest_rows, retained
from pipeline.explain.events import Pairs
from pipeline.explain.events_reading import read_events
from pipeline.explain.judging import Facts, explanation
from pipeline.explain.retained import Retained
from pipeline.explain.sources import Search, Sources, record_of
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


def connected(tables: Tables) -> dict[str, IntegrationView]:
    """The integrations that are connected, by name."""
    configuration = Configuration()
    for topic in (MAPPINGS, INTEGRATIONS):
        for key, record in tables.table(topic).items():
            configuration.apply(topic, key, record)
    found = {name: configuration.view(name) for name in every(tables.table(INTEGRATIONS))}
    return {name: view for name, view in found.items() if view is not None and view.connected}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is explained, an object or a pair of one integration, and the rows that are kept of it."""

    integration: str
    view: IntegrationView
    named: Named | None  # None: a pair
    key: str
    row: ObjectState | None = None
    pairs: Pairs = field(default_factory=dict)


def explain_object(
    sources: Sources, tables: Tables, named: Named, integration: str | None = None, search: Search | None = None
) -> list[Explanation]:
    """One answer for each connected integration that maps the object's type, or for the one named. Blocks.

    Raises BrokersUnreachable.
    """
    where = (named.system, named.object_type, named.object_id)
    asked = [
        _Asked(name, view, named, object_key(name, view.connection, *where))
        for name, view in sorted(connected(tables).items())
        if integration in (None, name) and view.of_type(named.system, named.object_type)
    ]
    parts, limits = tables.table(INTEGRATIONS), search or Search()
    return [_explained(sources, parts, one, limits) for one in _with_rows(sources, asked)]


def explain_pair(
    sources: Sources, tables: Tables, asked: NamedPair, search: Search | None = None
) -> Explanation | None:
    """The answer for a pair by its match value; None where no connected integration has that mapping. Blocks."""
    view = connected(tables).get(asked.integration)
    if view is None or asked.mapping not in view.mappings:
        return None
    value = asked.match_value.strip().lower() if view.mappings[asked.mapping].by_email else asked.match_value
    key = pair_key(asked.integration, view.connection, asked.mapping, value)
    state = newest_rows(sources, PAIRS_STATE, (key,)).get(key)
    pairs = {asked.mapping: (value, state if isinstance(state, PairState) else None)}
    one = _Asked(asked.integration, view, None, key, pairs=pairs)
    return _explained(sources, tables.table(INTEGRATIONS), one, search or Search())


def _with_rows(sources: Sources, asked: Sequence[_Asked]) -> Iterator[_Asked]:
    """Each object with its row and its pairs' rows."""
    found = newest_rows(sources, OBJECTS_STATE, [one.key for one in asked])
    known = {one.key: row for one in asked if isinstance(row := found.get(one.key), ObjectState)}
    matches = {
        (one.key, mapping): (value, pair_key(one.integration, one.view.connection, mapping, value))
        for one in asked
        if one.key in known
        for mapping, value in known[one.key].matches.items()
        if mapping in one.view.mappings
    }
    states = newest_rows(sources, PAIRS_STATE, [key for _, key in matches.values()])
    pairs: dict[str, dict[str, tuple[str, PairState | None]]] = defaultdict(dict)
    for (key, mapping), (value, pair) in matches.items():
        state = states.get(pair)
        pairs[key][mapping] = (value, state if isinstance(state, PairState) else None)
    return (replace(one, row=known.get(one.key), pairs=pairs[one.key]) for one in asked)


def _explained(sources: Sources, parts: Mapping[str, IntegrationPart], asked: _Asked, search: Search) -> Explanation:
    keys, name = _keys(asked), asked.integration
    objects = [key for system in SYSTEMS for key in keys[changes_topic(system)]]
    known = {} if asked.row is None else {asked.key: asked.row}
    with ThreadPoolExecutor(1) as beside:
        events = beside.submit(read_events, sources, name, objects, known, search)
        found: Searched[ChangeEvent | Receipt] = retained(sources, keys, search, decoded)
    write = last_written(found.seen)
    settings = settings_of(parts, name)
    connectors = {system: state for system in SYSTEMS if (state := connector_of(parts, name, system)) is not None}
    return explanation(
        Facts(
            at_ms=sources.now_ms(),
            integration=name,
            view=asked.view,
            named=asked.named,
            key=asked.key,
            partition=partition_of(asked.key, sources.partitions),
            row=asked.row,
            pairs=asked.pairs,
            lookup_interval_ms=sources.lookup_interval_ms,
            connectors=connectors,
            paused=settings is not None and settings.state == "paused",
            seen=found.seen,
            searched_since_ms=found.since_ms,
            complete=found.complete,
            most=search.most,
            write=write,
            between=_between(sources, name, keys[RECEIPTS], write) if write is not None else (),
            events=events.result(),
            event_hold_ms=sources.event_hold_ms,
        )
    )


def _keys(asked: _Asked) -> dict[str, list[str]]:
    """The keys of everything that is about the object: its own, its partners', its pairs'; by topic."""
    name, view = asked.integration, asked.view
    keys: dict[str, set[str]] = {RECEIPTS: set(), **{changes_topic(system): set() for system in SYSTEMS}}
    if asked.named is not None:
        keys[changes_topic(asked.named.system)].add(asked.key)
    for mapping, (value, state) in asked.pairs.items():
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
        found.append(Retained((*one.place, one.offset), one.at_ms, record))
        return False  # what follows it in this place is of other changes, or of the same once more

    read_spans(sources.cluster, spans, seen)
    return found


def decoded(codec: Codec, topic: str, value: bytes | None) -> ChangeEvent | Receipt | None:
    """The record; None where it is none of ours, or of another kind."""
    record = record_of(codec, topic, value)
    return record if isinstance(record, ChangeEvent | Receipt) else None
