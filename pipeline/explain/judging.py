"""From the rows and the retained records of one object, or one pair, to the answer. Pure; reads nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.agents.configuration import IntegrationView
from pipeline.core.candidates import crowded, paired, side
from pipeline.core.causes import last_write
from pipeline.core.derive import Paired
from pipeline.core.holders import read_whole, unknown_sides
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.written import written_values
from pipeline.explain.answer import (
    Away,
    Events,
    Explanation,
    FieldStanding,
    History,
    KnownFields,
    Named,
    ObjectWord,
    PairAnswer,
    PairWord,
    StillThere,
)
from pipeline.explain.events import EventFacts, Standing, events_told
from pipeline.explain.fields import PairFacts, standings
from pipeline.explain.history import Answers, Seen, happenings, observation, parked_ms, refused_ms
from pipeline.explain.trace import Between, LastWrite, trace
from schemas.configuration import ConnectorState
from schemas.state import ObjectState, PairState
from schemas.topics import pair_key
from schemas.values import System


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was read about one object, or one pair, of one integration."""

    at_ms: int
    integration: str
    view: IntegrationView
    named: Named | None
    key: str
    partition: int
    row: ObjectState | None  # None: there is none, or a pair was asked for
    pairs: Mapping[str, tuple[str, PairState | None]]  # mapping -> match value and row
    lookup_interval_ms: int
    connectors: Mapping[System, ConnectorState] = field(default_factory=dict)
    paused: bool = False
    seen: Sequence[Seen] = ()
    searched_since_ms: int | None = None
    complete: bool = True
    most: int = 10
    write: LastWrite | None = None  # of the change that was written last
    between: Sequence[Between] = ()  # and what the agents published of it
    events: EventFacts = field(default_factory=EventFacts)
    event_hold_ms: int = 900_000


def explanation(facts: Facts) -> Explanation:
    """Why it is as it is."""
    word, since_ms = _object_word(facts)
    there = word == "known"
    away = tuple(_away(facts))
    told = happenings(facts.seen, complete=facts.complete)
    return Explanation(
        at_ms=facts.at_ms,
        integration=facts.integration,
        connection=facts.view.connection,
        named=facts.named,
        word=word,
        key=facts.key,
        partition=facts.partition,
        since_ms=since_ms,
        merged_into=facts.row.merged_into if facts.row is not None else None,
        known=tuple(_known(facts)) if there else (),
        unknown=facts.row.unknown if facts.row is not None and there else (),
        pairs=tuple(_pair(facts, view, away) for view in _views(facts)) if there else (),
        away=away,
        paused=facts.paused,
        history=History(tuple(told[: facts.most]), facts.searched_since_ms, facts.complete),
        trace=trace(facts.write, facts.between) if facts.write is not None and there else None,
        events=_events(facts) if there else Events(),
    )


def _events(facts: Facts) -> Events:
    found, standing = facts.events, Standing(facts.at_ms, facts.event_hold_ms, facts.pairs, facts.seen)
    told = tuple(events_told(found, _views(facts), standing))[: facts.most]
    return Events(told, found.searched_since_ms, found.complete)


def _object_word(facts: Facts) -> tuple[ObjectWord, int | None]:
    row = facts.row
    if facts.named is None:
        return "known", None
    if row is None:
        return "never_seen", None
    if row.erased_ms:
        return "erased", row.erased_ms
    return ("known", None) if row.present else ("gone", row.at_ms)


def _views(facts: Facts) -> list[MappingView]:
    if facts.named is None:
        return [facts.view.mappings[name] for name in facts.pairs]
    views = facts.view.of_type(facts.named.system, facts.named.object_type)
    return sorted(views, key=lambda view: view.name)


def _away(facts: Facts) -> Iterator[Away]:
    for system, state in facts.connectors.items():
        if state.connection == facts.view.connection and (state.status != "ok" or state.parked):
            yield Away(system, state.status, state.reason, state.parked, parked_ms(facts.seen, system))


