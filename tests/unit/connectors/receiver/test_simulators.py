"""The receiver takes what both simulators send, signatures, clocks and all."""

import time
from dataclasses import replace

import httpx

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from tests.unit.connectors.hubspot import conftest as hubspot
from tests.unit.connectors.receiver.receiving import ACME, APP_SECRET, USERFLOW_SECRET, Bench, Book
from tests.unit.connectors.simulation.simulated import eventually
from tests.unit.connectors.userflow import test_simulator as userflow

ACCOUNT = 4_711


def bench() -> Bench:
    return Bench(Book([replace(ACME, account=str(ACCOUNT))]), now_ms=lambda: time.time_ns() // 1_000_000)


async def test_hubspots_simulator_is_believed() -> None:
    receiving = bench()
    settings = HubSpotSettings(
        **{
            **hubspot.QUIET,
            "webhook_target_url": "https://sync.acme.com/webhooks/hubspot",
            "webhook_window_ms": 1,
            "portal_id": ACCOUNT,
            "app_secret": APP_SECRET,
        }
    )
    portal = HubSpotSimulator(settings, webhook_transport=httpx.ASGITransport(receiving.app))
    portal.load(hubspot.SEED)

    async with portal:
        portal.edit_object("contacts", "1", {"city": "Paris"})
        await eventually(lambda: bool(receiving.counted))

    assert receiving.counted == {("hubspot", "stored"): 1}
    assert receiving.shelf.integrations == ["acme"]


async def test_userflows_simulator_is_believed() -> None:
    receiving = bench()
    settings = UserflowSettings(
        **{
            **userflow.QUIET,
            "webhook_target_url": "https://sync.acme.com/webhooks/userflow/acme",
            "webhook_secret": USERFLOW_SECRET,
        }
    )
    environment = UserflowSimulator(settings, webhook_transport=httpx.ASGITransport(receiving.app))
    environment.load(userflow.SEED)

    async with environment:
        environment.edit_object("users", "u-1", {"name": "Ann"})
        await eventually(lambda: bool(receiving.counted))

    assert receiving.counted == {("userflow", "stored"): 1}
    assert receiving.shelf.integrations == ["acme"]
