"""How a dead letter stands by now: refused still, mended, on its way, redriven, discarded. Pure.

A letter of a field is judged by the pair's row: its id is the hash of the value, so the row tells exactly whether this
value is remembered as refused. A letter of a record is judged by its mark, and by how often its record had been
published again when it was written last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.core.candidates import paired, side
from pipeline.core.derive import Paired, derive, misfit
from pipeline.core.mapping import MappingView
from pipeline.operations.letters import Letter
from schemas.letters import letter_id
from schemas.operating import LetterMark
from schemas.state import PairState, RefusedValue
from schemas.values import System

StandingWord = Literal["open", "refused", "on_its_way", "mended", "redriven", "discarded", "replaced", "gone"]

STANDINGS: Final[Mapping[StandingWord, str]] = {
    "open": "nobody did anything about it yet, or its record failed again",
    "refused": "the pair's row remembers the value as refused",
    "on_its_way": "the value is tried once more, and is not written yet",
    "mended": "the field holds what its owner holds",
    "redriven": "its record was published again, and did not fail since",
    "discarded": "somebody put it away",
    "replaced": "the owner holds another value by now",
    "gone": "the pair, or its mapping, is no more",
}
OPEN: Final[frozenset[StandingWord]] = frozenset({"open", "refused"})
"""Somebody has to act."""


@dataclass(frozen=True, slots=True)
class PairNow:
    """A pair's row and its mapping as they are now; None where there is none."""

    state: PairState | None
    view: MappingView | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a letter stands, since when where that is known, and the object that is concerned."""

    word: StandingWord
    at_ms: int | None = None
    object: str = "-"
    lasts: bool = False  # refused, and by what the mappings in force tell it would be once more

    @property
    def open(self) -> bool:
        return self.word in OPEN


NO_PAIR: Final = PairNow(None, None)


def standing(letter: Letter, mark: LetterMark | None, now: PairNow = NO_PAIR) -> Standing:
    """How the letter stands."""
    if letter.of_field:
        return _of_field(letter, mark, now)
    told = letter.about.object
    if mark is None or mark.state == "open":
        return Standing("open", None, told)
    if mark.state == "discarded":
        return Standing("discarded", mark.at_ms, told)
    if letter.letter.redrives >= mark.redrives:  # its record came back
        return Standing("open", letter.letter.at_ms, told)
    return Standing("redriven", mark.at_ms, told)


def _of_field(letter: Letter, mark: LetterMark | None, now: PairNow) -> Standing:
    system, _, field = (letter.letter.field or "").partition(".")
    written: System = "hubspot" if system == "hubspot" else "userflow"
    state, view = now.state, now.view
    pair = paired(state, view) if state is not None and view is not None else None
    if mark is not None and mark.state == "discarded":
        return Standing("discarded", mark.at_ms, _object(written, view, pair))
    if state is None or view is None or not isinstance(pair, Paired):
        return Standing("gone", None, letter.about.object)
    told = _object(written, view, pair)
    if _remembered(letter, now, state):
        return Standing("refused", None, told, misfit(pair, view, written, field) is not None)
    if field not in {rule.target for rule, _ in view.rules_for[written]}:
        return Standing("gone", None, told)
    if f"{written}.{field}" in {*state.refused, *state.contested}:
        return Standing("replaced", None, told)
    if field in derive(state, pair, view).patches.get(written, {}):
        return Standing("on_its_way", mark.at_ms if mark is not None else None, told)
    known = side(state, written)[pair.ids[written]].fields.get(field)
    return Standing("mended", known.at_ms if known is not None else None, told)


def refused_value(letter: Letter, now: PairNow) -> RefusedValue | None:
    """The value that the letter is about; None where the pair's row does not remember it.

    An id is made of the pair, field, value and reason, so it is never another value's.
    """
    name = letter.letter.field or ""
    refused = now.state.refused.get(name) if now.state is not None else None
    if refused is None or letter_id(letter.letter.key, name, refused.value, refused.reason) != letter.id:
        return None
    return refused


def _remembered(letter: Letter, now: PairNow, state: PairState) -> bool:
    """Whether the row holds exactly what the letter is about."""
    if letter.letter.reason == "contested":
        return (letter.letter.field or "") in state.contested
    return refused_value(letter, now) is not None


def _object(system: System, view: MappingView | None, pair: object) -> str:
    if view is None or not isinstance(pair, Paired):
        return "-"
    return f"{system} {view.object_type(system)} {pair.ids[system]}"
