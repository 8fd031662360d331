"""What is known of an object, of its pairs and of each of their fields, as values. Pure.

`explain` tells it in lines that name no value, the console in pages.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from pipeline.core.candidates import paired, side
from pipeline.core.derive import Paired, derive
from pipeline.core.holders import unknown_sides
from pipeline.core.mapping import OTHER, MappingView
from pipeline.core.written import written_values
from schemas.records import FieldRule, StampedValue
from schemas.state import ObjectState, PairState
from schemas.values import System

ObjectWord = Literal["unknown", "erased", "gone", "known"]
PairWord = Literal["paired", "no_value", "unmatched", "ambiguous", "crowded"]
FieldWord = Literal["in_step", "on_its_way", "parked", "refused", "contested"]
WRITTEN_FIRST: Final = tuple(sorted(OTHER, reverse=True))
"""The order in which the sides are told: what Userflow gets comes first."""


@dataclass(frozen=True, slots=True)
class Named:
    """The object that is asked about."""

    system: System
    object_type: str
    object_id: str


@dataclass(frozen=True, slots=True)
class Explained:
    """An object's row, and its pairs' rows by mapping; None where there is none."""

    system: System
    object_id: str
    row: ObjectState | None
    pairs: Mapping[str, PairState | None]
    views: Mapping[str, MappingView]
    whole: frozenset[str]  # `<system>.<object type>`s that were read whole


@dataclass(frozen=True, slots=True)
class FieldReport:
    """One rule of a pair: what both sides hold, and how it stands."""

    rule: FieldRule
    written: System  # the side that the rule writes; the other one owns the field
    word: FieldWord
    reason: str = ""  # of what is refused: a stable code
    ours: bool = False  # the target holds what we wrote
    settled: bool = False  # the target keeps another form of what it was sent
    source: StampedValue | None = None
    target: StampedValue | None = None

    @property
    def name(self) -> str:
        """The target field, `<system>.<field>`."""
        return f"{self.written}.{self.rule.target}"

    def held_by(self, system: System) -> StampedValue | None:
        """What a side is known to hold; None where that is not known."""
        return self.target if system == self.written else self.source


@dataclass(frozen=True, slots=True)
class PairReport:
    """What one mapping makes of the object."""

    view: MappingView
    word: PairWord
    match_value: str | None = None
    state: PairState | None = None
    ids: Mapping[System, tuple[str, ...]] = field(default_factory=dict)  # who holds the match value; of a pair: its two
    asking: tuple[str, ...] = ()  # systems that have yet to tell who else holds it: nothing is written before
    fields: tuple[FieldReport, ...] = ()
    left: Mapping[tuple[System, str], tuple[str, ...]] = field(default_factory=dict)
    """Of no pair any more: what was written while it was one, and is still there, by object."""


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """An object."""

    word: ObjectWord
    row: ObjectState | None
    pairs: tuple[PairReport, ...] = ()


def report(about: Explained) -> ObjectReport:
    """What the rows tell of the object."""
    row = about.row
    if row is None:
        return ObjectReport("unknown", None)
    if row.erased_ms:
        return ObjectReport("erased", row)
    if not row.present:
        return ObjectReport("gone", row)
    return ObjectReport("known", row, tuple(_pair(about, row, view) for _, view in sorted(about.views.items())))


def _pair(about: Explained, row: ObjectState, view: MappingView) -> PairReport:
    value, state = row.matches.get(view.name), about.pairs.get(view.name)
    if value is None or state is None:
        return PairReport(view, "no_value", value)
    pair = paired(state, view)
    if isinstance(pair, Paired):
        ids: dict[System, tuple[str, ...]] = {system: (object_id,) for system, object_id in pair.ids.items()}
        asking = tuple(unknown_sides(state, view, about.whole))
        return PairReport(view, "paired", value, state, ids, asking, tuple(_fields(state, pair, view)))
    held: dict[System, tuple[str, ...]] = {system: tuple(sorted(side(state, system))) for system in OTHER}
    left = {} if pair == "unmatched" else written_values(state, view)
    return PairReport(view, pair, value, state, held, left={who: tuple(names) for who, names in left.items()})


def _fields(state: PairState, pair: Paired, view: MappingView) -> Iterator[FieldReport]:
    patches = derive(state, pair, view).patches
    for system in WRITTEN_FIRST:
        target, source = side(state, system), side(state, OTHER[system])
        for rule, _ in view.rules_for[system]:
            name = f"{system}.{rule.target}"
            word, reason = _word(state, name, on_its_way=rule.target in patches.get(system, {}))
            yield FieldReport(
                rule,
                system,
                word,
                reason,
                any(rule.target in one.fields and one.fields[rule.target].ours for one in target.values()),
                name in state.settled,
                source[pair.ids[OTHER[system]]].fields.get(rule.source),
                target[pair.ids[system]].fields.get(rule.target),
            )


def _word(state: PairState, name: str, *, on_its_way: bool) -> tuple[FieldWord, str]:
    if name in state.contested:
        return "contested", ""
    if name in state.refused:
        return "refused", state.refused[name].reason
    if on_its_way:
        return ("parked" if state.parked else "on_its_way"), ""
    return "in_step", ""
