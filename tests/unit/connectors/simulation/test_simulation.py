"""What both simulators share: the control API, the request log, faults, the clock, serving on a port."""

import asyncio
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.simulation import FaultRule, VendorClock, serve
from tests.unit.connectors.hubspot.conftest import QUIET, SEED
from tests.unit.connectors.hubspot.test_simulator import read, row, update
from tests.unit.connectors.simulation.simulated import ToldTime, caller, eventually, ids, sample

CONTACT = "/crm/v3/objects/contacts/1"


@pytest.fixture
async def portal() -> AsyncIterator[HubSpotSimulator]:
    simulator = HubSpotSimulator(HubSpotSettings(**QUIET))
    simulator.load(SEED)
    async with simulator:
        yield simulator


@pytest.fixture
async def api(portal: HubSpotSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(portal.app, "pat-simulated") as client:
        yield client


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[", "10.0.0.1:9001"])
async def test_the_control_api_is_for_this_machine(api: httpx.AsyncClient, host: str) -> None:
    """A page in the developer's browser could read and change all by a name that leads here."""
    assert (await api.get("/_simulator/edits", headers={"Host": host})).status_code == 403


@pytest.mark.parametrize("host", ["localhost:9001", "127.0.0.1:9001", "[::1]:9001"])
async def test_the_control_api_answers_this_machine(api: httpx.AsyncClient, host: str) -> None:
    assert (await api.get("/_simulator/edits", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("content", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
async def test_the_control_api_takes_json_only(api: httpx.AsyncClient, content: str) -> None:
    """What a form of any page can send."""
    headers = {"Content-Type": content} if content else {}
    base = "/_simulator/objects/contacts"
    assert (await api.post(base, content=b'{"id": "51"}', headers=headers)).status_code == 415
    assert (await api.post(f"{base}/1/restore", headers=headers)).status_code == 415
    assert (await api.get(f"{base}/51")).status_code == 404


async def test_a_person_works_through_the_control_api(api: httpx.AsyncClient) -> None:
    base = "/_simulator/objects/contacts"
    made = await api.post(base, json={"id": "50", "properties": {"email": "dee@example.com"}})
    assert (made.status_code, made.json()["created_by"]) == (201, "person")
    edited = await api.patch(f"{base}/50", json={"properties": {"city": "Paris"}})
    assert edited.json()["properties"]["city"] == "Paris"
    assert edited.json()["written"]["city"]["by"] == "person"
    assert (await api.delete(f"{base}/50")).json()["archived"] is True
    assert (await api.post(f"{base}/50/restore", json={})).json()["archived"] is False
    merged = await api.post(f"{base}/50/merge", json={"other_id": "2"})
    assert merged.json()["properties"]["city"] == "Paris"
    pair = "/_simulator/associations/contacts/1/companies/11"
    assert (await api.put(pair, json={"primary": True})).json()["primary"] is True
    assert (await api.delete(pair)).status_code == 200
    edits = (await api.get("/_simulator/edits")).json()["edits"]
    assert [edit["operation"] for edit in edits] == [
        "created",
        "edited",
        "deleted",
        "restored",
        "merged",
        "associated",
        "dissociated",
    ]
    assert edits[1]["fields"] == {"city": "Paris"}
    assert len((await api.get("/_simulator/edits?since=6")).json()["edits"]) == 1


async def test_the_control_api_says_what_is_wrong(api: httpx.AsyncClient) -> None:
    base = "/_simulator/objects/contacts"
    assert (await api.get(f"{base}/999")).status_code == 404
    assert (await api.patch(f"{base}/1", json={"properties": {"nope": "x"}})).status_code == 400
    assert (await api.post(base, json={"id": "1", "properties": {}})).status_code == 400
    assert (await api.put("/_simulator/settings", json={"nope": 1})).status_code == 400
    assert (await api.post("/_simulator/faults", json={"action": "nope"})).status_code == 400


async def test_bulk_definitions_and_seed(api: httpx.AsyncClient) -> None:
    wire = {"name": "tier", "type": "string"}
    assert (await api.post("/_simulator/definitions", json={"properties": {"contacts": [wire]}})).status_code == 204
    edits = [{"operation": "edit", "type": "contacts", "id": one, "properties": {"tier": "A"}} for one in ("1", "2")]
    assert (await api.post("/_simulator/bulk", json={"operations": edits, "same_time": True})).json() == {"done": 2}
    listed = (await api.get("/_simulator/objects/contacts")).json()["results"]
    assert len({one["properties"]["lastmodifieddate"] for one in listed if one["id"] in "12"}) == 1
    seed = {"objects": {"companies": [{"id": "90", "properties": {"name": "Cog"}}]}}
    assert (await api.post("/_simulator/seed", json=seed)).status_code == 204
    assert ids((await api.get("/_simulator/objects/companies")).json()["results"]) == ["10", "11", "90"]


async def test_calls_are_logged_and_counted(api: httpx.AsyncClient) -> None:
    await api.get(CONTACT)
    await update(api, row("1", city="Paris"), row("99", city="Rome"))
    await api.post("/crm/v3/objects/contacts", json={"properties": {"email": "new@example.com"}})
    log = (await api.get("/_simulator/requests")).json()
    assert log["counters"] == {"GET objects.read": 1, "POST objects.batch_update": 1, "POST objects.create": 1}
    assert log["statuses"] == {"200": 1, "207": 1, "201": 1}
    assert log["created_by_api"] == 1
    assert (log["requests"][1]["object_ids"], log["requests"][1]["status"]) == (["1", "99"], 207)
    counted = (await api.get("/_simulator/requests?last=1")).json()
    assert ([one["kind"] for one in counted["requests"]], counted["counters"]) == (["objects.create"], log["counters"])
    assert (await api.delete("/_simulator/requests")).status_code == 204
    assert (await api.get("/_simulator/requests")).json()["requests"] == []


async def test_settings_change_live_and_hide_secrets(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    shown = (await api.put("/_simulator/settings", json={"rate_limit": 1, "webhook_properties": ["city"]})).json()
    assert (shown["rate_limit"], shown["webhook_properties"]) == (1, ["city"])
    assert not [name for name in shown if "secret" in name or "token" in name]
    assert [(await api.get(CONTACT)).status_code for _ in range(2)] == [200, 429]
    assert portal.settings.webhook_properties == ("city",)


@pytest.mark.parametrize(
    ("fault", "status", "told"),
    [
        ({"status": 429}, 429, {"policyName": "TEN_SECONDLY_ROLLING"}),
        ({"status": 429, "form": "daily"}, 429, {"policyName": "DAILY"}),
        ({"status": 429, "form": "secondly"}, 429, {"message": "You have reached your secondly limit."}),
        ({"status": 429, "body": {"mine": 1}}, 429, {"mine": 1}),
        ({"status": 401}, 401, {"category": "INVALID_AUTHENTICATION"}),
        *[({"status": status}, status, {"status": "error"}) for status in (423, 477, 500, 502, 503)],
    ],
)
async def test_an_answer_can_be_any_error(api: httpx.AsyncClient, fault: Any, status: int, told: Any) -> None:
    rule = {"match": {"method": "GET", "path_contains": "/contacts/"}, "times": 1, "action": "status", **fault}
    await api.post("/_simulator/faults", json=rule)
    assert (await update(api, row("1", city="Paris"))).status_code == 200
    answer = await api.get(CONTACT)
    assert answer.status_code == status
    assert told.items() <= answer.json().items()
    assert (await api.get(CONTACT)).status_code == 200


async def test_a_fault_carries_headers_and_ends_when_lifted(api: httpx.AsyncClient) -> None:
    await api.post("/_simulator/faults", json={"action": "status", "status": 477, "headers": {"Retry-After": "7"}})
    assert (await api.get(CONTACT)).headers["retry-after"] == "7"
    await api.delete("/_simulator/faults")
    assert (await api.get(CONTACT)).status_code == 200


async def test_a_fault_may_strike_by_chance_and_repeatably() -> None:
    runs = []
    for _ in range(2):
        portal = HubSpotSimulator(HubSpotSettings(**{**QUIET, "seed": 3}))
        portal.load(SEED)
        portal.add_faults([FaultRule("status", status=503, probability=0.5)])
        async with portal, caller(portal.app, "pat-simulated") as api:
            runs.append([(await api.get(CONTACT)).status_code for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


@pytest.mark.parametrize(("action", "city"), [("timeout_before_effect", None), ("timeout_after_effect", "Paris")])
async def test_an_answer_can_be_lost_before_or_after_its_effect(
    api: httpx.AsyncClient, action: str, city: str | None
) -> None:
    await api.post("/_simulator/faults", json={"action": action, "times": 1})
    with pytest.raises(httpx.ReadTimeout):
        await update(api, row("1", city="Paris"))
    assert (await read(api, "1", "city"))["city"] == city
    assert (await api.get("/_simulator/requests")).json()["statuses"]["0"] == 1


async def test_one_row_of_a_batch_can_fail(api: httpx.AsyncClient) -> None:
    body = {"category": "VALIDATION_ERROR", "message": "no"}
    rule = {"match": {"object_id": "2"}, "times": 1, "action": "row_error", "status": 400, "body": body}
    await api.post("/_simulator/faults", json=rule)
    assert (await update(api, row("1", city="Paris"))).status_code == 200
    answer = await update(api, row("1", city="Rome"), row("2", city="Rome"))
    assert (answer.status_code, ids(answer.json()["results"])) == (207, ["1"])
    assert answer.json()["errors"][0]["context"] == {"ids": ["2"]}
    assert (await read(api, "2", "city"))["city"] is None


async def test_one_property_can_be_refused(api: httpx.AsyncClient) -> None:
    await api.post("/_simulator/faults", json={"action": "refuse_property", "property": "city"})
    refused = await update(api, row("1", jobtitle="CEO"), row("2", city="Rome"))
    assert refused.status_code == 400
    assert '"name": "city"' in refused.json()["message"]
    assert refused.json()["message"].startswith("Property values were not valid: [")
    assert sample("hubspot", "400_unknown_property")["body"].keys() <= refused.json().keys()
    assert (await update(api, row("1", jobtitle="CEO"))).status_code == 200


async def test_a_record_can_vanish_before_its_write(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    rule = {"match": {"method": "POST", "object_id": "1"}, "action": "delete_before_write", "times": 1}
    await api.post("/_simulator/faults", json=rule)
    assert (await api.get(CONTACT)).status_code == 200
    answer = await update(api, row("1", city="Paris"))
    assert answer.json()["errors"][0]["context"]["ids"] == ["1"]
    assert portal.read_object("contacts", "1")["archived"] is True
    assert portal.edits()[-1].operation == "deleted"


async def test_the_vendors_clock_may_be_off() -> None:
    portal = HubSpotSimulator(HubSpotSettings(**QUIET, clock_offset_ms=-90_000), clock=VendorClock(wall=ToldTime()))
    portal.load(SEED)
    async with portal, caller(portal.app, "pat-simulated") as api:
        answer = await api.get(CONTACT)
    shown = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert shown == ToldTime().seconds - 90
    assert portal.create_object("contacts", {})["created_ms"] == (ToldTime().seconds - 90) * 1000


async def test_answers_take_their_time() -> None:
    portal = HubSpotSimulator(HubSpotSettings(**{**QUIET, "latency_ms": 30}))
    async with portal, caller(portal.app, "pat-simulated") as api:
        started = asyncio.get_running_loop().time()
        await api.get(CONTACT)
        assert asyncio.get_running_loop().time() - started >= 0.029


async def test_a_served_simulator_cuts_connections_and_hangs_and_ends() -> None:
    before = asyncio.all_tasks()
    portal = HubSpotSimulator(HubSpotSettings(**QUIET))
    portal.load(SEED)
    bearer = {"authorization": "Bearer pat-simulated"}
    async with serve(portal) as url, httpx.AsyncClient(base_url=url, headers=bearer) as api:
        assert (await api.get(CONTACT)).json()["id"] == "1"
        portal.add_faults([{"action": "close_connection", "times": 1}])
        with pytest.raises(httpx.RemoteProtocolError):
            await api.get(CONTACT)
        portal.add_faults([{"action": "timeout_after_effect", "times": 1, "after_ms": 5}])
        with pytest.raises(httpx.RemoteProtocolError):
            await api.get(CONTACT)
        portal.add_faults([{"action": "timeout_after_effect", "times": 1}])
        hanging = asyncio.create_task(update(api, row("1", city="Paris")))
        await eventually(lambda: portal.read_object("contacts", "1")["properties"].get("city") == "Paris")
        assert not hanging.done()
        hanging.cancel()
        assert (await api.get(CONTACT)).status_code == 200
    assert asyncio.all_tasks() - before == set()
