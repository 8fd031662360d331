"""An object as its page shows it: its state in a word, its fields in rows, values only where asked for. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.condition import NAMES, Kind
from pipeline.console.words import clock, seconds
from pipeline.core.conversion import is_empty
from pipeline.core.mapping import OTHER
from pipeline.counting import counted
from pipeline.explain.answer import (
    FIELD_WORDS,
    OBJECT_WORDS,
    OUTCOME_WORDS,
    Explanation,
    FieldStanding,
    FieldWord,
    Happening,
    Named,
    PairAnswer,
    PairWord,
    may_be_address,
)
from pipeline.explain.look_again import holders
from pipeline.operations.letter_report import meaning
from pipeline.operations.shown_record import plain_value
from schemas.spent import split
from schemas.state import Written
from schemas.values import FieldValue, System

SINGULAR: Final[Mapping[str, str]] = {
    "contacts": "Contact",
    "companies": "Company",
    "deals": "Deal",
    "users": "User",
    "groups": "Company",
}
WORDS: Final[Mapping[FieldWord, tuple[Kind, str]]] = {
    "written": ("ok", "In step"),
    "equal": ("ok", "In step"),
    "settled": ("ok", "In step, settled"),
    "kept_empty": ("ok", "Kept"),
    "on_its_way": ("work", "On its way"),
    "waiting": ("work", "Waiting"),
    "parked": ("warn", "Parked"),
    "source_unknown": ("warn", "Source not known"),
    "refused": ("bad", "Refused"),
    "contested": ("bad", "Contested"),
}
PLAIN: Final = frozenset({"written", "equal", "on_its_way"})
"""Words that need no sentence."""
PAIRS: Final[Mapping[PairWord, tuple[Kind, str, str]]] = {
    "paired": ("ok", "Linked", "link"),
    "no_match_value": ("idle", "Not linked", "unlink"),
    "unmatched": ("idle", "Not linked", "unlink"),
    "never_seen": ("idle", "Not linked", "unlink"),
    "ambiguous": ("warn", "Several match", "warn"),
    "crowded": ("warn", "Too many match", "warn"),
}
WORST_FIRST: Final[Sequence[PairWord]] = ("crowded", "ambiguous", "paired", "unmatched", "no_match_value", "never_seen")
ENDS: Final[Mapping[str, Kind]] = {"written": "ok", "refused": "bad", "parked": "warn"}
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
    how: str  # how long the last write took, and what led to it


@dataclass(frozen=True, slots=True)
class Holder:
    """An object on a side of a pair."""

    system: System
    name: str
    path: str
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


@dataclass(frozen=True, slots=True)
class HappeningRow:
    """One record about the object, and what became of it."""

    at: str
    system: System
    origin: str
    what: str
    place: str
    led: str
    kind: Kind


def title(named: Named) -> str:
    """`Contact 151204`; an id that may be an address is hidden like a value."""
    kind = SINGULAR.get(named.object_type, named.object_type)
    return f"{kind} {'with a hidden id' if may_be_address(named.object_id) else named.object_id}"


def standing(told: Explanation) -> tuple[Kind, str, str]:
    """The object's state: its sign, word and icon."""
    if told.word in ("erased", "gone"):
        return "idle", "Erased" if told.word == "erased" else "Gone", "off"
    words = [pair.word for pair in told.pairs]
    worst: PairWord = next((word for word in WORST_FIRST if word in words), "no_match_value")
    return PAIRS[worst]


def lead(told: Explanation) -> str:
    """What is wrong with it."""
    if told.word != "known":
        said = f"{OBJECT_WORDS[told.word][:1].upper()}{OBJECT_WORDS[told.word][1:]}."
        return f"{said} It was merged into {told.merged_into}." if told.merged_into else said
    fields = [field for pair in told.pairs for field in pair.fields]
    refused = sum(WORDS[field.word][0] == "bad" for field in fields)
    waiting = sum(WORDS[field.word][0] in ("work", "warn") for field in fields)
    if not fields:
        return ""
    but = [f"{counted(waiting, 'field')} on the way"] if waiting else []
    but += [f"{counted(refused, 'field')} refused"] if refused else []
    return f"In step but for {', '.join(but)}." if but else "In step."


