"""What the active scheduler exposes of the road."""

from dataclasses import replace

import pytest

from pipeline.full_sync.rows import Run, runs_of
from pipeline.lag.gauges import of_lag, of_runs
from pipeline.lag.stages import STAGES
from schemas.runs import FullSyncRun, RunProgress
from tests.unit.pipeline.lag.roads import road, waiting

DAY_S = 24 * 3600


def test_the_figures_are_those_of_the_command() -> None:
    gauges = of_lag(road(waiting(100), member=None), ["acme", "beta"])
    place = ("pairstream-userflow", "userflow.field-patches", "0")
    assert gauges["kafka_consumergroup_lag"][place] == 100
    assert gauges["kafka_consumergroup_current_offset"][place] == 9
    assert gauges["kafka_topic_partition_current_offset"][place[1:]] == 109
    assert gauges["pairstream_lag_records"]["userflow sink", "userflow.field-patches"] == 100
    assert gauges["pairstream_behind_seconds"] == {
        (stage.name,): 92.0 if stage.name == "userflow sink" else 0.0 for stage in STAGES
    }
    assert gauges["pairstream_stage_stopped"]["userflow sink",] == 1
    assert gauges["pairstream_stage_stopped"]["pairs",] == 0
    assert gauges["pairstream_integration_behind_seconds"] == {("acme",): 92.0, ("beta",): 0.0}


def test_bulk_is_told_apart() -> None:
    gauges = of_lag(road(waiting(bulk=True)), [])
    assert gauges["pairstream_behind_seconds"]["userflow sink",] == 92
    assert gauges["pairstream_live_behind_seconds"]["userflow sink",] == 0


def test_retention_is_whole_where_nothing_waits() -> None:
    left = of_lag(road(waiting()), [], changes_retention_days=2)["pairstream_retention_left_seconds"]
    assert left["userflow.field-patches",] == pytest.approx(3 * DAY_S - 92)
    assert left["hubspot.changes",] == 2 * DAY_S
    assert left["sync.matches",] == DAY_S


def a_run(number: int, state: str, parts: dict[str, dict[str, int]]) -> dict[str, RunProgress]:
    run_id = f"170000000000{number}-aaaa"
    row = RunProgress(run_id, "acme", "run", "completed", 1, 2, full_sync=FullSyncRun(finished_at_ms=number * 1_000))
    rows = {run_id: replace(row, state=state)}  # type: ignore[arg-type]
    for name, counts in parts.items():
        rows[f"{run_id}/{name}"] = RunProgress(run_id, "acme", "pairs", "completed", 1, 2, counts=counts)
    return rows


def runs(*rows: dict[str, RunProgress]) -> list[Run]:
    together: dict[str, RunProgress] = {}
    for one in rows:
        together |= one
    return list(runs_of(together).values())


def test_pairs_are_those_of_the_newest_run_that_completed() -> None:
    first = a_run(1, "completed", {"pairs/0/users/count/1": {"equal": 9}})
    second = a_run(
        2, "completed", {"pairs/0/users/count/1": {"equal": 3}, "pairs/1/users/count/1": {"equal": 2, "ambiguous": 1}}
    )
    kept = replace(second[next(iter(second))], counts={"users/equal": 5, "users/ambiguous": 1, "users/crowded": 0})
    third = a_run(3, "failed", {"pairs/0/users/count/1": {"equal": 7}})
    gauges = of_runs(runs(first, second, third))
    # the parts of a run are deleted a while after its end
    assert gauges["pairstream_pairs"].items() >= of_runs(runs(first, {kept.run_id: kept}))["pairstream_pairs"].items()
    assert gauges["pairstream_last_full_sync_success_timestamp_seconds"] == {("acme",): 2.0}
    pairs = gauges["pairstream_pairs"]
    assert pairs["acme", "users", "equal"] == 5
    assert pairs["acme", "users", "ambiguous"] == 1
    assert pairs["acme", "users", "crowded"] == 0
