"""What we wrote last to each field of an object, and which change led to it: kept beside the field, told by `explain`.

Only answers tell: what a write left is known once its target said so. An equal value, for which nothing was sent, ends
what an earlier write of another value left.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.core.candidates import side, with_side
from pipeline.core.conversion import equal
from schemas.records import Cause, FieldAnswer, MatchedChange, StampedValue
from schemas.replacing import replace
from schemas.state import Candidate, PairState, Written

NOBODY: Final = Candidate(0, 0, {})


def with_writes(before: PairState, after: PairState, change: MatchedChange) -> PairState:
    """The row after an answer: its fields that hold what our write left know that write."""
    seen = side(after, change.system).get(change.object_id)
    if not change.answered or seen is None:
        return after
    was = side(before, change.system).get(change.object_id, NOBODY)
    held = {name: one for name, one in change.answered.items() if _holds(seen.fields.get(name), one)}
    news = {name for name, one in held.items() if not (one.equal and _holds(was.fields.get(name), one))}
    ended = {name for name in news if not _later(seen.written, name, held[name])}
    written = (*_without(seen.written, ended), *_writes(change, {name: held[name] for name in ended}))
    if written == seen.written:
        return after
    candidates = {**side(after, change.system), change.object_id: replace(seen, written=written)}
    return with_side(after, change.system, candidates)


def last_write(candidate: Candidate, name: str) -> Written | None:
    """Our last write of a field, where the field still holds what it left."""
    known = candidate.fields.get(name)
    if known is None or not known.ours:
        return None
    return next((one for one in candidate.written if name in one.fields), None)


def _holds(known: StampedValue | None, answer: FieldAnswer) -> bool:
    return known is not None and known.ours and equal(known.value, answer.stored)


def _later(written: Iterable[Written], name: str, answer: FieldAnswer) -> bool:
    """Whether the row knows a later write of the field: a replayed answer is no news."""
    return any(name in one.fields and one.at_ms > answer.at_ms + answer.spread_ms for one in written)


def _without(written: Iterable[Written], names: Iterable[str]) -> tuple[Written, ...]:
    gone = frozenset(names)
    left = ((one, tuple(name for name in one.fields if name not in gone)) for one in written)
    return tuple(one if fields == one.fields else replace(one, fields=fields) for one, fields in left if fields)


def _writes(change: MatchedChange, answers: Mapping[str, FieldAnswer]) -> tuple[Written, ...]:
    """One for each cause among what was really written."""
    groups: dict[tuple[int, int, Cause | None], list[str]] = {}
    for name, answer in sorted(answers.items()):
        if not answer.equal:
            cause = answer.caused_by or change.caused_by
            groups.setdefault((answer.at_ms, answer.spread_ms, cause), []).append(name)
    return tuple(
        Written(tuple(names), at_ms, spread_ms, change.run_id, cause)
        for (at_ms, spread_ms, cause), names in groups.items()
    )