def pair_row(told: Explanation, pair: PairAnswer, paths: Mapping[Named, str], *, values: bool) -> PairRow:
    """One mapping's row; `paths` lead to the pages of whoever holds the match value."""
    kind, word, icon = PAIRS[pair.word]
    fields = (pair.match_fields["hubspot"], pair.match_fields["userflow"])
    match = fields[0] if fields[0] == fields[1] else f"{fields[0]} = {fields[1]}"
    left = {(one.system, one.object_id): ", ".join(one.fields) for one in pair.still_there}
    return PairRow(
        pair.mapping,
        pair.word,
        kind,
        word,
        icon,
        match,
        why(told, pair),
        cell(pair.match_value, known=pair.match_value is not None, values=values),
        [
            Holder(one.system, title(one), paths[one], left.get((one.system, one.object_id), ""))
            for one in holders(pair)
        ],
        [field_row(field, told.at_ms, values=values) for field in pair.fields],
    )


def why(told: Explanation, pair: PairAnswer) -> str:
    """Why it is no pair, or why nothing is written yet."""
    system: System = told.named.system if told.named is not None else "hubspot"
    other, there = NAMES[OTHER[system]], pair.match_fields[OTHER[system]]
    match pair.word:
        case "no_match_value":
            return f"It has no value in {pair.match_fields[system]}, by which this mapping matches."
        case "unmatched" | "never_seen":
            only = " Only the primary email matches." if there == "email" else ""
            looked = f" Looked up {clock(pair.looked_up_ms, told.at_ms)}." if pair.looked_up_ms is not None else ""
            appears = "One that appears links by itself; Pairstream creates none."
            return f"Nobody in {other} is known to hold its {there}.{only}{looked} {appears}"
        case "ambiguous":
            return (
                "Several hold the match value. Nothing is written until one is left: Pairstream does not guess. "
                "Merge them or delete one, which is followed in seconds; or let the newest win for the whole mapping."
            )
        case "crowded":
            return (
                "More hold the match value than are kept apart: nothing is written. Match by a field that tells apart."
            )
    if pair.asking:
        asked = " and ".join(NAMES[one] for one in pair.asking)
        return f"Nothing is written before {asked} told who else holds the match value."
    return ""


def field_row(field: FieldStanding, now_ms: int, *, values: bool) -> FieldRow:
    """One rule's row."""
    kind, word = WORDS[field.word]
    detail = "" if field.word in PLAIN else FIELD_WORDS[field.word].removeprefix("in step: ")
    if field.reason:
        detail = meaning(field.reason)
    owner = OTHER[field.system]
    cells = {
        field.system: cell(field.value, known=field.since_ms is not None, values=values),
        owner: cell(field.wanted, known=field.word != "source_unknown", values=values),
    }
    write, how = field.write, []
    if field.took_ms is not None:
        how.append(f"{seconds(field.took_ms / 1000)} after the edit{_parts(field.took_ms, write)}")
    if write is not None and write.run_id is not None:
        how.append("full sync")
    at = clock(write.at_ms, now_ms) if write is not None else ""
    return FieldRow(
        field.source, field.target, cells, owner, kind, word, detail, field.reason or "", at, ", ".join(how)
    )


def _parts(took_ms: int, write: Written | None) -> str:
    """Where that time went; nothing where the write is not known by its cause."""
    if write is None or write.caused_by is None:
        return ""
    parts = split(took_ms, write.caused_by)
    told = (("Pairstream", parts.pairstream), ("reads", parts.read), ("limits", parts.budget), ("writes", parts.write))
    return f" ({'; '.join(f'{name} {seconds(ms / 1000)}' for name, ms in told)})"


def happenings(told: Explanation) -> Iterator[HappeningRow]:
    """What is retained of it, newest first."""
    for one in told.history.happenings:
        yield _happening(one, told.at_ms)


def _happening(one: Happening, now_ms: int) -> HappeningRow:
    topic, partition, offset = one.place
    what = ", ".join(one.fields) if one.operation == "upserted" else one.operation
    led = OUTCOME_WORDS[one.outcome] + (f": {one.reason}" if one.reason else "")
    at, place = clock(one.at_ms, now_ms), f"{topic}[{partition}]@{offset}"
    return HappeningRow(at, one.system, one.origin, what, place, led, ENDS.get(one.outcome, "idle"))


def cell(value: FieldValue, *, known: bool, values: bool) -> Cell:
    """What a side holds."""
    if is_empty(value):
        return Cell("empty" if known else "unknown")
    plain = plain_value(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return Cell("value", text if values else "")
