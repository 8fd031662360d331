"""A container's health check ends a role only where the role itself says that nothing moves."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from pipeline.local.ports import free_port
from pipeline.local.readiness import says_alive
from pipeline.observability.health import build_health, serve_health
from pipeline.observability.live_probe import probe
from pipeline.observability.metrics import Metrics


@pytest.mark.parametrize(
    ("problem", "code", "ended", "alive"), [(None, 0, [], True), ("nothing moves for 75 s: x[0]", 1, ["end"], False)]
)
async def test_the_probe_asks_a_role(problem: str | None, code: int, ended: list[str], alive: bool) -> None:
    app = build_health({}, Metrics(CollectorRegistry()), moves=lambda: problem)
    calls: list[str] = []
    async with serve_health(app, "127.0.0.1", 0) as url:
        found = await asyncio.to_thread(probe, f"{url}/health/live", lambda: calls.append("end"))
        said = await asyncio.to_thread(says_alive, f"{url}/health/live")
    assert (found, calls, said) == (code, ended, alive)


def test_no_answer_fails_the_check_and_ends_nothing() -> None:
    calls: list[str] = []
    url = f"http://127.0.0.1:{free_port()}/health/live"
    assert (probe(url, lambda: calls.append("end")), calls, says_alive(url)) == (1, [], None)
