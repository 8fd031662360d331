"""A run reads everything before it writes anything, goes on after every crash, and ends with exact figures."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.full_sync.decide import GIVE_UP_MS
from pipeline.full_sync.endings import done_instead, successor_id
from pipeline.full_sync.rows import Run
from schemas.configuration import ConnectorState
from schemas.runs import FullSyncRun
from tests.examples import share
from tests.unit.pipeline.full_sync.simulated import COUNTED, PEOPLE, RUN, SETTINGS, Acting, crashing, requested


def test_it_reads_then_counts_then_writes_then_confirms() -> None:
    acting = Acting(mappings={"people": PEOPLE})
    row = acting.ended()
    assert (row.state, row.reason) == ("completed", None)
    kept = [one for one in acting.log if one.partition(" ")[0] not in ("whole", "totals", "crawled", "swept")]
    assert list(dict.fromkeys(kept)) == [
        "count userflow.users",
        "count hubspot.contacts",
        "crawl",
        "crawl userflow.users",
        "crawl hubspot.contacts",
        "sweep",
        "sweep userflow.users",
        "sweep hubspot.contacts",
        "count",
        "count people",
        "write",
        "write people",
        "written",
        "confirm",
        "confirm people",
    ]
    assert row.counts["pairs"] == 2 * COUNTED["pairs"]
    assert row.counts["pairs"] == row.counts["written"] + row.counts["equal"] + row.counts["refused"]
    assert row.counts["read.hubspot.contacts"] == 1_000
    assert row.full_sync is not None and row.full_sync.finished_at_ms > 0


@pytest.mark.parametrize(
    ("counted", "writes"),
    [
        ({"pairs": 10, "equal": 9, "ambiguous": 1, "touched": 0}, False),
        ({"pairs": 10, "equal": 10}, True),  # a worker of before tells it not
        ({"pairs": 10, "equal": 10, "touched": 1}, True),
        ({"pairs": 10, "equal": 9, "refused": 1, "refused.invalid_option": 1, "touched": 0}, True),
        ({"pairs": 10, "equal": 9, "written": 1, "written.hubspot": 1, "touched": 0}, True),
        ({"unmatched.hubspot": 10}, False),
    ],
)
def test_where_all_is_in_step_nobody_looks_at_the_pairs_again(counted: dict[str, int], writes: bool) -> None:
    acting = Acting(mappings={"people": PEOPLE}, counted=counted)
    row = acting.ended()
    assert row.state == "completed"
    assert ("write people" in acting.log, "confirm people" in acting.log) == (writes, writes)
    assert row.counts.get("pairs", 0) == 2 * counted.get("pairs", 0)
    assert row.full_sync is not None and row.full_sync.finished_at_ms > 0


def test_what_failed_is_told_though_all_else_is_in_step() -> None:
    in_step = {"pairs": 10, "equal": 10, "touched": 0}
    failing = {"userflow.companies": "invalid_request"}
    acting = Acting(counted=in_step, failing=failing)
    row = acting.ended()
    assert (row.state, row.reason) == ("failed", "firms: userflow.companies: invalid_request")
    assert "write people" not in acting.log


def test_a_smaller_userflow_side_is_listed_and_hubspot_is_asked() -> None:
    acting = Acting(mappings={"people": PEOPLE}, sizes={"userflow.users": 500, "hubspot.contacts": 5_000})
    row = acting.ended()
    assert "crawl hubspot.contacts" not in acting.log
    assert acting.log.index("ask people") < acting.log.index("count people")
    assert row.full_sync is not None and row.full_sync.strategies == {"people": "lookup_hubspot"}


def test_a_hubspot_side_that_is_smaller_by_far_is_listed_and_userflow_is_asked() -> None:
    acting = Acting(mappings={"people": PEOPLE}, sizes={"hubspot.contacts": 40})
    row = acting.ended()
    assert "crawl userflow.users" not in acting.log and "crawl hubspot.contacts" in acting.log
    assert row.full_sync is not None and row.full_sync.strategies == {"people": "lookup_userflow"}


def test_where_both_sides_fit_a_page_both_are_listed() -> None:
    acting = Acting(mappings={"people": PEOPLE}, sizes={"hubspot.contacts": 40, "userflow.users": 60})
    row = acting.ended()
    assert row.full_sync is not None and row.full_sync.strategies == {"people": "lists"}
    assert row.counts["expected.userflow.users"] == 60


def test_a_total_that_lags_is_believed_no_longer_than_until_the_list_was_read() -> None:
    sizes = {"hubspot.contacts": 3_000, "userflow.users": 3_000}
    acting = Acting(mappings={"people": PEOPLE}, sizes=sizes, told={"hubspot.contacts": 2})
    row = acting.ended()
    assert "crawl userflow.users" in acting.log, "three thousand users are not read one by one"
    assert row.full_sync is not None and row.full_sync.strategies == {"people": "lists"}


def test_read_whole_is_told_only_after_the_road_was_empty() -> None:
    acting = Acting(mappings={"people": PEOPLE}, emitting=3)
    acting.ended()
    assert acting.log.index("crawled") < acting.log.index("whole userflow.users") < acting.log.index("count people")
    assert acting.whole["userflow.users"] == ("people@1",)


def test_while_something_of_the_run_is_on_the_road_nothing_is_counted() -> None:
    acting = Acting(mappings={"people": PEOPLE}, emitting=10**9)
    for _ in range(100):
        acting.move()
    assert acting.log[-1] == "crawled" and "count people" not in acting.log


def test_what_is_open_is_confirmed_again_until_nothing_is() -> None:
    acting = Acting(open_for=2)
    row = acting.ended()
    assert row.state == "completed"
    assert row.attempt == 3
    assert "open" not in row.counts


def test_without_progress_it_fails_with_the_number_left() -> None:
    acting = Acting(mappings={"people": PEOPLE}, open_for=10**9)
    row = acting.ended(within=GIVE_UP_MS // 1_000 * 2)
    assert row.state == "failed"
    assert row.reason == "2 pairs still not in step after 10 minutes of trying"


def test_an_outage_of_an_hour_holds_it_up_and_does_not_end_it() -> None:
    acting = Acting(mappings={"people": PEOPLE}, open_for=1)
    acting.until(lambda row: row.full_sync is not None and row.full_sync.step == "open")
    acting.connectors["userflow"] = ConnectorState(1, 1, 1, "unavailable", reason="http_503")
    for _ in range(60):
        acting.now_ms += 60_000
        acting.move()
    assert acting.row.state == "running"
    assert acting.row.reason == "userflow is unavailable: http_503"
    acting.connectors["userflow"] = ConnectorState(1, 1, 1, "ok")
    assert acting.ended().state == "completed"


def test_a_type_that_fails_leaves_the_other_mappings_alone() -> None:
    acting = Acting(failing={"userflow.companies": "forbidden"})
    row = acting.ended()
    assert row.state == "failed"
    assert row.reason == "firms: userflow.companies: forbidden"
    assert "confirm people" in acting.log and "write firms" not in acting.log


def test_if_every_type_fails_nothing_is_written() -> None:
    acting = Acting(mappings={"people": PEOPLE}, failing={"userflow.users": "forbidden"})
    assert acting.ended().state == "failed"
    assert "count people" not in acting.log


def test_a_total_that_is_not_told_is_not_waited_for_long() -> None:
    assert Acting(deaf=frozenset({"count"}), mappings={}).row.state == "requested"
    acting = Acting(failing={"hubspot.contacts/total": "http_500", "hubspot.companies/total": "http_500"})
    assert acting.ended().state == "completed"


def test_lookups_that_are_given_up_fail_their_mapping_only() -> None:
    acting = Acting(sizes={"userflow.users": 500, "hubspot.contacts": 5_000})
    acting.until(lambda row: row.full_sync is not None and row.full_sync.step == "ask")
    acting.put("hubspot.contacts/asked", state="failed", reason="http_500")
    row = acting.ended()
    assert (row.state, row.reason) == ("failed", "people: hubspot.contacts: http_500")
    assert "write people" not in acting.log and "write firms" in acting.log


def test_more_fields_emptied_than_the_bound_are_asked_about_first() -> None:
    acting = Acting(mappings={"people": PEOPLE}, counted={**COUNTED, "cleared": 3})
    row = acting.until(lambda row: row.full_sync is not None and row.full_sync.step == "hold")
    acting.now_ms += 6_000
    acting.move()
    assert acting.row.state == row.state == "running"
    assert (acting.row.reason or "").startswith("waiting for confirm: 6 of 20 pairs would get a field emptied")
    assert "write people" not in acting.log
    acting.put("confirm", state="requested")
    assert acting.ended().state == "completed"


def test_a_run_that_is_to_ask_writes_nothing_before_somebody_lets_it() -> None:
    asked = requested(full_sync=FullSyncRun(asks=True))
    acting = Acting(rows={RUN: asked}, mappings={"people": PEOPLE}, counted={**COUNTED, "written.userflow": 4})
    acting.until(lambda row: row.full_sync is not None and row.full_sync.step == "hold")
    acting.now_ms += 6_000
    acting.move()
    assert (acting.row.reason or "").startswith("waiting for confirm: it would write ")
    assert "write people" not in acting.log
    acting.put("confirm", state="requested")
    assert acting.ended().state == "completed"


def test_a_run_that_is_to_ask_and_would_write_nothing_ends_by_itself() -> None:
    nothing = {name: 0 if name.startswith("written") else number for name, number in COUNTED.items()}
    asked = requested(full_sync=FullSyncRun(asks=True))
    acting = Acting(rows={RUN: asked}, mappings={"people": PEOPLE}, counted=nothing)
    assert acting.ended().state == "completed"


def test_who_confirmed_before_an_edit_is_asked_again() -> None:
    """What he let through was another question."""
    acting = Acting(mappings={"people": PEOPLE}, counted={**COUNTED, "cleared": 3}, deaf=frozenset({"write"}))
    acting.until(lambda row: row.full_sync is not None and row.full_sync.step == "hold")
    acting.put("confirm", state="requested")
    acting.until(lambda row: row.full_sync is not None and row.full_sync.step == "write")
    acting.counted = {**COUNTED, "cleared": 10}
    acting.mappings, acting.deaf = {"people": replace(PEOPLE, revision=2)}, frozenset()
    acting.log.clear()
    acting.until(lambda row: row.full_sync is not None and row.full_sync.step == "hold")
    for _ in range(20):
        acting.move()
    assert "write people" not in acting.log
    acting.put("confirm", state="requested")
    assert acting.ended().state == "completed"


def test_what_takes_the_place_of_a_run_sorts_behind_it_though_whoever_asked_has_a_clock_ahead() -> None:
    ahead = requested(run_id="0000000900000-aaaa", full_sync=FullSyncRun(requested_by="gap"))
    run = Run(replace(ahead, state="running", started_at_ms=1_000))
    assert successor_id(run) > run.run_id


def test_stopped_while_it_reads_it_has_written_nothing() -> None:
    acting = Acting(deaf=frozenset({"crawl"}))
    for _ in range(10):
        acting.move()
    acting.put("stop", state="requested")
    assert acting.ended().state == "stopped"
    assert "write people" not in acting.log


def test_paused_or_disconnected_it_stops() -> None:
    for state in ("paused", "disconnected"):
        acting = Acting(deaf=frozenset({"crawl"}))
        for _ in range(5):
            acting.move()
        acting.settings = replace(SETTINGS, state=state)
        row = acting.ended()
        assert (row.state, row.reason) == ("stopped", f"acme is {state}")
        assert acting.requests == []


def test_what_nobody_waits_for_is_owed_after_a_pause() -> None:
    acting = Acting(rows={RUN: requested(full_sync=FullSyncRun(requested_by="gap"))}, deaf=frozenset({"crawl"}))
    for _ in range(5):
        acting.move()
    acting.settings = replace(SETTINGS, state="paused")
    assert acting.ended().state == "stopped"
    (successor,) = acting.requests
    assert successor.full_sync is not None and successor.full_sync.requested_by == "gap"
    assert successor.run_id > RUN


def test_what_is_owed_begins_only_once_the_integration_is_active_again() -> None:
    """Begun at once it would be stopped for the pause, and owed again, for ever."""
    paused = replace(SETTINGS, state="paused")
    acting = Acting(rows={RUN: requested(full_sync=FullSyncRun(requested_by="gap"))}, settings=paused)
    for _ in range(20):
        acting.move()
        acting.now_ms += 6_000
    assert (acting.row.state, acting.row.reason) == ("requested", "acme is paused")
    assert (acting.requests, acting.log) == ([], [])
    acting.settings = SETTINGS
    assert acting.ended().state == "completed"


def test_a_new_connection_stops_it() -> None:
    acting = Acting(deaf=frozenset({"crawl"}))
    for _ in range(5):
        acting.move()
    acting.settings = replace(SETTINGS, connection=2)
    assert acting.ended().state == "stopped"


def test_an_edit_that_reads_other_fields_begins_another_run() -> None:
    acting = Acting(mappings={"people": PEOPLE}, deaf=frozenset({"crawl"}))
    for _ in range(5):
        acting.move()
    acting.mappings = {"people": replace(PEOPLE, revision=2, read_since={"hubspot.city": 2})}
    row = acting.ended()
    (successor,) = acting.requests
    assert (row.state, row.reason) == (
        "superseded",
        f"its mappings were edited while it read: run {successor.run_id} takes its place",
    )
    assert done_instead(Run(row)) == successor.run_id
    assert successor.mappings == ("people",)


def test_an_edit_that_reads_the_same_counts_anew_and_goes_on() -> None:
    acting = Acting(mappings={"people": PEOPLE}, deaf=frozenset({"write"}))
    acting.until(lambda row: row.full_sync is not None and row.full_sync.step == "write")
    acting.mappings, acting.deaf = {"people": replace(PEOPLE, revision=2)}, frozenset()
    assert acting.ended().state == "completed"
    steps = [one for one in acting.log if " " not in one]
    assert steps[steps.index("count") :] == ["count", "write", "count", "write", "written", "confirm"]


def test_a_newer_request_that_supersedes_ends_it() -> None:
    acting = Acting(deaf=frozenset({"crawl"}))
    for _ in range(5):
        acting.move()
    acting.superseded_by = "0000000000009-bbbb"
    assert acting.ended().state == "superseded"


def test_silence_is_told_with_who_is_silent_and_asked_again() -> None:
    acting = Acting(mappings={"people": PEOPLE}, deaf=frozenset({"crawl"}))
    for _ in range(100):
        acting.now_ms += 1_000
        acting.move()
    assert (acting.row.reason or "").startswith("stalled: the userflow connector has shown no sign of life for")
    acting.deaf = frozenset()
    acting.send(silent_ms=12_000)
    assert acting.ended().state == "completed"


@pytest.mark.parametrize("mapping", ["nobody", "people"])
def test_a_mapping_that_is_not_there_is_named(mapping: str) -> None:
    acting = Acting(rows={RUN: requested(mappings=(mapping,))}, mappings={"people": PEOPLE})
    row = acting.ended()
    expected = ("completed", None) if mapping == "people" else ("failed", "acme has no mapping nobody in force")
    assert (row.state, row.reason) == expected


@settings(max_examples=share(0.6))
@given(
    seed=st.integers(0, 10**6),
    rests=st.integers(0, 6),
    open_for=st.integers(0, 3),
    emitting=st.integers(0, 5),
    users=st.sampled_from([10, 1_000, 100_000]),
    contacts=st.sampled_from([10, 1_000, 100_000]),
)
def test_whatever_crashes_it_ends_completed_and_writes_nothing_before_it_has_read(
    seed: int, rests: int, open_for: int, emitting: int, users: int, contacts: int
) -> None:
    acting = Acting(
        sizes={"userflow.users": users, "hubspot.contacts": contacts},
        rests=rests,
        open_for=open_for,
        emitting=emitting,
    )
    row = crashing(acting, seed)
    assert row.state == "completed"
    writes = min(acting.log.index(one) for one in ("write people", "write firms"))
    assert not [one for one in acting.log[writes:] if one.partition(" ")[0] in ("crawl", "ask", "sweep")]
    assert row.counts["pairs"] == 4 * COUNTED["pairs"]
    assert acting.run.full_sync.phase == "confirm"
