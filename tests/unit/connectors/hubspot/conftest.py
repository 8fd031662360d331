"""A simulated HubSpot with a few records, and somebody who calls it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.simulation import VendorClock
from tests.unit.connectors.simulation.simulated import ToldTime, caller

QUIET: dict[str, Any] = {"latency_ms": 0, "rate_limit": None, "search_limit": None, "search_lag_ms": 0}
SEED = {
    "schemas": [
        {
            "name": "workspace",
            "objectTypeId": "2-77",
            "properties": [{"name": "slug", "type": "string", "hasUniqueValue": True}],
        }
    ],
    "properties": {
        "contacts": [
            {"name": "seats", "label": "Seats", "type": "number", "fieldType": "number"},
            {"name": "vip", "label": "VIP", "type": "bool", "fieldType": "booleancheckbox"},
            {"name": "renewal", "label": "Renewal", "type": "date", "fieldType": "date"},
            {"name": "external_id", "label": "Id", "type": "string", "fieldType": "text", "hasUniqueValue": True},
        ]
    },
    "objects": {
        "contacts": [
            {"id": "1", "properties": {"email": "annie@example.com", "firstname": "Annie", "external_id": "u-1"}},
            {"id": "2", "properties": {"email": "ben@example.com", "hs_additional_emails": "old@example.com"}},
            {"id": "3", "properties": {"email": "cy@example.com"}, "archived": True},
        ],
        "companies": [{"id": "10", "properties": {"name": "Acme"}}, {"id": "11", "properties": {"name": "Bolt"}}],
        "deals": [{"id": "20", "properties": {"dealname": "Big", "dealstage": "closedwon"}}],
        "2-77": [{"id": "30", "properties": {"slug": "acme"}}],
    },
    "associations": [{"from": ["contacts", "1"], "to": ["companies", "10"], "primary": True}],
}


@pytest.fixture
async def portal(now: ToldTime) -> AsyncIterator[HubSpotSimulator]:
    simulator = HubSpotSimulator(HubSpotSettings(**QUIET), clock=VendorClock(wall=now, monotonic=now))
    simulator.load(SEED)
    async with simulator:
        now.pass_ms(60_000)
        yield simulator


@pytest.fixture
async def api(portal: HubSpotSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(portal.app, "pat-simulated") as client:
        yield client
