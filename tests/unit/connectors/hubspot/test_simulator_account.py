"""The simulated HubSpot beyond records: search, associations, definitions, tokens, limits, events."""

from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from connectors.hubspot.simulator import HubSpotSimulator
from connectors.hubspot.simulator.oauth import challenge_of
from tests.unit.connectors.simulation.simulated import ToldTime, ids, sample

FIRST_GRANT = "hubspot-refresh-token"
READ = {"inputs": [{"id": "1"}]}


async def search(api: httpx.AsyncClient, *filters: Any, kind: str = "contacts", **more: Any) -> httpx.Response:
    body = {"filterGroups": [{"filters": list(filters)}], **more}
    return await api.post(f"/crm/v3/objects/{kind}/search", json=body)


def where(name: str, operator: str, **value: Any) -> Any:
    return {"propertyName": name, "operator": operator, **value}


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        (where("email", "EQ", value="ANNIE@example.com"), ["1"]),
        (where("email", "NEQ", value="annie@example.com"), ["2"]),
        (where("email", "IN", values=["annie@example.com", "ben@example.com", "cy@example.com"]), ["1", "2"]),
        (where("firstname", "HAS_PROPERTY"), ["1"]),
        (where("firstname", "NOT_HAS_PROPERTY"), ["2"]),
        (where("hs_object_id", "GT", value="1"), ["2"]),
        (where("hs_object_id", "BETWEEN", value="1", highValue="2"), ["1", "2"]),
        (where("email", "CONTAINS_TOKEN", value="*ben*"), ["2"]),
        (where("hs_lastmodifieddate", "GTE", value="0"), []),
        (where("lastmodifieddate", "GTE", value="0"), ["1", "2"]),
    ],
)
async def test_search_filters(api: httpx.AsyncClient, filter_: Any, found: list[str]) -> None:
    answer = await search(api, filter_)
    assert (ids(answer.json()["results"]), answer.json()["total"]) == (found, len(found))


async def test_search_sorts_and_pages(api: httpx.AsyncClient) -> None:
    sorts = [{"propertyName": "email", "direction": "DESCENDING"}]
    first = (await search(api, sorts=sorts, limit=1)).json()
    assert (ids(first["results"]), first["paging"]["next"]["after"]) == (["2"], "1")
    second = (await search(api, sorts=sorts, limit=1, after="1")).json()
    assert (ids(second["results"]), "paging" in second) == (["1"], False)


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 100, "after": "9950"},
        {"query": "x" * 3_000},
        {"sorts": ["email", "city"]},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [where("email", "IN", values=["Annie@example.com"])]}]},
    ],
)
async def test_search_refuses_what_is_too_much(api: httpx.AsyncClient, body: Any) -> None:
    assert (await api.post("/crm/v3/objects/contacts/search", json=body)).status_code == 400


async def test_search_lags_behind(portal: HubSpotSimulator, api: httpx.AsyncClient, now: ToldTime) -> None:
    portal.change_settings(search_lag_ms=3_000)
    portal.edit_object("contacts", "1", {"city": "Paris"})
    in_paris = where("city", "EQ", value="Paris")
    assert (await search(api, in_paris)).json()["total"] == 0
    now.pass_ms(3_000)
    assert (await search(api, in_paris)).json()["total"] == 1


@pytest.mark.parametrize("prefix", ["/crm/v4/associations", "/crm/associations/2026-03"])
async def test_associations_are_read_in_batches(api: httpx.AsyncClient, prefix: str) -> None:
    answer = await api.post(f"{prefix}/contacts/companies/batch/read", json={"inputs": [{"id": "1"}, {"id": "2"}]})
    wanted = sample("hubspot", "associations_read")["results"][0]["to"][0]["associationTypes"]
    assert [one["from"]["id"] for one in answer.json()["results"]] == ["1"]
    assert answer.json()["results"][0]["to"] == [{"toObjectId": "10", "associationTypes": wanted}]


async def test_a_new_primary_company_takes_the_mark(api: httpx.AsyncClient, portal: HubSpotSimulator) -> None:
    modified = portal.read_object("contacts", "1")["properties"]["lastmodifieddate"]
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    inputs = [{"from": {"id": "1"}, "to": {"id": "11"}, "types": types}]
    made = await api.post("/crm/v4/associations/contacts/companies/batch/create", json={"inputs": inputs})
    assert made.status_code == 201
    page = (await api.get("/crm/objects/2026-03/contacts/1/associations/companies")).json()["results"]
    held = {one["toObjectId"]: [kind["typeId"] for kind in one["associationTypes"]] for one in page}
    assert held == {"10": [279], "11": [1, 279]}
    assert portal.read_object("contacts", "1")["properties"]["lastmodifieddate"] == modified


