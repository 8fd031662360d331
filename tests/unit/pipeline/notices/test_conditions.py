"""How stages and integrations are, as the road and the rows say."""

from pipeline.full_sync.rows import Run
from pipeline.notices.conditions import Standing, Subject, of_integrations, of_stages
from schemas.configuration import ConnectorState, IntegrationPart
from schemas.runs import FullSyncRun, RunProgress, RunState
from tests.unit.pipeline.full_sync.simulated import SETTINGS
from tests.unit.pipeline.lag.roads import SINK, road, waiting
from tests.unit.pipeline.lag.test_judging import moving

CONNECTION = SETTINGS.connection


def test_a_stage_that_nobody_works_at_is_stopped_and_the_others_are_not() -> None:
    found = of_stages(road(waiting(), *moving(8), member=None))

    assert found[Subject("", SINK)] == Standing("stopped", "nobody takes its records")
    assert {one.condition for subject, one in found.items() if subject.name != SINK} == {"ok"}
    assert len(found) == 6


def test_a_stage_to_which_more_comes_than_goes_is_behind() -> None:
    found = of_stages(road(waiting(arrived=900), *moving(8)))

    assert found[Subject("", SINK)] == Standing("behind", "more comes than goes")


def test_a_stage_is_as_well_as_the_worst_of_its_topics() -> None:
    assert of_stages(road(waiting(0), *moving(8)))[Subject("", SINK)] == Standing("ok")


def test_of_an_integration_the_newest_full_sync_of_its_connection_counts() -> None:
    parts = {
        "acme/settings": IntegrationPart("acme", settings=SETTINGS),
        "acme/userflow": IntegrationPart("acme", connector=ConnectorState(CONNECTION, 1, 1, "ok", reason="left over")),
    }
    runs = [_run("1", "failed", CONNECTION), _run("2", "completed", CONNECTION), _run("3", "failed", CONNECTION - 1)]

    assert of_integrations(parts, ()) == {Subject("acme", "userflow"): Standing("ok")}
    assert of_integrations(parts, map(_as_run, runs))[Subject("acme", "full-sync")] == Standing("ok")
    failed = of_integrations(parts, map(_as_run, runs[:1]))
    assert failed[Subject("acme", "full-sync")] == Standing("failed", "paging")


def _run(run_id: str, state: RunState, connection: int) -> RunProgress:
    return RunProgress(
        run_id, "acme", "run", state, 0, 0, reason="paging", full_sync=FullSyncRun(connection=connection)
    )


def _as_run(row: RunProgress) -> Run:
    return Run(row)
