"""The way of the change that was written last, hop by hop, from the records that are retained of it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.explain.answer import Hop, Trace
from pipeline.explain.history import Seen
from pipeline.explain.retained import Place, Retained
from schemas.records import Cause, ChangeEvent, FieldPatch, MatchedChange
from schemas.spent import split

Between = Retained[MatchedChange | FieldPatch]
"""A record of the agents between a change and its write."""
LONGEST_EDIT_MS = 10 * 60 * 1000
"""An edit that is told of later was on no way of ours meanwhile."""


@dataclass(frozen=True, slots=True)
class LastWrite:
    """A live change and the answer to its write, both in sight."""

    news: Seen
    answer: Seen
    cause: Cause  # with what was spent on the way

    @property
    def change(self) -> ChangeEvent:
        assert isinstance(self.news.record, ChangeEvent)
        return self.news.record

    @property
    def written(self) -> ChangeEvent:
        assert isinstance(self.answer.record, ChangeEvent)
        return self.answer.record


def last_written(seen: Iterable[Seen]) -> LastWrite | None:
    """The newest write of a live change that is in sight itself; None where there is none."""
    retained = list(seen)
    news: dict[Cause, Seen] = {}
    for one in sorted(retained, key=lambda each: (each.at_ms, each.place)):
        record = one.record
        if isinstance(record, ChangeEvent) and record.origin != "receipt" and record.caused_by is not None:
            news.setdefault(record.caused_by, one)
    found = [
        LastWrite(news[cause], one, cause)
        for one in retained
        for cause in _written_for(one)
        if cause in news and news[cause].at_ms <= one.at_ms
    ]
    return max(found, key=lambda write: (write.answer.at_ms, write.cause.at_ms), default=None)


def _written_for(seen: Seen) -> Iterable[Cause]:
    """The changes to whose write the record is the answer."""
    record = seen.record
    if not isinstance(record, ChangeEvent) or record.origin != "receipt" or record.equal or record.bulk:
        return ()
    if record.operation != "upserted" or record.run_id is not None:
        return ()
    first = (record.caused_by,) if record.caused_by is not None else ()
    return (*first, *record.causes.values())


def trace(write: LastWrite, between: Sequence[Between] = ()) -> Trace:
    """Its hops in their order; those of which nothing is retained are left out."""
    change, answer, cause = write.change, write.written, write.cause
    hops = [Hop("received", cause.at_ms, _record(cause)), Hop("read", write.news.at_ms, write.news.place)]
    edited_ms = _edited_ms(change, cause)
    if edited_ms is not None:
        hops.insert(0, Hop("edited", edited_ms, None))
    for one in _first_of_each(between, cause):
        hops.append(Hop("matched" if isinstance(one.record, MatchedChange) else "derived", one.at_ms, one.place))
    hops.append(Hop("written", write.answer.at_ms, write.answer.place))
    took_ms = max(write.answer.at_ms - cause.at_ms, 0)
    return Trace(
        change.system,
        answer.system,
        tuple(sorted(change.fields)),
        tuple(sorted(name for name in answer.sent or answer.fields if answer.causes.get(name, cause) == cause)),
        tuple(hops),
        took_ms,
        split(took_ms, cause),
    )


def _record(cause: Cause) -> Place | None:
    return (cause.topic, cause.partition, cause.offset) if cause.offset >= 0 else None


def _edited_ms(change: ChangeEvent, cause: Cause) -> int | None:
    """By the clock of the system: known where a webhook told the instant, not where the value was read later."""
    exact = [value.at_ms for value in change.fields.values() if not value.spread_ms and not value.ours]
    edited_ms = max(exact, default=None)
    if edited_ms is None or not 0 <= cause.at_ms - edited_ms <= LONGEST_EDIT_MS:
        return None
    return edited_ms


def _first_of_each(between: Sequence[Between], cause: Cause) -> Iterable[Between]:
    """The first record of each kind that follows from the change, in the order of the road."""
    ordered = sorted(between, key=lambda one: (one.at_ms, one.place))
    for kind in (MatchedChange, FieldPatch):
        found = next((one for one in ordered if isinstance(one.record, kind) and one.record.caused_by == cause), None)
        if found is not None:
            yield found
