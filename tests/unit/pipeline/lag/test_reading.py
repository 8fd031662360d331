"""What is made of the records between a position and the end, as they are read."""

from typing import Any

import pytest

from connectors.kafka.spans import Found
from pipeline.lag import reading as module
from pipeline.lag.facts import Share, Waiting
from pipeline.lag.reading import _Part, _Reading, taken_by
from schemas.codec import Codec, MalformedRecord
from schemas.records import Cause, FieldPatch
from schemas.registry import LocalRegistry
from schemas.vitals import PlaceVitals, Vitals

PLACE = ("userflow.field-patches", 0)
CODEC = Codec(LocalRegistry())
CAUSE = Cause("hubspot.notifications", 0, 7, 1_000)


def found(offset: int, at_ms: int | None = 1_000, *, run_id: str | None = None, integration: str = "acme") -> Found:
    """One patch as the brokers hold it; they took it at 5,000."""
    cause = None if at_ms is None else Cause("hubspot.notifications", 0, 7, at_ms)
    patch = FieldPatch(
        integration, 1, 1, "contacts-users", "a@b.c", "userflow", "users", "u1", {}, run_id=run_id, caused_by=cause
    )
    return Found(PLACE, offset, 5_000, CODEC.encode(PLACE[0], patch))


def read(reading: _Reading, *records: Found) -> _Reading:
    for one in records:
        assert reading.take(CODEC, one) is not reading.cut
    return reading


def test_records_are_counted_from_the_position_on_and_markers_are_what_is_left() -> None:
    part = _Part(10, None)
    reading = read(_Reading([part], 8, 16), found(8), found(10, 3_000), found(12, 2_000))
    unread = part.unread(reading)
    assert (unread.records, unread.arrived, unread.exact, unread.head_ms) == (2, 3, True, 5_000)
    assert [one.offset for one in unread.waiting] == [12]
    assert unread.shares == {"acme": Share(2, 2_000, 2_000)}
    assert unread.mappings == {("acme", "contacts-users"): 2}


def test_each_stage_has_its_own_position_in_a_topic_that_two_take() -> None:
    ahead, behind = _Part(12, None), _Part(10, None)
    reading = read(_Reading([ahead, behind], 20, 14), found(10), found(11), found(12))
    assert [part.unread(reading).records for part in (ahead, behind)] == [1, 3]


def test_bulk_is_told_apart_and_its_run_is_named() -> None:
    part = _Part(0, None)
    reading = read(_Reading([part], 0, 3), found(0, 500, run_id="run-1"), found(1, 900), found(2, 800, run_id="run-1"))
    unread = part.unread(reading)
    assert [(one.offset, one.bulk) for one in unread.waiting] == [(0, True), (1, False)]
    assert unread.runs == {"run-1": 2}
    assert unread.shares == {"acme": Share(3, 500, 900)}


def test_what_was_taken_may_have_ended_out_of_order_but_for_the_first() -> None:
    """Offsets below `taken` are in memory or ended: vital signs tell which. The first is what holds the group back."""
    part = _Part(0, 3)
    reading = read(_Reading([part], 0, 4), found(0, 700), found(1, 100), found(2, 200), found(3, 600))
    assert part.unread(reading).waiting == (Waiting(3, 600, False, Cause("hubspot.notifications", 0, 7, 600)),)


def test_a_record_without_a_cause_waits_since_the_brokers_have_it() -> None:
    part = _Part(0, None)
    reading = read(_Reading([part], 0, 1), found(0, None))
    assert part.unread(reading).waiting == (Waiting(0, 5_000, False, None),)


def test_bytes_that_are_no_record_wait_too() -> None:
    part = _Part(0, None)
    reading = read(_Reading([part], 0, 1), Found(PLACE, 0, 5_000, b"?"))
    unread = part.unread(reading)
    assert (unread.records, unread.waiting[0].at_ms) == (1, 5_000)
    with pytest.raises(MalformedRecord):
        CODEC.decode(PLACE[0], b"?")


def test_a_very_long_queue_is_estimated_by_what_was_read_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_READ", 10)
    part = _Part(0, None)
    reading = _Reading([part], 900, 1_000)
    for offset in range(0, 20, 2):  # every other offset is a marker
        reading.take(CODEC, found(offset))
    assert reading.cut
    unread = part.unread(reading)
    assert not unread.exact
    assert unread.records == pytest.approx(500, rel=0.1)
    assert unread.arrived == pytest.approx(50, rel=0.1)


def figures(process: str, role: str, at_ms: int, next_offset: int) -> Vitals:
    place: Any = PlaceVitals("userflow sink", *PLACE, next_offset, 0, 0)
    return Vitals(process, role, at_ms, 0, 5_000, "0.1.0", 0, 0, (place,))


def test_only_fresh_figures_of_connectors_tell_what_was_taken() -> None:
    fresh, older = figures("userflow-0", "userflow", 100_000, 7), figures("userflow-0", "userflow", 95_000, 5)
    stale, worker = figures("userflow-1", "userflow", 50_000, 9), figures("worker-0", "worker", 100_000, 9)
    assert taken_by([stale, older, fresh, worker], 101_000) == {("userflow sink", *PLACE): 7}
