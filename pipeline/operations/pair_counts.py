"""What a mapping would do to the objects that are known: counted by pairs, from the retained state alone. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from pipeline.core.candidates import paired
from pipeline.core.conversion import is_empty
from pipeline.core.derive import Paired, derive
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.matching import fields_for, match_value
from pipeline.core.pairing import EMPTY
from schemas.records import StampedValue
from schemas.state import Candidate, ObjectState, PairState
from schemas.values import FieldValue, System

MOST_SAMPLES: Final = 5

End = Literal["written", "equal", "unmatched", "ambiguous", "crowded", "refused"]
Side = Mapping[str, Mapping[str, Candidate]]
"""Match value -> object id -> candidate."""


@dataclass(frozen=True, slots=True)
class RetainedState:
    """What is retained: both sides' objects by their ids, and what pairs settled or refused under this very mapping."""

    objects: Callable[[System], Iterable[tuple[str, ObjectState]]]
    pair: Callable[[str], PairState | None]
    empty_targets: frozenset[str] = frozenset()  # HubSpot fields that do not exist yet: no object holds a value


@dataclass(frozen=True, slots=True)
class Sample:
    """One patch that would be written: field -> (value that is there, value that would be)."""

    system: System
    object_id: str
    fields: Mapping[str, tuple[FieldValue, FieldValue]]


@dataclass(slots=True)
class PairCounts:
    """Every match value ends as one of `pairs`; HubSpot objects without a user count apart, unless they are crowded.

    The figures are those that a full sync tells of the same objects.
    """

    pairs: Counter[End] = field(default_factory=Counter)
    hubspot_only: int = 0  # objects without a partner
    written: Counter[System] = field(default_factory=Counter)  # objects that a patch would change
    cleared: Counter[System] = field(default_factory=Counter)  # of those: a value would be emptied
    refused: Counter[str] = field(default_factory=Counter)  # `<system>.<field>: reason` -> pairs
    not_read: tuple[str, ...] = ()  # source fields that no known object shows yet
    samples: list[Sample] = field(default_factory=list)
    userflow_only: int = 0  # objects without a partner
    emptied: int = 0  # pairs that would lose a value


def count_pairs(view: MappingView, known: RetainedState) -> PairCounts:
    """The ends of all pairs that the mapping makes of the known objects."""
    counts = PairCounts()
    userflow = _side(view, "userflow", known, None)
    hubspot = _side(view, "hubspot", known, userflow)
    for value, alone in hubspot.items():
        if value not in userflow:
            _count_alone(counts, _state(view, known, value, alone, {}), view)
    for value in sorted(userflow):
        _count(counts, _state(view, known, value, hubspot.get(value, {}), userflow[value]), view)
    if counts.pairs["written"] or counts.pairs["equal"]:
        counts.not_read = _not_read(view, {"hubspot": hubspot, "userflow": userflow})
    return counts


def _side(view: MappingView, system: System, known: RetainedState, other: Side | None) -> Side:
    """The present objects of a side; fields are kept only where the other side has the match value too."""
    candidates: dict[str, dict[str, Candidate]] = defaultdict(dict)
    for object_id, row in known.objects(system):
        value = match_value(view, row.fields, system, object_id) if row.present else None
        if value is None:
            continue
        wanted = other is None or value in other
        fields = dict(fields_for(row, view, system)) if wanted else {}
        if system == "hubspot" and wanted:
            fields |= {name: StampedValue(None, row.at_ms) for name in known.empty_targets & view.fields[system]}
        candidates[value][object_id] = Candidate(row.at_ms, row.spread_ms, fields)
    return candidates


def _state(
    view: MappingView,
    known: RetainedState,
    value: str,
    hubspot: Mapping[str, Candidate],
    userflow: Mapping[str, Candidate],
) -> PairState:
    return replace(known.pair(value) or EMPTY, revision=view.record.revision, hubspot=hubspot, userflow=userflow)


def _count_alone(counts: PairCounts, state: PairState, view: MappingView) -> None:
    pair = paired(state, view)
    if pair == "crowded":
        counts.pairs[pair] += 1
    else:
        counts.hubspot_only += len(state.hubspot)


def _count(counts: PairCounts, state: PairState, view: MappingView) -> None:
    pair = paired(state, view)
    if not isinstance(pair, Paired):
        counts.pairs[pair] += 1
        counts.userflow_only += len(state.userflow) if pair == "unmatched" else 0
        return
    derivation = derive(state, pair, view)
    refusals = {f"{refusal.system}.{refusal.name}: {refusal.reason}" for refusal in derivation.refused}
    refusals |= {f"{name}: {refused.reason}" for name, refused in state.refused.items()}
    for refusal in refusals:
        counts.refused[refusal] += 1
    emptied = False
    for system, fields in derivation.patches.items():
        held = pair.sides[system].fields
        before = {name: held[name].value if name in held else None for name in fields}
        counts.written[system] += 1
        clears = any(is_empty(fields[name]) and not is_empty(before[name]) for name in fields)
        counts.cleared[system] += clears
        emptied = emptied or clears
        if len(counts.samples) < MOST_SAMPLES:
            changes = {name: (before[name], fields[name]) for name in sorted(fields)}
            counts.samples.append(Sample(system, pair.ids[system], changes))
    counts.emptied += emptied
    counts.pairs["written" if derivation.patches else "refused" if refusals else "equal"] += 1


def _not_read(view: MappingView, sides: Mapping[System, Side]) -> tuple[str, ...]:
    """Sources whose values will only be known after a full sync."""
    shown: dict[System, set[str]] = {system: set() for system in sides}
    for system, side in sides.items():
        for candidates in side.values():
            for candidate in candidates.values():
                shown[system].update(candidate.fields)
    return tuple(
        f"{OTHER[target]}.{rule.source}"
        for target in OTHER
        for rule, _ in view.rules_for[target]
        if rule.source not in shown[OTHER[target]]
    )
