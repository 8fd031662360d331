"""Health: alive while the loop turns, ready while every check says so, reachable on a real port."""

import asyncio
import socket

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from connectors.http.server import CannotListen
from pipeline.observability.health import Check, build_health, serve_health
from pipeline.observability.metrics import Metrics


async def get(app: Starlette, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://role") as client:
        return await client.get(path)


def health(**checks: Check) -> Starlette:
    return build_health(checks, Metrics(CollectorRegistry()), within_s=0.02)


async def fine() -> str | None:
    return None


async def away() -> str | None:
    return "the brokers do not answer"


async def hanging() -> str | None:
    await asyncio.Event().wait()
    return None


def broken() -> str | None:
    raise ValueError("with a secret")


@pytest.mark.parametrize(
    ("checks", "failing"),
    [
        ({}, {}),
        ({"tables": lambda: None, "brokers": fine}, {}),
        ({"tables": lambda: "not read yet", "brokers": fine}, {"tables": "not read yet"}),
        (
            {"tables": lambda: "not read yet", "brokers": away},
            {"tables": "not read yet", "brokers": "the brokers do not answer"},
        ),
        ({"brokers": hanging, "tables": fine}, {"brokers": "no answer within 0.02 s"}),
        ({"tables": broken, "brokers": fine}, {"tables": "the check broke: ValueError"}),
    ],
)
async def test_ready_lists_every_failing_check_with_its_reason(
    checks: dict[str, Check], failing: dict[str, str]
) -> None:
    response = await get(health(**checks), "/health/ready")

    expected = {"status": "not ready", "failing": failing} if failing else {"status": "ok"}
    assert (response.status_code, response.json()) == (503 if failing else 200, expected)


async def test_live_does_not_ask_the_checks() -> None:
    response = await get(health(brokers=away, tables=broken), "/health/live")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_metrics_are_what_a_scraper_reads() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.dead_letter("pairs", "invalid_option")

    response = await get(build_health({}, metrics), "/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name for family in text_string_to_metric_families(response.text)}
    assert "pairstream_dead_letters" in families


async def test_a_port_is_served_until_the_block_ends() -> None:
    async with httpx.AsyncClient() as client:
        async with serve_health(health(), "127.0.0.1", 0) as url:
            port = httpx.URL(url).port
            assert port
            assert (await client.get(f"{url}/health/live")).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/health/live")


async def test_a_taken_port_is_an_error_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CannotListen, match=r"in use\. Fix: "):
            async with serve_health(health(), "127.0.0.1", taken.getsockname()[1]):
                pass


async def test_an_error_in_the_block_ends_the_server_and_is_passed_on() -> None:
    with pytest.raises(RuntimeError, match="the role died"):
        async with serve_health(health(), "127.0.0.1", 0) as url:
            raise RuntimeError("the role died")

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/health/live")
