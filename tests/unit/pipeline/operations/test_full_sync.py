"""What may be asked of full syncs, and how a refusal reads."""

from dataclasses import replace

import pytest

from pipeline.full_sync.rows import CONFIRM, STOP, Run
from pipeline.operations import full_sync
from pipeline.operations.full_sync import NoSuchRun, NotStarted
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.runs import FullSyncRun, RunProgress, RunState
from tests.unit.pipeline.full_sync.simulated import PEOPLE, SETTINGS

NOW = 1_800_000_000_000


def run(number: int, state: RunState, step: str = "", integration: str = "acme") -> Run:
    row = RunProgress(f"{NOW + number:013d}-aaaa", integration, "run", state, NOW, NOW)
    return Run(replace(row, full_sync=FullSyncRun(step=step)))


def test_a_request_names_who_asks_and_what_for() -> None:
    asked = full_sync.new_request("acme", SETTINGS, [PEOPLE], [], NOW, only=["people"])
    assert (asked.state, asked.mappings, asked.run_id[:13]) == ("requested", ("people",), f"{NOW:013d}")
    assert asked.full_sync is not None and asked.full_sync.requested_by == "person"


def test_a_second_one_is_refused_with_the_first_and_what_can_be_done() -> None:
    with pytest.raises(NotStarted) as refused:
        full_sync.new_request("acme", SETTINGS, [PEOPLE], [run(-9, "completed"), run(0, "running")], NOW)
    assert str(refused.value) == (
        "acme: run 1800000000000-aaaa is under way since 2027-01-15T08:00:00.000Z: "
        "`pairstream full-sync watch acme` shows it, --supersede ends it and begins anew"
    )
    asked = full_sync.new_request("acme", SETTINGS, [PEOPLE], [run(0, "running")], NOW, supersede=True)
    assert asked.full_sync is not None and asked.full_sync.supersede


def test_its_id_is_later_than_all_before_it_whatever_the_clock_says() -> None:
    asked = full_sync.new_request("acme", SETTINGS, [PEOPLE], [run(5_000, "completed")], NOW)
    assert asked.run_id > run(5_000, "completed").run_id


def test_of_all_integrations_those_begin_that_can_and_the_others_are_told() -> None:
    settings = {"acme": SETTINGS, "beta": replace(SETTINGS, state="paused")}
    asked, refusals = full_sync.new_requests(settings, [PEOPLE], [], NOW)
    assert [one.integration for one in asked] == ["acme"]
    assert refusals == [
        "integration beta is paused: only an active one is synced. Fix: `pairstream integration resume beta` first"
    ]


def test_where_none_can_begin_all_reasons_are_told() -> None:
    with pytest.raises(NotStarted) as refused:
        full_sync.new_requests({"acme": SETTINGS, "beta": SETTINGS}, [PEOPLE], [run(0, "running")], NOW)
    assert str(refused.value).startswith("acme: run ") and "integration beta has no mapping" in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "only", "why"),
    [
        (replace(SETTINGS, state="paused"), [], "acme is paused: .* Fix: `pairstream integration resume acme` first"),
        (
            replace(SETTINGS, state="disconnected"),
            [],
            "acme is disconnected: .* Fix: `pairstream apply` its file first",
        ),
        (SETTINGS, ["firms"], "integration acme has no mapping firms; there are: people"),
    ],
)
def test_what_cannot_be_synced_is_named(settings: object, only: list[str], why: str) -> None:
    with pytest.raises(NotStarted, match=why):
        full_sync.new_request("acme", settings, [PEOPLE], [], NOW, only=only)  # type: ignore[arg-type]


def test_the_run_under_way_is_shown_before_the_newest() -> None:
    runs = [run(0, "running"), run(1, "requested"), run(2, "completed")]
    assert full_sync.shown("acme", runs) == runs[0]
    assert full_sync.shown("acme", runs[1:]) == runs[1]
    assert full_sync.shown("acme", runs[2:]) == runs[2]
    with pytest.raises(NoSuchRun, match="acme has had no full sync yet: `pairstream full-sync start acme`"):
        full_sync.shown("acme", [])


def test_only_what_is_under_way_is_stopped_and_only_what_asks_is_confirmed() -> None:
    key, row = full_sync.stop_request("acme", [run(0, "running", "crawl")], NOW)
    assert (key, row.part) == (f"{run(0, 'running').run_id}/{STOP}", STOP)
    key, row = full_sync.confirm_request("acme", [run(0, "running", "hold")], NOW)
    assert (key, row.part) == (f"{run(0, 'running').run_id}/{CONFIRM}", CONFIRM)
    with pytest.raises(NoSuchRun, match="acme: no full sync is under way"):
        full_sync.stop_request("acme", [run(0, "completed"), run(0, "running", integration="globex")], NOW)
    with pytest.raises(NoSuchRun, match="acme: no full sync waits to be confirmed"):
        full_sync.confirm_request("acme", [run(0, "running", "write")], NOW)


@pytest.mark.parametrize(
    ("asked", "option"),
    [(FullSyncRun(most_per_s=20), "--rate"), (FullSyncRun(asks=True), "--ask")],
)
def test_what_an_earlier_release_would_not_hold_to_is_refused(asked: FullSyncRun, option: str) -> None:
    request = RunProgress("r", "acme", "run", "requested", 1, 1, full_sync=asked)
    full_sync.check_written(Codec(LocalRegistry()), [request])
    with pytest.raises(full_sync.NotStarted, match=f"{option} would not be held to: by PAIRSTREAM_SCHEMAS_UP_TO"):
        full_sync.check_written(Codec(LocalRegistry(written_up_to=40)), [request])
    plain = replace(request, full_sync=FullSyncRun())
    full_sync.check_written(Codec(LocalRegistry(written_up_to=40)), [plain])
