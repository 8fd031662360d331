"""Once in every interval, for each integration at its own time, whoever asks however often."""

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.full_sync.rows import Run
from pipeline.full_sync.schedule import due, slot_ms
from schemas.runs import FullSyncRun, RunProgress

DAY_S = 86_400
DAY_MS = DAY_S * 1000
NOW = 1_800_000_000_000


def asked(runs: Iterable[Run], now_ms: int, applied_at_ms: int = 0, name: str = "acme") -> RunProgress | None:
    return due(name, runs, applied_at_ms=applied_at_ms, interval_s=DAY_S, now_ms=now_ms)


def test_integrations_have_times_of_their_own() -> None:
    assert len({slot_ms(f"integration-{number}", DAY_S, NOW) for number in range(50)}) > 45


@given(st.lists(st.integers(1, 3 * DAY_MS), min_size=1, max_size=60))
def test_however_often_it_is_asked_there_is_one_run_in_each_interval(pauses: list[int]) -> None:
    now_ms, runs, slots = NOW, list[Run](), set[int]()
    for pause in pauses:
        now_ms += pause
        request = asked(runs, now_ms)
        slot = slot_ms("acme", DAY_S, now_ms)
        assert (request is None) == (slot in slots)
        if request is not None:
            slots.add(slot)
            runs.append(Run(request))
    assert [run.run_id for run in runs] == sorted(run.run_id for run in runs)


def test_two_that_take_each_other_for_dead_ask_for_one_run() -> None:
    first, second = asked((), NOW), asked((), NOW + 5_000)
    assert first is not None and second is not None
    assert first.run_id == second.run_id


def test_an_apply_starts_none_but_the_next_interval_does() -> None:
    assert asked((), NOW, applied_at_ms=NOW - 1) is None
    assert asked((), NOW + DAY_MS, applied_at_ms=NOW - 1) is not None


def test_a_run_by_hand_is_no_reason_to_leave_one_out() -> None:
    request = asked((), NOW)
    assert request is not None
    by_hand = Run(replace(request, run_id=f"{NOW - 1:013d}-aaaa", full_sync=replace_by(request, "person")))
    later = asked([by_hand], NOW)
    assert later is not None and later.run_id > by_hand.run_id


def replace_by(request: RunProgress, by: str) -> FullSyncRun:
    assert request.full_sync is not None
    return replace(request.full_sync, requested_by=by)


def test_an_interval_of_zero_means_none() -> None:
    assert due("acme", (), applied_at_ms=0, interval_s=0, now_ms=NOW) is None