async def test_associations_are_paged_and_deleted(api: httpx.AsyncClient, portal: HubSpotSimulator) -> None:
    portal.associate("companies", "10", "contacts", "2")
    path = "/crm/v4/objects/companies/10/associations/contacts"
    first = (await api.get(f"{path}?limit=1")).json()
    assert (first["results"][0]["toObjectId"], first["paging"]["next"]["after"]) == ("1", "2")
    assert (await api.delete(f"{path}/2")).status_code == 204
    assert len((await api.get(path)).json()["results"]) == 1
    portal.change_settings(associations_as_numbers=True)
    assert (await api.get(path)).json()["results"][0]["toObjectId"] == 1


async def test_properties_are_created_once_in_a_group_that_exists(api: httpx.AsyncClient) -> None:
    wire = {
        "name": "userflow_user_plan",
        "label": "Plan",
        "type": "string",
        "fieldType": "text",
        "groupName": "userflow",
    }
    base = "/crm/properties/2026-03/contacts"
    assert (await api.post(base, json=wire)).status_code == 400
    group = {"name": "userflow", "label": "Userflow"}
    assert (await api.post(f"{base}/groups", json=group)).json() == sample("hubspot", "property_group")
    assert (await api.post(f"{base}/groups", json=group)).status_code == 409
    made = await api.post(base, json=wire)
    assert (made.status_code, made.json().keys()) == (201, sample("hubspot", "property").keys())
    again = await api.post(base, json=wire)
    assert (again.status_code, again.json()["category"]) == (409, "OBJECT_ALREADY_EXISTS")
    assert (await api.get(f"/crm/v3/properties/contacts/{wire['name']}")).json()["label"] == "Plan"


async def test_an_archived_property_comes_back_when_created(api: httpx.AsyncClient) -> None:
    path = "/crm/v3/properties/contacts"
    wire = {
        "name": "seats",
        "label": "Seats",
        "type": "number",
        "fieldType": "number",
        "groupName": "contactinformation",
    }
    assert (await api.delete(f"{path}/seats")).status_code == 204
    assert (await api.get(f"{path}/seats")).status_code == 404
    assert (await api.get(f"{path}/seats?archived=true")).json()["archived"] is True
    assert (await api.post(path, json=wire)).status_code == 201
    names = [one["name"] for one in (await api.get(path)).json()["results"]]
    assert "seats" in names
    assert (await api.delete(f"{path}/email")).status_code == 400


async def test_options_are_replaced_whole(api: httpx.AsyncClient) -> None:
    path = "/crm/v3/properties/companies/industry"
    changed = await api.patch(path, json={"options": [{"value": "FARMING", "label": "Farming"}]})
    assert [one["value"] for one in changed.json()["options"]] == ["FARMING"]


@pytest.mark.parametrize("path", ["/crm-object-schemas/v3/schemas", "/crm-object-schemas/2026-03/schemas"])
async def test_schemas_show_custom_objects(api: httpx.AsyncClient, path: str) -> None:
    schema = (await api.get(path)).json()["results"][0]
    assert sample("hubspot", "schema").keys() - schema.keys() == {"primaryDisplayProperty"}
    assert (schema["objectTypeId"], schema["fullyQualifiedName"]) == ("2-77", "p12345678_workspace")
    assert (await api.get(f"{path}/2-77")).json()["name"] == "workspace"


async def test_the_account_says_what_it_is(api: httpx.AsyncClient) -> None:
    details = (await api.get("/account-info/2026-03/details")).json()
    assert details.keys() == sample("hubspot", "account_details").keys()
    assert details["portalId"] == 12345678


async def grant(api: httpx.AsyncClient, **form: str) -> httpx.Response:
    client = {"client_id": "hubspot-client", "client_secret": "hubspot-client-secret"}
    return await api.post("/oauth/2026-03/token", data={**client, **form})


