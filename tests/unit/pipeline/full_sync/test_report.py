"""The object that scripts read: its keys are fixed, its figures the run's."""

import json
from dataclasses import replace

from pipeline.full_sync.report import instant, report
from pipeline.full_sync.rows import Run
from pipeline.full_sync.text import duration, ending, ending_lines, plain, table
from schemas.runs import WITH_REFUSED, FullSyncRun, RunProgress

KEYS = [
    *("run", "integration", "mappings", "state", "phase", "started_at", "updated_at", "finished_at", "requested_by"),
    *("percent", "eta_s", "read", "pairs", "written", "cleared", "equal", "unmatched", "ambiguous", "crowded"),
    *("refused", "vanished", "rate_per_s", "reason"),
]
COUNTS = {
    "read.userflow.users": 2_000,
    "expected.userflow.users": 2_000,
    "calls.userflow.users": 20,
    "read.hubspot.contacts": 500,
    "expected.hubspot.contacts": 2_000,
    "calls.hubspot.contacts": 6,
    "pairs": 1_500,
    "equal": 400,
    "written": 1_097,
    "written.hubspot": 420,
    "written.userflow": 900,
    "refused": 3,
    "refused.invalid_option": 4,
    "refused.not_a_number": 1,
    "unmatched.hubspot": 1_000,
    "cleared": 7,
    "vanished": 2,
}
AT = 1_800_000_000_000


def run(state: str = "running", **full_sync: object) -> Run:
    asked = {"phase": "read", "step": "crawl", "crawls": ("userflow.users", "hubspot.contacts"), **full_sync}
    row = RunProgress("1800000000000-aaaa", "acme", "run", "running", AT, AT + 10_000, mappings=("people",))
    return Run(replace(row, state=state, counts=COUNTS, full_sync=FullSyncRun(**asked)))  # type: ignore[arg-type]


def test_its_keys_are_fixed_and_in_their_order() -> None:
    for one in (run(), run("completed"), run("requested", phase="", step="")):
        assert list(json.loads(json.dumps(report(one, AT)))) == KEYS


def test_while_it_reads_percent_rate_and_rest_follow_from_what_is_expected() -> None:
    told = report(run(), AT + 10_000)
    assert told["read"]["hubspot.contacts"] == {"read": 500, "expected": 2_000, "calls": 6}
    assert (told["percent"], told["rate_per_s"], told["eta_s"]) == (37.5, 250.0, 6)


def test_what_nobody_knows_is_null() -> None:
    unknown = run()
    counts = {name: count for name, count in COUNTS.items() if name != "expected.userflow.users"}
    told = report(Run(replace(unknown.row, counts=counts)), AT)
    assert (told["percent"], told["eta_s"], told["read"]["userflow.users"]["expected"]) == (None, None, None)


def test_completed_its_pairs_add_up() -> None:
    told = report(run("completed", phase="confirm", step="confirm", finished_at_ms=AT + 60_000), AT)
    assert (told["state"], told["percent"], told["finished_at"]) == ("completed", 100.0, "2027-01-15T08:01:00.000Z")
    assert told["pairs"] == COUNTS["written"] + told["equal"] + COUNTS["refused"]
    assert told["written"] == {"hubspot": 420, "userflow": 900}
    assert told["refused"] == {"invalid_option": 4, "not_a_number": 1}
    assert told["unmatched"] == {"hubspot": 1_000, "userflow": 0}


def test_without_a_heartbeat_for_a_minute_it_is_stalled() -> None:
    assert report(run(), AT + 70_000)["reason"] is None
    told = report(run(), AT + 71_000)
    assert (told["state"], (told["reason"] or "")[:8]) == ("running", "stalled:")
    assert "61 s" in (told["reason"] or "")


def test_it_is_told_in_lines_for_people() -> None:
    assert plain(run(), AT).startswith("acme: read 38 %: hubspot contacts 500/2,000 (6 calls)   userflow users 2,000")
    done = run("completed", phase="confirm", step="confirm", finished_at_ms=AT + 372_000)
    assert ending(done, AT) == "acme: complete after 6 min 12 s: 1,500 pairs, 1,497 in step, 3 refused"
    refused = f"  pairstream dead-letters list --run {done.run_id}"
    assert list(ending_lines(done, AT)) == [ending(done, AT), refused]
    written_too = replace(done.row, counts={**COUNTS, "refused": 0, WITH_REFUSED: 7})
    assert ending(Run(written_too), AT).endswith("1,500 pairs, 1,493 in step, 7 refused")
    one = replace(done.row, counts={"pairs": 1})
    assert ending(Run(one), AT).endswith(": 1 pair, 1 in step, 0 refused")
    stopped = Run(replace(done.row, state="stopped", reason="by hand"))
    assert ending(stopped, AT) == "acme: stopped after 6 min 12 s: by hand"
    head, line = table([done], AT)
    assert head.split()[:4] == ["INTEGRATION", "RUN", "STATE", "STARTED"]
    today = instant(AT)[11:19]
    assert line.split()[2:5] == ["complete", today, "6m12s"] and line.endswith("by hand")
    assert table([done], AT + 86_400_000)[1].split()[3] == instant(AT)[:10]


def test_durations() -> None:
    assert [duration(one) for one in (0, 59, 60, 3_723)] == ["0 s", "59 s", "1 min 0 s", "1 h 2 min"]
