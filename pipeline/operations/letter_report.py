"""Dead letters as tables for a person and as objects for scripts. Pure; shows no values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.core.conversion import MEANING
from pipeline.operations.letter_remedies import what_to_do
from pipeline.operations.letter_standing import Standing
from pipeline.operations.letters import SHORT, Letter
from schemas.operating import LetterMark
from schemas.reasons import REASONS

GROUPS: Final = ("COUNT", "REASON", "STAGE", "MAPPING", "FIELD", "NEWEST", "WHAT TO DO")
LETTERS: Final = ("ID", "AT", "PAIR", "OBJECT", "STATE")

# Any: JSON
Json = dict[str, Any]
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Told:
    """A letter with how it stands and what was done about it."""

    letter: Letter
    now: Standing
    mark: LetterMark | None = None
    alike: int = field(default=0, compare=False)
    """The same for letters of the same value, by a key of this process: it says nothing of the value. 0: not known."""


def grouped(told: Iterable[Told]) -> list[tuple[tuple[str, str, str, str], list[Told]]]:
    """Letters by reason, stage, mapping and field; the largest group first."""
    groups: dict[tuple[str, str, str, str], list[Told]] = {}
    for one in told:
        letter = one.letter.letter
        field = (letter.field or "").partition(".")[2] or "-"
        groups.setdefault((letter.reason, letter.stage, letter.mapping or "-", field), []).append(one)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def group_rows(told: Iterable[Told], now_ms: int) -> Rows:
    """A row for each group."""
    return [(str(len(some)), *key, age(now_ms - _newest(some)), what_to_do(key[0])) for key, some in grouped(told)]


def letter_rows(told: Iterable[Told], now_ms: int) -> Rows:
    """A row for each letter, the newest first."""
    return [_letter_row(one, now_ms) for one in reversed(list(told))]


def _letter_row(one: Told, now_ms: int) -> Sequence[str]:
    letter = one.letter
    at = clock(letter.letter.at_ms, now_ms)
    return letter.id[:SHORT], at, pair(letter), one.now.object, state(one, now_ms)


def table(head: Sequence[str], rows: Rows) -> Iterator[str]:
    """Lines with columns as wide as they need; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if name == "COUNT" else cell.ljust(width)
            for name, cell, width in zip(head, row, widths, strict=True)
        ]
        yield "  ".join(cells).rstrip()


def pair(letter: Letter) -> str:
    """The pair of a refused field, or the key of a refused record."""
    if letter.of_field and letter.letter.key.count(":") >= 3:
        _, _, mapping, value = letter.letter.key.split(":", 3)
        return f"{mapping} {value}"
    return letter.letter.key or "-"


def state(one: Told, now_ms: int) -> str:
    """How it stands, in a few words."""
    words = {"refused": "refused still", "on_its_way": "on its way"}.get(one.now.word, one.now.word)
    redriven = f", redriven {one.mark.redrives}x" if one.mark is not None and one.now.open and one.mark.redrives else ""
    return words + (f" {clock(one.now.at_ms, now_ms)}" if one.now.at_ms else "") + redriven


def details(one: Told, now_ms: int) -> Iterator[tuple[str, str]]:
    """What `show` tells: a word and a text, line by line."""
    letter, told = one.letter, one.letter.letter
    topic, partition = letter.place
    yield "id", f"{letter.id[:16]}…        ({topic}[{partition}]@{letter.offset})"
    yield "reason", f"{told.reason}: {meaning(told.reason)}"
    yield "", told.detail
    yield "where", ", ".join(part for part in (told.stage, told.integration or "", _where(one)) if part)
    yield "record", _record(letter)
    if told.caused_by is not None:
        cause = told.caused_by
        place = f"{cause.topic}[{cause.partition}]@{cause.offset}" if cause.offset >= 0 else cause.topic
        at = clock(cause.at_ms, now_ms, milliseconds=True)
        yield "caused by", ", ".join(part for part in (place, at) if part)
    again = f", written {letter.times} times since {clock(letter.first_ms, now_ms)}" if letter.times > 1 else ""
    yield "written", clock(told.at_ms, now_ms) + again
    remembered = f": pairs-state {told.key} remembers the value" if one.now.word == "refused" else ""
    yield "state", state(one, now_ms) + remembered
    if one.mark is not None:
        note = f": {one.mark.note}" if one.mark.note else ""
        yield "mark", f"{one.mark.state} {clock(one.mark.at_ms, now_ms)} by {one.mark.by}{note}"
    yield "next", _next(one)


