"""Events of an object as its page shows them: what happened in Userflow, and what became of it on timelines. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.console import objects
from pipeline.console.condition import Kind
from pipeline.console.words import clock
from pipeline.explain.answer import EVENT_WORDS, EventWord, Explanation, Named, OnTimeline
from pipeline.operations.letter_report import meaning

WORDS: Final[Mapping[EventWord, tuple[Kind, str]]] = {
    "sent": ("ok", "Sent"),
    "on_its_way": ("work", "On its way"),
    "held": ("work", "Waits for its pair"),
    "parked": ("warn", "Parked"),
    "refused": ("bad", "Refused"),
    "gone": ("warn", "No such record"),
    "unsent": ("idle", "Not sent"),
    "off": ("idle", "Not streamed"),
}
UNSURE: Final = "unknown_result"
PLAIN: Final = frozenset({"sent", "on_its_way"})
"""Words that need no sentence."""


@dataclass(frozen=True, slots=True)
class TimelineCell:
    """What one mapping made of the event."""

    mapping: str
    kind: Kind
    word: str
    detail: str
    reason: str
    target: str  # whose timeline
    path: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event."""

    name: str
    whose: str  # empty: of the object that the page is of
    at: str
    timelines: Sequence[TimelineCell]


def event_rows(told: Explanation, path: Callable[[Named], str]) -> Iterator[EventRow]:
    """Newest first."""
    for one in told.events.happened:
        doer = Named("userflow", one.object_type, one.object_id)
        whose = "" if doer == told.named else objects.title(doer)
        at = clock(one.occurred_at_ms, told.at_ms)
        yield EventRow(one.name, whose, at, [_cell(on, path) for on in one.timelines])


def _cell(on: OnTimeline, path: Callable[[Named], str]) -> TimelineCell:
    kind, word = WORDS[on.word]
    said = EVENT_WORDS[on.word].replace("`", "")
    detail = "" if on.word in PLAIN else meaning(on.reason) if on.reason else f"{said[:1].upper()}{said[1:]}."
    target = Named("hubspot", on.object_type, on.object_id) if on.object_id is not None else None
    return TimelineCell(
        on.mapping,
        kind,
        "Not known" if on.reason == UNSURE else word,
        detail,
        on.reason or "",
        objects.title(target) if target is not None else "",
        path(target) if target is not None else "",
    )
