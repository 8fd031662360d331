"""Reads that are asked for: coalesced per object, repeated while they lag behind their notification."""

import time
from collections.abc import Mapping
from dataclasses import replace

from connectors.contract.source import Gone, News, Seen
from connectors.http.meter import Meter
from connectors.inbound.read_queue import REPEATS_S, Pending, ReadQueue, ReadReason
from schemas.records import StampedValue


def news(object_id: str, at_ms: int, fields: Mapping[str, str | None] | None = None) -> News:
    stamped = {name: StampedValue(value, at_ms) for name, value in (fields or {}).items()}
    return News("contacts", object_id, "upserted", stamped, at_ms, 0, complete=False)


def ask(object_id: str, told: News | None = None, *, bulk: bool = False, object_type: str = "contacts") -> ReadReason:
    return ReadReason(object_type, object_id, told, "webhook" if told else "lookup", None, bulk, None, lambda: None)


def seen(object_id: str, at_ms: int, **fields: str | None) -> Seen:
    return Seen(object_id, {name: StampedValue(value, at_ms) for name, value in fields.items()}, at_ms, 0)


def empty() -> ReadQueue:
    return ReadQueue(Meter(time.monotonic))


def pending(*asks: ReadReason) -> Pending:
    queue = empty()
    for one in asks:
        queue.add(one, 0.0)
    [found] = queue.take(1, 1.0)
    return found


def test_two_notifications_of_one_object_are_one_read() -> None:
    queue = empty()
    queue.add(ask("1", news("1", 10, {"a": "x"})), 0.0)
    queue.add(ask("1", news("1", 20, {"b": "y"})), 0.0)
    [found] = queue.take(10, 1.0)
    assert found.floor_ms == 20
    assert {name: value.value for name, value in found.notified.items()} == {"a": "x", "b": "y"}
    assert queue.take(10, 1.0) == []


def test_the_newest_notified_value_counts_whatever_order_they_come_in() -> None:
    found = pending(ask("1", news("1", 20, {"a": "new"})), ask("1", news("1", 10, {"a": "old"})))
    assert found.notified["a"].value == "new"


def test_live_reads_go_first_and_a_batch_has_one_type() -> None:
    queue = empty()
    queue.add(ask("1", bulk=True), 0.0)
    queue.add(ask("9", object_type="companies"), 0.0)
    queue.add(ask("2", bulk=True), 0.0)
    assert [one.object_id for one in queue.take(10, 1.0)] == ["9"]
    assert [one.object_id for one in queue.take(10, 1.0)] == ["1", "2"]


def test_bulk_is_left_where_it_may_not_go_and_a_live_asker_takes_it_along() -> None:
    queue = empty()
    queue.add(ask("1", bulk=True), 0.0)
    queue.add(ask("2", bulk=True), 0.0)
    assert queue.take(10, 1.0, bulk=False) == []
    assert (queue.next_due(bulk=False), queue.next_due(), len(queue)) == (None, 0.0, 2)
    queue.add(ask("2"), 0.0)
    [found] = queue.take(10, 1.0, bulk=False)
    assert (found.object_id, len(found.asks), len(queue)) == ("2", 2, 1)


def test_a_bulk_read_put_back_joins_what_was_asked_live_meanwhile() -> None:
    queue = empty()
    waiting = pending(ask("1", bulk=True))
    queue.add(ask("1"), 0.0)
    queue.put_back(waiting, 5.0)
    assert len(queue) == 1
    [found] = queue.take(10, 1.0, bulk=False)
    assert len(found.asks) == 2


def test_a_delayed_read_is_not_due_before_its_time_but_a_notification_makes_it_due() -> None:
    queue = empty()
    queue.add(ask("1"), 5.0)
    assert queue.take(10, 4.9) == []
    queue.add(ask("1", news("1", 10)), 0.0)
    assert [one.object_id for one in queue.take(10, 4.9)] == ["1"]


def test_a_read_older_than_its_notification_lags_unless_it_shows_the_notified_value() -> None:
    told = pending(ask("1", news("1", 100, {"a": "new"})))
    assert told.lags(seen("1", 50, a="old"))
    assert not told.lags(seen("1", 50, a="new"))
    assert not told.lags(seen("1", 100, a="anything"))


def test_a_notification_of_a_missing_object_is_doubted_but_a_merge_is_not() -> None:
    told = pending(ask("1", news("1", 100)))
    assert told.lags(Gone("1", 200, 0))
    assert not told.lags(Gone("1", 200, 0, merged_into="2"))
    assert not pending(ask("1")).lags(Gone("1", 200, 0))


def test_a_deletion_that_was_notified_explains_a_missing_object_unless_news_are_newer() -> None:
    told = pending(ask("1", news("1", 100)))
    assert not told.lags(Gone("1", 200, 0), deleted_ms=100)
    assert told.lags(Gone("1", 200, 0), deleted_ms=99)


def test_a_deletion_at_no_time_is_borne_out_by_a_missing_object_unless_other_news_have_a_time() -> None:
    gone = ask("1", replace(news("1", 0), of_deletion=True))
    assert not pending(gone).lags(Gone("1", 200, 0))
    assert not pending(ask("1", news("1", 0)), gone).lags(Gone("1", 200, 0))
    assert pending(gone, ask("1", news("1", 100))).lags(Gone("1", 200, 0))


def test_a_read_that_waits_out_a_lag_is_due_once_the_deletion_is_notified() -> None:
    queue = empty()
    queue.add(ask("1", news("1", 100)), 0.0)
    [found] = queue.take(1, 1.0)
    found.repeats = 3
    queue.put_back(found, 1_000.0)
    queue.note_deletion("contacts", "1", 150)
    [again] = queue.take(1, 1.0)
    assert queue.deleted_ms(again) == 150


def test_repeats_end() -> None:
    told = pending(ask("1", news("1", 100)))
    waits = []
    while (wait_s := told.repeat_after_s()) is not None:
        waits.append(wait_s)
        told.repeats += 1
    assert tuple(waits) == REPEATS_S
