"""Records that wait for their worker keep their order, and are late after a while."""

from typing import Any

from connectors.kafka.consumer import Taken
from connectors.runtime.waiting import LATE_S, WaitingRecords
from tests.unit.connectors.fake_clock import FakeClock


def taken(offset: int) -> Taken:
    return Taken("hubspot.notifications", 0, offset, "acme", b"", lambda: None)


def handed(waiting: WaitingRecords, integration: str, keep: tuple[Any, ...] = ()) -> list[Any]:
    """What is handed over of an integration, all but `keep`."""
    over: list[Any] = []

    def hand(_: Taken, record: Any) -> bool:
        if record not in keep:
            over.append(record)
        return record not in keep

    waiting.release(integration, hand)
    return over


def test_records_are_handed_over_in_order_and_those_of_a_former_worker_first() -> None:
    waiting = WaitingRecords(FakeClock().monotonic)
    for number in (3, 4):
        waiting.add("acme", taken(number), number)
    waiting.add_first("acme", [(taken(1), 1), (taken(2), 2)])
    assert handed(waiting, "acme", keep=(2,)) == [1, 3, 4]
    assert "acme" in waiting
    assert handed(waiting, "acme") == [2]
    assert "acme" not in waiting


def test_an_integration_is_late_once_and_says_when() -> None:
    clock = FakeClock()
    waiting = WaitingRecords(clock.monotonic)
    assert waiting.next_late_in_s() is None
    waiting.add("acme", taken(1), 1)
    clock.now += 1
    waiting.add("acme", taken(2), 2)
    waiting.add("beta", taken(3), 3)
    assert (waiting.late("acme"), waiting.next_late_in_s()) == (False, LATE_S - 1)
    clock.now += LATE_S - 1
    assert (waiting.late("acme"), waiting.late("beta"), waiting.next_late_in_s()) == (True, False, 1.0)
    assert handed(waiting, "acme", keep=(1,)) == [2]
    assert waiting.late("acme"), "what stays is as late as it was"
    clock.now += 1
    assert waiting.next_late_in_s() is None, "nothing is looked for by time once all are late"


def test_records_of_a_partition_that_went_are_forgotten() -> None:
    waiting = WaitingRecords(FakeClock().monotonic)
    waiting.add("acme", taken(1), 1)
    waiting.forget("acme")
    assert (handed(waiting, "acme"), waiting.integrations) == ([], [])
