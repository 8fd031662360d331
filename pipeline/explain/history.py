"""What happened to an object and its partner, from the records that are retained: which change led to what. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipeline.explain.answer import Happening, OutcomeWord
from pipeline.explain.retained import Retained
from schemas.records import Cause, ChangeEvent, Receipt
from schemas.values import System

Seen = Retained[ChangeEvent | Receipt]
"""A record about the object, its partner or their pair."""

WEIGHT: Final[tuple[OutcomeWord, ...]] = (
    "refused",
    "parked",
    "written",
    "gone",
    "superseded",
    "missed",
    "equal",
    "nothing",
    "unknown",
)
"""What a change led to is told by the first of these that anything of it led to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one answer tells of a write."""

    system: System
    word: OutcomeWord
    at_ms: int
    reason: str | None = None


class Answers:
    """The answers among the records, by the first cause of the write."""

    def __init__(self, seen: Iterable[Seen]) -> None:
        self._by_cause: dict[Cause, list[Answer]] = {}
        for one in seen:
            for cause, answer in _answers(one):
                self._by_cause.setdefault(cause, []).append(answer)

    def of(self, cause: Cause | None) -> Sequence[Answer]:
        return () if cause is None else self._by_cause.get(cause, ())

    def took_ms(self, cause: Cause, system: System) -> int | None:
        """From the first cause of a write to that system to its answer."""
        ends = [one.at_ms for one in self.of(cause) if one.word == "written" and one.system == system]
        return max(min(ends) - cause.at_ms, 0) if ends else None


def _answers(seen: Seen) -> Iterable[tuple[Cause, Answer]]:
    record = seen.record
    if isinstance(record, Receipt):
        if record.caused_by is not None:
            yield record.caused_by, Answer(record.system, record.kind, seen.at_ms, record.reason)
        return
    if record.origin != "receipt":
        return
    word: OutcomeWord = "gone" if record.operation == "deleted" else ("equal" if record.equal else "written")
    for cause in {*record.causes.values(), *((record.caused_by,) if record.caused_by is not None else ())}:
        yield cause, Answer(record.system, word, seen.at_ms)


def happenings(seen: Sequence[Seen], *, complete: bool) -> list[Happening]:
    """Newest first. A change whose answers are in sight tells what it led to; answers to nothing in sight stand alone.

    `complete`: every record behind the oldest of these is among them, so that a change without an answer led to none.
    """
    answers = Answers(seen)
    told = {one.record.caused_by for one in seen if _is_news(one)}
    found = [_of_change(one, answers, complete) for one in seen if _is_news(one)]
    found += [_alone(one) for one in seen if not _is_news(one) and one.record.caused_by not in told]
    return sorted(found, key=lambda one: (one.at_ms, one.place), reverse=True)


def _is_news(seen: Seen) -> bool:
    return isinstance(seen.record, ChangeEvent) and seen.record.origin != "receipt"


def _of_change(seen: Seen, answers: Answers, complete: bool) -> Happening:
    found = sorted(answers.of(seen.record.caused_by), key=lambda one: WEIGHT.index(one.word))
    told = _told(seen)
    if not found:
        return replace(told, outcome="nothing" if complete else "unknown")
    return replace(told, outcome=found[0].word, reason=found[0].reason)


def _alone(seen: Seen) -> Happening:
    """An answer whose change is not in sight: that of a full sync, say."""
    words = [answer for _, answer in _answers(seen)]
    if not words:
        return _told(seen)
    return replace(_told(seen), outcome=words[0].word, reason=words[0].reason)


def _told(seen: Seen) -> Happening:
    record = seen.record
    change = record if isinstance(record, ChangeEvent) else None
    return Happening(
        at_ms=seen.at_ms,
        system=record.system,
        origin="receipt" if change is None else change.origin,
        operation="upserted" if change is None else change.operation,
        fields=tuple(sorted(record.fields)),
        place=seen.place,
        outcome="unknown",
        run_id=record.run_id,
        cause=record.caused_by,
    )


def parked_ms(seen: Iterable[Seen], system: System) -> int | None:
    """When something for that system was parked first, since it last answered a write."""
    found: int | None = None
    for one in sorted(seen, key=lambda each: (each.at_ms, each.place)):
        record = one.record
        if record.system != system:
            continue
        if isinstance(record, Receipt):
            found = one.at_ms if record.kind == "parked" and found is None else found
        elif record.origin == "receipt":
            found = None
    return found


def refused_ms(seen: Iterable[Seen]) -> Mapping[str, int]:
    """`<system>.<field>` -> when a refusal of it was told first, of those in a row since the last other answer."""
    found: dict[str, int] = {}
    for one in sorted(seen, key=lambda each: (each.at_ms, each.place)):
        record = one.record
        names = [f"{record.system}.{name}" for name in record.fields]
        if isinstance(record, Receipt) and record.kind == "refused":
            for name in names:
                found.setdefault(name, one.at_ms)
        elif isinstance(record, ChangeEvent) and record.origin == "receipt":
            for name in names:
                found.pop(name, None)
    return found


def observation(seen: Iterable[Seen], system: System, at_ms: int, name: str) -> ChangeEvent | None:
    """The retained change that showed this field at that time of the system's clock."""
    for one in seen:
        record = one.record
        if not isinstance(record, ChangeEvent) or record.system != system or name not in record.fields:
            continue
        if record.fields[name].at_ms == at_ms:
            return record
    return None
