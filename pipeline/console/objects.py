"""An object as its page shows it: its state in a word, its fields in rows, values only where asked for. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.condition import NAMES, Kind
from pipeline.console.words import clock, counted
from pipeline.core.conversion import is_empty
from pipeline.core.mapping import OTHER
from pipeline.operations.letter_report import meaning
from pipeline.operations.object_report import FieldReport, FieldWord, Named, ObjectReport, PairReport, PairWord
from pipeline.operations.shown_record import plain_value
from schemas.records import StampedValue
from schemas.values import System

SINGULAR: Final[Mapping[str, str]] = {
    "contacts": "Contact",
    "companies": "Company",
    "deals": "Deal",
    "users": "User",
    "groups": "Company",
}
WORDS: Final[Mapping[FieldWord, tuple[Kind, str, str]]] = {
    "in_step": ("ok", "In step", ""),
    "on_its_way": ("work", "On its way", ""),
    "parked": ("warn", "Parked", "written once its system is back"),
    "refused": ("bad", "Refused", ""),
    "contested": ("bad", "Contested", "somebody else keeps rewriting it; the next full sync tries again"),
}
PAIRS: Final[Mapping[PairWord, tuple[Kind, str, str]]] = {
    "paired": ("ok", "Linked", "link"),
    "no_value": ("idle", "Not linked", "unlink"),
    "unmatched": ("idle", "Not linked", "unlink"),
    "ambiguous": ("warn", "Several match", "warn"),
    "crowded": ("warn", "Too many match", "warn"),
}
WORST_FIRST: Final[Sequence[PairWord]] = ("crowded", "ambiguous", "paired", "unmatched", "no_value")
HUBSPOT_TYPES: Final[Mapping[str, str]] = {"contacts": "0-1", "companies": "0-2", "deals": "0-3"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What a side holds: hidden, unless `text` is there."""

    state: str  # value, empty, unknown
    text: str = ""


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One rule."""

    source: str
    target: str
    cells: Mapping[System, Cell]
    owner: System
    kind: Kind
    word: str
    detail: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Holder:
    """An object on a side of a pair."""

    system: System
    name: str
    path: str
    at: str
    left: str  # what was written to it while it was a pair, and is still there


@dataclass(frozen=True, slots=True)
class PairRow:
    """What one mapping makes of the object."""

    mapping: str
    word: PairWord
    kind: Kind
    title: str
    icon: str
    match: str  # the fields by which it matches
    why: str
    match_cell: Cell
    holders: Sequence[Holder]
    fields: Sequence[FieldRow]
    events: int
    events_wait: int


def title(named: Named) -> str:
    """`Contact 151204`; an id that may be an address is hidden like a value."""
    kind = SINGULAR.get(named.object_type, named.object_type)
    return f"{kind} {'with a hidden id' if '@' in named.object_id else named.object_id}"


def standing(report: ObjectReport) -> tuple[Kind, str, str]:
    """The object's state: its sign, word and icon."""
    if report.word == "erased":
        return "idle", "Erased", "off"
    if report.word == "gone":
        return "idle", "Gone", "off"
    words = [pair.word for pair in report.pairs]
    worst: PairWord = next((word for word in WORST_FIRST if word in words), "no_value")
    return PAIRS[worst]


def lead(report: ObjectReport) -> str:
    """What is wrong with its fields."""
    fields = [field for pair in report.pairs for field in pair.fields]
    refused = sum(field.word in ("refused", "contested") for field in fields)
    waiting = sum(field.word in ("on_its_way", "parked") for field in fields)
    if report.word == "erased":
        return "Nothing is known of it, and nothing is written to it."
    if report.word == "gone":
        survivor = report.row.merged_into if report.row is not None else None
        return f"It was merged into {survivor}." if survivor else "It is no more."
    if not fields:
        return ""
    told = [f"{counted(waiting, 'field')} on the way"] if waiting else []
    told += [f"{counted(refused, 'field')} refused"] if refused else []
    return f"In step but for {', '.join(told)}." if told else "In step."


def pair_row(named: Named, pair: PairReport, paths: Mapping[Named, str], now_ms: int, *, values: bool) -> PairRow:
    """One mapping's row; `paths` lead to the pages of whoever holds the match value."""
    view, state = pair.view, pair.state
    kind, word, icon = PAIRS[pair.word]
    fields = (view.match_field("hubspot"), view.match_field("userflow"))
    match = fields[0] if fields[0] == fields[1] else f"{fields[0]} = {fields[1]}"
    held = StampedValue(pair.match_value, 0) if pair.match_value is not None else None
    return PairRow(
        view.name,
        pair.word,
        kind,
        word,
        icon,
        match,
        why(named, pair),
        cell(held, values=values),
        tuple(_holders(pair, paths, now_ms)),
        [field_row(field, now_ms, values=values) for field in pair.fields],
        len(state.streamed) if state is not None else 0,
        len(state.held) + len(state.parked_events) if state is not None else 0,
    )


def why(named: Named, pair: PairReport) -> str:
    """Why it is no pair, or why nothing is written yet."""
    other = NAMES[OTHER[named.system]]
    here = pair.view.match_field(named.system)
    there = pair.view.match_field(OTHER[named.system])
    match pair.word:
        case "no_value":
            return f"It has no value in {here}, by which this mapping matches."
        case "unmatched":
            only = " Only the primary email matches." if there == "email" else ""
            return (
                f"Nobody in {other} is known to hold its {here}.{only} "
                "One that appears links by itself; Pairstream creates none."
            )
        case "ambiguous":
            return "Several hold the match value. Nothing is written until one is left: Pairstream does not guess."
        case "crowded":
            return "More hold the match value than are kept apart. Nothing is written."
    if pair.asking:
        asked = " and ".join(NAMES["hubspot" if one == "hubspot" else "userflow"] for one in pair.asking)
        return f"Nothing is written before {asked} told who else holds the match value."
    return ""


def _holders(pair: PairReport, paths: Mapping[Named, str], now_ms: int) -> Iterator[Holder]:
    for system in sorted(OTHER):
        for object_id in pair.ids.get(system, ()):
            named = Named(system, pair.view.object_type(system), object_id)
            known = getattr(pair.state, system, {}).get(object_id) if pair.state is not None else None
            left = ", ".join(pair.left.get((system, object_id), ()))
            yield Holder(system, title(named), paths[named], clock(known.at_ms, now_ms) if known else "", left)


def field_row(field: FieldReport, now_ms: int, *, values: bool) -> FieldRow:
    """One rule's row."""
    kind, word, detail = WORDS[field.word]
    if field.word == "refused":
        detail = meaning(field.reason)
    elif field.settled and field.word == "in_step":
        word, detail = "In step, settled", "the target keeps another form of what it was sent"
    cells = {system: cell(field.held_by(system), values=values) for system in OTHER}
    at = clock(field.target.at_ms, now_ms) if field.target is not None and field.ours else ""
    rule, owner = field.rule, OTHER[field.written]
    return FieldRow(rule.source, rule.target, cells, owner, kind, word, detail, field.reason, at)


def cell(held: StampedValue | None, *, values: bool) -> Cell:
    """What a side holds."""
    if held is None:
        return Cell("unknown")
    if is_empty(held.value):
        return Cell("empty")
    plain = plain_value(held.value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return Cell("value", text if values else "")
