"""A simulator that was killed goes on where it was: every answered change is in its store."""

import pickle
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from pipeline.local.simulator_store import SavedBeforeAnswered, SimulatorStore, StoreUnreadable

HUBSPOT = {"authorization": "Bearer pat-simulated"}
USERFLOW = {"authorization": "Bearer ak_simulated", "userflow-version": "2020-01-03"}


def hubspot(path: Path) -> tuple[HubSpotSimulator, bool, httpx.AsyncClient]:
    return started(HubSpotSimulator(HubSpotSettings()), "hubspot", path)


def userflow(path: Path) -> tuple[UserflowSimulator, bool, httpx.AsyncClient]:
    return started(UserflowSimulator(UserflowSettings()), "userflow", path)


def started(simulator: Any, system: str, path: Path) -> tuple[Any, bool, httpx.AsyncClient]:
    """A simulator as `simulate --store` starts it; what ends it is forgetting it, as a kill does."""
    store = SimulatorStore(simulator, system, path)
    restored = store.restore()
    transport = httpx.ASGITransport(SavedBeforeAnswered(simulator.app, store))
    return simulator, restored, httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


async def test_hubspot_keeps_records_definitions_associations_and_histories(tmp_path: Path) -> None:
    path = tmp_path / "hubspot.store"
    first, restored, client = hubspot(path)
    assert not restored
    async with client:
        person = {"id": "1", "properties": {"email": "ada@example.com"}}
        (await client.post("/_simulator/objects/contacts", json=person)).raise_for_status()
        company = {"id": "2", "properties": {"name": "Acme"}}
        (await client.post("/_simulator/objects/companies", json=company)).raise_for_status()
        joined = "/_simulator/associations/contacts/1/companies/2"
        (await client.put(joined, json={"primary": True})).raise_for_status()
        made = {"name": "userflow_user_plan", "label": "plan", "type": "string", "fieldType": "text"}
        url = "/crm/v3/properties/contacts"
        answer = await client.post(url, json={**made, "groupName": "contactinformation"}, headers=HUBSPOT)
        answer.raise_for_status()
        body = {"properties": {"userflow_user_plan": "team"}}
        (await client.patch("/crm/v3/objects/contacts/1", json=body, headers=HUBSPOT)).raise_for_status()

    again, restored, _ = hubspot(path)

    assert restored
    for kind, number in (("contacts", "1"), ("companies", "2")):
        assert again.read_object(kind, number) == first.read_object(kind, number)
    assert again.read_object("contacts", "1")["properties"]["userflow_user_plan"] == "team"
    assert again.created_by_api == 0
    again.edit_object("contacts", "1", {"userflow_user_plan": "free"})  # the definition is there for everybody


async def test_userflow_keeps_users_attributes_subscriptions_and_gives_no_id_twice(tmp_path: Path) -> None:
    path = tmp_path / "userflow.store"
    first, _, client = userflow(path)
    async with client:
        made = [
            (await client.post("/_simulator/objects/users", json={"attributes": {"plan": "team"}})).json()["id"]
            for _ in range(2)
        ]
        body = {"url": "http://receiver/webhooks/userflow/acme", "topics": ["user.updated"]}
        answer = await client.post("/webhook_subscriptions", json=body, headers=USERFLOW)
        answer.raise_for_status()

    again, restored, client = userflow(path)

    assert restored
    assert [row["attributes"]["plan"] for row in again.list_objects("users")] == ["team", "team"]
    assert again.environment.subscriptions == first.environment.subscriptions != {}
    async with client:
        new = (await client.post("/_simulator/objects/users", json={"attributes": {}})).json()["id"]
    assert new not in made


async def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "hubspot.store"
    _, _, client = hubspot(path)
    async with client:
        (await client.get("/_simulator/objects/contacts")).raise_for_status()
        body = {"inputs": [], "properties": ["email"]}
        (await client.post("/crm/v3/objects/contacts/batch/read", json=body, headers=HUBSPOT)).raise_for_status()

    assert not path.exists()


MARK = b"pairstream simulator 1\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        MARK,
        MARK + b"XX",
        MARK + pickle.dumps([]),
        MARK + pickle.dumps({"parts": {}}),  # as of a version with other parts
    ],
)
def test_a_store_that_cannot_be_read_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hubspot.store"
    path.write_bytes(content)

    with pytest.raises(StoreUnreadable, match=rf"Fix: remove it.*{path}"):
        hubspot(path)


def test_a_store_that_others_may_write_is_not_loaded(tmp_path: Path) -> None:
    """Unpickling runs what the file says."""
    path = tmp_path / "hubspot.store"
    path.touch()
    path.chmod(0o666)

    with pytest.raises(StoreUnreadable, match="may be written by others"):
        hubspot(path)