def _where(one: Told) -> str:
    letter = one.letter
    told = [f"pair {pair(letter)}" if letter.of_field else f"key {letter.letter.key or '-'}"]
    if one.now.object != "-":
        told.append(one.now.object)
    return ", ".join(told)


def _record(letter: Letter) -> str:
    told = letter.letter
    if told.partition < 0:
        return "none"
    kind = letter.about.kind or "unreadable"
    how = "--value decodes it, --raw writes its bytes" if letter.size else "its bytes did not fit the letter"
    return f"{told.topic}[{told.partition}]@{told.offset}, key {told.key}, {kind}, {letter.size:,} bytes: {how}"


def _next(one: Told) -> str:
    if not one.now.open:
        return "nothing"
    short = one.letter.id[:SHORT]
    steps = [what_to_do(one.letter.letter.reason), f"pairstream dead-letters redrive {short}"]
    if one.now.object.count(" ") == 2:
        steps.append(f"pairstream explain {one.now.object}")
    return " · ".join(steps)


def meaning(reason: str) -> str:
    """The sentence of a reason; a vendor's own code has none."""
    if reason in REASONS:
        return REASONS[reason].sentence
    return next((sentence for code, sentence in MEANING.items() if code == reason), "the system's own code")


def report(one: Told) -> Json:
    """A letter as an object."""
    letter, told, mark = one.letter, one.letter.letter, one.mark
    cause = told.caused_by
    return {
        "id": letter.id,
        "reason": told.reason,
        "detail": told.detail,
        "stage": told.stage,
        "integration": told.integration,
        "mapping": told.mapping,
        "field": told.field,
        "key": told.key,
        "object": None if one.now.object == "-" else one.now.object,
        "state": one.now.word,
        "state_at_ms": one.now.at_ms,
        "open": one.now.open,
        "at_ms": told.at_ms,
        "first_at_ms": letter.first_ms,
        "times": letter.times,
        "redrives": max(told.redrives, mark.redrives if mark is not None else 0),
        "run": letter.about.run_id,
        "place": f"{letter.place[0]}[{letter.place[1]}]@{letter.offset}",
        "record": {
            "topic": told.topic,
            "partition": told.partition,
            "offset": told.offset,
            "type": letter.about.kind or None,
            "bytes": letter.size,
        },
        "caused_by": None
        if cause is None
        else {"topic": cause.topic, "partition": cause.partition, "offset": cause.offset, "at_ms": cause.at_ms},
        "mark": None
        if mark is None
        else {"state": mark.state, "at_ms": mark.at_ms, "by": mark.by, "redrives": mark.redrives, "note": mark.note},
        "what_to_do": what_to_do(told.reason),
    }


def list_report(told: Sequence[Told], now_ms: int) -> Json:
    """What `list` found, as one object."""
    groups = [
        {
            "count": len(some),
            "reason": reason,
            "stage": stage,
            "mapping": None if mapping == "-" else mapping,
            "field": None if field == "-" else field,
            "newest_at_ms": _newest(some),
            "what_to_do": what_to_do(reason),
        }
        for (reason, stage, mapping, field), some in grouped(told)
    ]
    return {"at_ms": now_ms, "total": len(told), "groups": groups, "letters": [report(one) for one in told]}


def marks_by_letter(rows: Mapping[str, object]) -> dict[str, LetterMark]:
    """The marks of the topic's table."""
    return {key: row for key, row in rows.items() if isinstance(row, LetterMark)}


def _newest(some: Iterable[Told]) -> int:
    return max(one.letter.letter.at_ms for one in some)


def age(passed_ms: int) -> str:
    """`40 s`, `2 min`, `3 h`, `5 d`."""
    seconds = max(passed_ms, 0) // 1000
    for unit, most, each in (("s", 60, 1), ("min", 3_600, 60), ("h", 172_800, 3_600)):
        if seconds < most:
            return f"{seconds // each} {unit}"
    return f"{seconds // 86_400} d"


def clock(at_ms: int, now_ms: int, *, milliseconds: bool = False) -> str:
    """The time of day in UTC, with the date where it is not today's."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    today = at.date() == datetime.fromtimestamp(now_ms / 1000, UTC).date()
    text = at.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
    return f"{text}.{at_ms % 1000:03d}" if milliseconds else text