async def test_a_refreshed_token_lives_half_an_hour(
    portal: HubSpotSimulator, api: httpx.AsyncClient, now: ToldTime
) -> None:
    granted = (await grant(api, grant_type="refresh_token", refresh_token=FIRST_GRANT)).json()
    assert granted.keys() == sample("hubspot", "oauth_token").keys()
    assert (granted["expires_in"], granted["refresh_token"]) == (1800, "hubspot-refresh-token")
    bearer = {"authorization": f"Bearer {granted['access_token']}"}
    assert (await api.get("/crm/v3/objects/contacts", headers=bearer)).status_code == 200
    asked = {"token": granted["access_token"]}
    assert (await api.post("/oauth/v3/token/introspect", data=asked)).json()["hub_id"] == 12345678
    assert (await api.get(f"/oauth/v1/access-tokens/{granted['access_token']}")).json()["app_id"] == 4242
    assert granted["access_token"] not in str(portal.requests()["counters"])
    now.pass_ms(1_800_000)
    late = await api.get("/crm/v3/objects/contacts", headers=bearer)
    assert (late.status_code, late.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")


async def test_a_refresh_token_may_rotate_and_be_revoked(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    portal.change_settings(refresh_token_rotates=True)
    first = (await grant(api, grant_type="refresh_token", refresh_token=FIRST_GRANT)).json()
    stale = await grant(api, grant_type="refresh_token", refresh_token=FIRST_GRANT)
    assert stale.json()["status"] == sample("hubspot", "400_bad_refresh_token")["body"]["status"]
    assert (await grant(api, grant_type="refresh_token", refresh_token=first["refresh_token"])).status_code == 200
    await api.delete("/oauth/v1/refresh-tokens/any")
    assert (await grant(api, grant_type="refresh_token", refresh_token=first["refresh_token"])).status_code == 400


BACK = "http://app/back"
ASKED = {"client_id": "hubspot-client", "redirect_uri": BACK, "scope": "oauth timeline", "state": "s<1"}


async def sent_back(api: httpx.AsyncClient, decision: str, **more: str) -> dict[str, str]:
    """What the person's decision on the page sends to the app."""
    page = await api.get("/oauth/authorize", params=ASKED | more)
    assert page.status_code == 200
    assert f'value="{decision}"' in page.text
    assert "s<1" not in page.text
    sent = await api.get("/oauth/authorize/decision", params=ASKED | more | {"decision": decision})
    location, _, query = sent.headers["location"].partition("?")
    assert (sent.status_code, location) == (302, BACK)
    return dict(parse_qsl(query))


async def test_a_person_grants_or_declines_and_a_code_is_good_once(api: httpx.AsyncClient) -> None:
    assert await sent_back(api, "deny") == {
        "error": "access_denied",
        "error_description": "The user cancelled",
        "state": "s<1",
    }
    code = (await sent_back(api, "44120018"))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    granted = (await grant(api, **form)).json()
    assert (granted["hub_id"], granted["scopes"]) == (44120018, ["oauth", "timeline"])
    assert (await grant(api, **form)).json()["status"] == "BAD_AUTH_CODE"
    elsewhere = {**form, "code": (await sent_back(api, "12345678"))["code"], "redirect_uri": "http://app/other"}
    assert (await grant(api, **elsewhere)).status_code == 400
    bearer = {"authorization": f"Bearer {granted['access_token']}"}
    assert (await api.get("/crm/v3/objects/contacts", headers=bearer)).status_code == 403


async def test_a_challenge_wants_its_verifier(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    portal.change_settings(pkce_required=True)
    assert (await api.get("/oauth/authorize", params=ASKED)).status_code == 400
    asked = {"code_challenge": challenge_of("right"), "code_challenge_method": "S256"}
    for verifier, status in (("wrong", 400), ("right", 200)):
        code = (await sent_back(api, "12345678", **asked))["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier}
        assert (await grant(api, **form)).status_code == status


async def test_a_person_may_be_played(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    portal.change_settings(authorize="allow")
    sent = await api.get("/oauth/authorize", params=ASKED)
    assert "code=code-" in sent.headers["location"]
    assert (await api.get("/oauth/authorize", params=ASKED | {"client_id": "x"})).status_code == 400


async def test_unknown_tokens_and_missing_scopes_are_refused(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    stranger = await api.get("/crm/v3/objects/contacts", headers={"authorization": "Bearer nobody"})
    assert (stranger.status_code, stranger.json()["category"]) == (401, "INVALID_AUTHENTICATION")
    portal.change_settings(scopes=["crm.objects.contacts.read"])
    assert (await api.get("/crm/v3/objects/contacts")).status_code == 200
    assert (await api.post("/crm/v3/objects/contacts/batch/read", json=READ)).status_code == 200
    lacking = await api.get("/crm/v3/objects/deals")
    assert lacking.status_code == 403
    assert lacking.json()["errors"] == sample("hubspot", "403_missing_scopes")["body"]["errors"]


async def test_the_burst_limit_rolls(portal: HubSpotSimulator, api: httpx.AsyncClient, now: ToldTime) -> None:
    portal.change_settings(rate_limit=110)
    answers = [await api.get("/crm/v3/objects/contacts/1") for _ in range(111)]
    assert [answer.status_code for answer in answers] == [200] * 110 + [429]
    assert {"X-HubSpot-RateLimit-Max": "110", "X-HubSpot-RateLimit-Remaining": "109"}.items() <= {
        name: answers[0].headers[name] for name in sample("hubspot", "rate_headers")
    }.items()
    assert answers[-1].headers["X-HubSpot-RateLimit-Remaining"] == "0"
    assert answers[-1].json().keys() == sample("hubspot", "429_burst")["body"].keys()
    assert answers[-1].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    now.pass_ms(10_000)
    assert (await api.get("/crm/v3/objects/contacts/1")).status_code == 200


async def test_searches_have_a_limit_of_their_own(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    portal.change_settings(rate_limit=1, search_limit=5)
    answers = [await search(api) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].json()["message"] == sample("hubspot", "429_search")["body"]["message"]
    assert not [name for name in answers[0].headers if name.startswith("x-hubspot-ratelimit")]


def app_event(event_id: str, **more: Any) -> Any:
    return {**sample("hubspot", "app_event"), "id": event_id, "objectId": "1", **more}


async def test_app_events_need_oauth_and_are_all_or_nothing(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    path = "/integrators/timeline/2026-03/events"
    assert (await api.post(path, json=app_event("a"))).status_code == 403
    token = (await grant(api, grant_type="refresh_token", refresh_token=FIRST_GRANT)).json()["access_token"]
    api.headers["authorization"] = f"Bearer {token}"
    assert (await api.post(path, json=app_event("a"))).status_code == 200
    assert (await api.post(path, json=app_event("a"))).status_code == 409
    several = {"inputs": [app_event("b"), app_event("a")]}
    assert (await api.post(f"{path}/batch", json=several)).status_code == 409
    assert (await api.post(f"{path}/batch", json={"inputs": [app_event("b"), app_event("c")]})).status_code == 200
    assert [event["id"] for event in portal.list_events()] == ["a", "b", "c"]
    leads = app_event("f", objectTypeFullyQualifiedName="LEAD")
    for wrong in (app_event("x" * 501), app_event("d", objectId="999"), app_event("e", properties={"n": 1}), leads):
        assert (await api.post(path, json=wrong)).status_code == 400


async def test_declared_app_events_know_their_object(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    portal.change_settings(timeline_needs_oauth=False, timeline_event_types={"seen_company": "COMPANY"})
    path, event = "/integrators/timeline/2026-09/events", app_event("a", eventTypeName="seen_company", objectId="10")
    del event["objectTypeFullyQualifiedName"]
    assert (await api.post(path, json={**event, "eventTypeName": "nope"})).status_code == 400
    assert (await api.post(path, json={**event, "objectId": "1"})).status_code == 400
    assert (await api.post(path, json=event)).status_code == 200


async def test_custom_events_are_defined_and_never_deduplicated(
    portal: HubSpotSimulator, api: httpx.AsyncClient
) -> None:
    wire = {"label": "Flow started", "name": "flow_started", "propertyDefinitions": [{"name": "flow_name"}]}
    made = await api.post("/events/v3/event-definitions", json=wire)
    assert (made.status_code, made.json()["fullyQualifiedName"]) == (201, "pe12345678_flow_started")
    assert (await api.post("/events/2026-03/event-definitions", json=wire)).status_code == 409
    assert len((await api.get("/events/v3/event-definitions")).json()["results"]) == 1
    event = {"eventName": "pe12345678_flow_started", "objectId": "1", "properties": {"flow_name": "W"}}
    assert (await api.post("/events/2026-03/send", json=event)).status_code == 204
    assert (await api.post("/events/v3/send/batch", json={"inputs": [event, event]})).status_code == 204
    assert len(portal.list_events()) == 3
    unknown = {**event, "properties": {"nope": "x"}}
    assert (await api.post("/events/v3/send", json=unknown)).status_code == 400