def _known(facts: Facts) -> Iterator[KnownFields]:
    """The object's fields by when they were observed last, the newest first."""
    if facts.row is None or facts.named is None:
        return
    groups: dict[tuple[int, int], list[str]] = {}
    for name, value in sorted(facts.row.fields.items()):
        groups.setdefault((value.at_ms, value.spread_ms), []).append(name)
    for (at_ms, spread_ms), names in sorted(groups.items(), reverse=True):
        shown = observation(facts.seen, facts.named.system, at_ms, names[0])
        origin, cause = (shown.origin, shown.caused_by) if shown is not None else (None, None)
        yield KnownFields(tuple(names), at_ms, spread_ms, origin, cause)


def _pair(facts: Facts, view: MappingView, away: Sequence[Away]) -> PairAnswer:
    match_value, state = facts.pairs.get(view.name, (None, None))
    match_fields: dict[System, str] = {system: view.match_field(system) for system in OTHER}
    object_types: dict[System, str] = {system: view.object_type(system) for system in OTHER}
    if match_value is None:
        return PairAnswer(view.name, "no_match_value", match_fields, object_types)
    if state is None:
        word: PairWord = "never_seen" if facts.named is None else "unmatched"
        return PairAnswer(view.name, word, match_fields, object_types, match_value=match_value)
    pair = paired(state, view)
    asking = unknown_sides(state, view, facts.view.whole) if isinstance(pair, Paired) else ()
    return PairAnswer(
        mapping=view.name,
        word="paired" if isinstance(pair, Paired) else pair,
        match_fields=match_fields,
        object_types=object_types,
        objects=_objects(state, pair),
        counted={system: state.counted[system] for system in OTHER if system in state.counted},
        on_several=view.record.on_several,
        looked_up_ms=state.looked_up_ms or None,
        again_ms=state.looked_up_ms + facts.lookup_interval_ms if state.looked_up_ms else None,
        asking=asking,
        asked_ms=min((state.asked[system] for system in asking if system in state.asked), default=None),
        read_whole=_read_whole(facts, state, view),
        fields=tuple(_fields(facts, view, match_value, state, pair, asking, away)),
        still_there=() if isinstance(pair, Paired) else tuple(_still_there(state, view)),
        match_value=match_value,
    )


def _objects(state: PairState, pair: object) -> Mapping[System, tuple[str, ...]]:
    """Who is on each side; of a pair the two that were chosen come first, of a crowd only how many there are."""
    held: dict[System, tuple[str, ...]] = {}
    for system in OTHER:
        ids = sorted(side(state, system))
        if isinstance(pair, Paired):
            chosen = pair.ids[system]
            ids = [chosen, *(id for id in ids if id != chosen)]
        held[system] = () if crowded(state, system) else tuple(ids)
    return held


def _read_whole(facts: Facts, state: PairState, view: MappingView) -> bool:
    """Whether the side that lacks was read whole, so that nobody there holds the match value."""
    lacking = [system for system in OTHER if not side(state, system)]
    return bool(lacking) and all(read_whole(system, view, facts.view.whole) for system in lacking)


def _fields(
    facts: Facts,
    view: MappingView,
    match_value: str,
    state: PairState,
    pair: object,
    asking: tuple[System, ...],
    away: Sequence[Away],
) -> Iterator[FieldStanding]:
    if not isinstance(pair, Paired):
        return
    answers = Answers(facts.seen)
    yield from standings(
        PairFacts(
            pair_key(facts.integration, facts.view.connection, view.name, match_value),
            state,
            pair,
            view,
            asking,
            frozenset(one.system for one in away if one.status != "ok"),
            refused_ms(facts.seen),
        ),
        answers.took_ms,
    )


def _still_there(state: PairState, view: MappingView) -> Iterator[StillThere]:
    """What we wrote while it was a pair, by object and write."""
    for (system, object_id), names in written_values(state, view).items():
        candidate = side(state, system)[object_id]
        groups: dict[int, list[str]] = {}
        writes = {name: last_write(candidate, name) for name in names}
        for name, write in writes.items():
            groups.setdefault(-1 if write is None else candidate.written.index(write), []).append(name)
        for number, grouped in sorted(groups.items(), reverse=True):
            write = None if number < 0 else candidate.written[number]
            yield StillThere(system, object_id, tuple(grouped), write)
