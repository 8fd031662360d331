"""A connection that is not the first asks for a full sync, once; runs of a forgotten one are forgotten too."""

from dataclasses import replace

import pytest

from pipeline.full_sync.rows import Run
from pipeline.full_sync.schedule import anew, is_forgotten
from schemas.configuration import IntegrationSettings, IntegrationState, SystemSettings
from schemas.runs import RunProgress, run_request

NOW_MS = 1_700_000_000_000


def settings(connection: int = 2, state: IntegrationState = "active", **more: int) -> IntegrationSettings:
    of = SystemSettings("1")
    made = IntegrationSettings(connection, 1, 1, state, "a", "done", None, "", of, of, forgotten=connection - 1)
    return replace(made, **more)  # type: ignore[arg-type]


def ended(connection: int, state: str = "completed") -> Run:
    request = run_request("acme", NOW_MS - 1_000, "person", connection=connection)
    return Run(replace(request, state=state))  # type: ignore[arg-type]


def test_the_first_connection_asks_for_none() -> None:
    assert anew("acme", (), settings(connection=1), NOW_MS) is None


@pytest.mark.parametrize("runs", [(), (ended(1),), (ended(1), ended(0))])
def test_a_later_one_asks_once(runs: tuple[Run, ...]) -> None:
    request = anew("acme", runs, settings(), NOW_MS)
    assert isinstance(request, RunProgress)
    assert request.full_sync is not None
    assert (request.full_sync.requested_by, request.full_sync.connection) == ("reconnect", 2)
    assert anew("acme", (*runs, Run(request)), settings(), NOW_MS) is None
    assert anew("acme", (*runs, Run(replace(request, state="failed"))), settings(), NOW_MS) is None
    again = anew("acme", runs, settings(), NOW_MS)
    assert again is not None
    assert again.run_id == request.run_id


def test_nobody_is_asked_before_it_is_in_force() -> None:
    assert anew("acme", (), settings(state="connecting"), NOW_MS) is None
    assert anew("acme", (), settings(active_revision=0), NOW_MS) is None
    assert anew("acme", (), None, NOW_MS) is None


def test_runs_of_a_connection_that_is_over_are_forgotten() -> None:
    assert is_forgotten(ended(1), settings())
    assert not is_forgotten(ended(2), settings())
    assert is_forgotten(ended(2), settings(state="disconnected"))
    assert is_forgotten(ended(2), None)
