"""Refused values as pages and files show them: groups, letters, and values that are alike. Pure; shows no values."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console.condition import Kind
from pipeline.console.letters import GroupOfLetters
from pipeline.console.reasons import title_of
from pipeline.console.words import clock, instant
from pipeline.explain.answer import Named, may_be_address
from pipeline.operations.letter_remedies import what_to_do
from pipeline.operations.letter_report import Told, age, meaning
from pipeline.operations.letter_standing import STANDINGS, StandingWord
from pipeline.operations.letters import SHORT
from pipeline.operations.redrive import redrives_of

ENDS: Final[Mapping[StandingWord, tuple[Kind, str]]] = {
    "open": ("bad", "Open"),
    "refused": ("bad", "Refused still"),
    "on_its_way": ("work", "On its way"),
    "mended": ("ok", "Mended"),
    "redriven": ("ok", "Tried again"),
    "discarded": ("idle", "Discarded"),
    "replaced": ("idle", "Another value by now"),
    "gone": ("idle", "No pair any more"),
}
MOST_VALUES: Final = 20
HEAD: Final = (
    *("letter", "reason", "stage", "mapping", "field", "system", "type", "object", "page"),
    *("state", "refused at", "ended at", "by", "tries", "record"),
)


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Letters of one reason, stage, mapping and field."""

    reason: str
    title: str
    meaning: str
    stage: str
    mapping: str
    field: str
    number: int
    newest: str
    advice: str
    trend: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One letter; an id that may be an address of a person is hidden like a value."""

    id: str
    object: str
    at: str
    tries: int
    place: str
    kind: Kind
    word: str
    sentence: str
    ended: str  # when
    by: str  # whoever tried it again or put it away
    note: str


@dataclass(frozen=True, slots=True)
class ValueRow:
    """Letters of one value."""

    letter: Told  # one of them
    number: int
    percent: float


def group_row(group: GroupOfLetters, some: Sequence[Told], now_ms: int) -> GroupRow:
    """A group of which `some` are shown, the oldest first."""
    code, newest = group.reason, age(now_ms - some[-1].letter.letter.at_ms)
    place = (group.stage, group.mapping, group.field)
    return GroupRow(code, title_of(code), meaning(code), *place, len(some), newest, what_to_do(code), group.trend)


def letter_row(one: Told, now_ms: int) -> LetterRow:
    """One letter."""
    letter, (kind, word), mark = one.letter, ENDS[one.now.word], one.mark
    return LetterRow(
        letter.id[:SHORT],
        "an id that is hidden" if may_be_address(one.now.object) else one.now.object,
        clock(letter.letter.at_ms, now_ms),
        redrives_of(letter, mark),
        _place(one),
        kind,
        word,
        STANDINGS[one.now.word],
        clock(one.now.at_ms, now_ms) if one.now.at_ms else "",
        mark.by if mark is not None else "",
        mark.note if mark is not None and one.now.word == "discarded" else "",
    )


def value_rows(found: Sequence[Told]) -> tuple[int, list[ValueRow]]:
    """How many different values there are, and the most frequent of them."""
    counts = Counter(one.alike for one in found if one.alike)
    first = {one.alike: one for one in reversed(found)}
    rows = [ValueRow(first[alike], many, 100 * many / len(found)) for alike, many in counts.most_common(MOST_VALUES)]
    return len(counts), rows


def named_in(one: Told) -> Named | None:
    """The object that is concerned, where that is known."""
    system, _, rest = one.now.object.partition(" ")
    object_type, _, object_id = rest.partition(" ")
    if system not in ("hubspot", "userflow") or not object_id:
        return None
    return Named("hubspot" if system == "hubspot" else "userflow", object_type, object_id)


def sheet_rows(found: Iterable[Told], page_of: Callable[[Named], str]) -> Iterator[Sequence[str]]:
    """Letters for a spreadsheet; an id that may be an address is left out, and its page named instead."""
    yield HEAD
    for one in found:
        letter, named, mark = one.letter.letter, named_in(one), one.mark
        about = (named.system, named.object_type, _id_of(named), page_of(named)) if named is not None else ("",) * 4
        tries = str(redrives_of(one.letter, mark))
        ended = instant(one.now.at_ms) if one.now.at_ms else ""
        ends = (one.now.word, instant(letter.at_ms), ended, mark.by if mark is not None else "", tries, _place(one))
        where = (letter.reason, letter.stage, letter.mapping or "", letter.field or "")
        yield (one.letter.id, *where, *about, *ends)


def _id_of(named: Named) -> str:
    return "" if may_be_address(named.object_id) else named.object_id


def _place(one: Told) -> str:
    topic, partition = one.letter.place
    return f"{topic}[{partition}]@{one.letter.offset}"
