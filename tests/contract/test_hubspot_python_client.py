"""HubSpot's own Python client against the simulator: what it sends is understood, what it is answered it can read."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

import pytest
from hubspot import HubSpot
from hubspot.crm.contacts import ApiException as ContactsError
from hubspot.crm.contacts import BatchResponseSimplePublicObjectWithErrors
from hubspot.crm.owners import ApiException as OwnersError
from hubspot.crm.properties import ApiException as PropertiesError
from hubspot.utils.signature import Signature

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.simulation import VendorClock, serve
from tests.unit.connectors.simulation.simulated import RECEIVER_URL, Receiver, ToldTime

T = TypeVar("T")

# the client has no types: a record, a page, an error body
Shown = Any

SEED = {
    "schemas": [{"name": "workspace", "objectTypeId": "2-77", "properties": [{"name": "slug", "type": "string"}]}],
    "properties": {
        "contacts": [
            {"name": "seats", "type": "number", "fieldType": "number"},
            {"name": "vip", "type": "bool", "fieldType": "booleancheckbox"},
            {"name": "tier", "type": "enumeration", "fieldType": "select", "options": [{"value": "gold"}]},
        ]
    },
    "objects": {
        "contacts": [
            {"id": str(one), "properties": {"email": f"person{one}@example.com", "jobtitle": f"Job {one}"}}
            for one in range(1, 13)
        ],
        "companies": [{"id": str(one), "properties": {"name": f"Company {one}"}} for one in range(101, 105)],
    },
    "associations": [{"from": ["contacts", "1"], "to": ["companies", str(one)]} for one in range(101, 105)],
}
QUIET: dict[str, Any] = {"latency_ms": 0, "rate_limit": None, "search_limit": None, "search_lag_ms": 0}


class Bench:
    """The client and the account it talks to. The client blocks, so its calls run in a thread."""

    def __init__(self, portal: HubSpotSimulator, url: str, receiver: Receiver, time: ToldTime) -> None:
        self.portal, self.receiver, self.time, self._url = portal, receiver, time, url
        self.client = self.with_token("pat-simulated")

    def with_token(self, token: str) -> Shown:
        return HubSpot(access_token=token, host=self._url)

    async def ask(self, call: Callable[[], T]) -> T:
        return await asyncio.to_thread(call)

    async def contact(self, contact: str, *names: str) -> Shown:
        """The properties of one contact."""
        get = self.client.crm.contacts.basic_api.get_by_id
        return (await self.ask(lambda: get(contact, properties=list(names)))).properties

    async def update(self, contact: str, **properties: str) -> Shown:
        patch = self.client.crm.contacts.basic_api.update
        return (await self.ask(lambda: patch(contact, {"properties": properties}))).properties


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    receiver, time = Receiver(), ToldTime()
    clock = VendorClock(wall=time, monotonic=time)
    settings = HubSpotSettings(**QUIET, webhook_target_url=RECEIVER_URL)
    portal = HubSpotSimulator(settings, clock=clock, webhook_transport=receiver.transport)
    portal.load(SEED)
    async with serve(portal) as url:
        yield Bench(portal, url, receiver, time)


async def test_every_property_asked_for_is_shown(bench: Bench) -> None:
    shown = await bench.contact("1", "email", "jobtitle", "seats")
    assert {"email", "jobtitle", "seats"} <= shown.keys()
    assert (shown["email"], shown["seats"]) == ("person1@example.com", None)


@pytest.mark.parametrize("cursors", ["plain", "opaque"])
async def test_a_crawl_by_its_cursors_sees_every_record_once(bench: Bench, cursors: str) -> None:
    bench.portal.change_settings(cursors=cursors)
    contacts = bench.client.crm.contacts.basic_api
    found: list[str] = []
    after: str | None = None
    while after is not None or not found:
        page = await bench.ask(partial(contacts.get_page, limit=5, after=after, properties=["email", "jobtitle"]))
        found += [record.properties["email"] for record in page.results]
        after = page.paging.next.after if page.paging else None
    assert found == [f"person{one}@example.com" for one in range(1, 13)]
    assert len(await bench.ask(bench.client.crm.contacts.get_all)) == 12


async def test_a_batch_read_tells_what_is_missing(bench: Bench) -> None:
    body = {"inputs": [{"id": "1"}, {"id": "2"}, {"id": "99"}], "properties": ["jobtitle"], "propertiesWithHistory": []}
    answer = await bench.ask(lambda: bench.client.crm.contacts.batch_api.read(body))
    assert isinstance(answer, BatchResponseSimplePublicObjectWithErrors)
    assert sorted(record.properties["jobtitle"] for record in answer.results) == ["Job 1", "Job 2"]
    assert [(one.category, one.context["ids"]) for one in answer.errors] == [("OBJECT_NOT_FOUND", ["99"])]


async def test_a_batch_update_writes_the_good_rows_and_tells_of_the_bad(bench: Bench) -> None:
    rows = [{"id": "1", "properties": {"seats": "7"}}, {"id": "2", "properties": {"seats": "many"}}]
    answer = await bench.ask(lambda: bench.client.crm.contacts.batch_api.update({"inputs": rows}))
    assert [(record.id, record.properties["seats"]) for record in answer.results] == [("1", "7")]
    assert answer.num_errors == 1
    assert (await bench.contact("1", "seats"))["seats"] == "7"


async def test_an_unknown_property_refuses_a_write(bench: Bench) -> None:
    with pytest.raises(ContactsError) as refused:
        await bench.update("1", nope="x")
    assert refused.value.status == 400
    assert "PROPERTY_DOESNT_EXIST" in json.loads(refused.value.body)["message"]


async def test_a_property_is_made_once(bench: Bench) -> None:
    properties = bench.client.crm.properties
    group = {"name": "userflow", "label": "Userflow"}
    await bench.ask(lambda: properties.groups_api.create("contacts", group))
    wanted = {"name": "plan", "label": "Plan", "type": "string", "fieldType": "text", "groupName": "userflow"}
    made = await bench.ask(lambda: properties.core_api.create("contacts", wanted))
    assert (made.name, made.hubspot_defined, made.options) == ("plan", False, [])
    with pytest.raises(PropertiesError) as again:
        await bench.ask(lambda: properties.core_api.create("contacts", wanted))
    body = json.loads(again.value.body)
    assert again.value.status == 409
    assert (body["category"], body["subCategory"]) == (
        "OBJECT_ALREADY_EXISTS",
        "Properties.PROPERTY_WITH_NAME_EXISTS",
    )


async def test_an_archived_property_is_left_out_until_it_is_made_again(bench: Bench) -> None:
    core = bench.client.crm.properties.core_api
    await bench.update("1", seats="7")
    await bench.ask(lambda: core.archive("contacts", "seats"))
    assert "seats" not in await bench.contact("1", "email", "seats")
    archived = (await bench.ask(lambda: core.get_all("contacts", archived=True))).results
    assert [(one.name, one.archived) for one in archived] == [("seats", True)]
    again = {"name": "seats", "label": "S", "type": "number", "fieldType": "number", "groupName": "contactinformation"}
    await bench.ask(lambda: core.create("contacts", again))
    assert (await bench.contact("1", "email", "seats"))["seats"] == "7"


async def test_a_property_that_may_not_be_read_any_more_is_listed_and_left_out(bench: Bench) -> None:
    bench.portal.change_settings(unreadable=["contacts.jobtitle"])
    assert "jobtitle" not in await bench.contact("1", "email", "jobtitle")
    listed = (await bench.ask(lambda: bench.client.crm.properties.core_api.get_all("contacts"))).results
    assert "jobtitle" in {one.name for one in listed}


async def test_options_kept_elsewhere_are_not_in_the_definition(bench: Bench) -> None:
    bench.portal.change_settings(external_options=["contacts.tier"])
    get = bench.client.crm.properties.core_api.get_by_name
    tier, owner = [await bench.ask(partial(get, "contacts", name)) for name in ("tier", "hubspot_owner_id")]
    assert (tier.external_options, tier.options) == (True, [])
    assert (owner.external_options, owner.options) == (True, [])
    assert (await bench.update("1", tier="gold", hubspot_owner_id="501"))["hubspot_owner_id"] == "501"
    for wrong in ({"tier": "brass"}, {"hubspot_owner_id": "9"}):
        with pytest.raises(ContactsError):
            await bench.update("1", **wrong)


async def test_owners_and_pipelines_tell_the_options(bench: Bench) -> None:
    owners = await bench.ask(lambda: bench.client.crm.owners.owners_api.get_page(limit=1))
    assert ([one.id for one in owners.results], owners.paging.next.after) == (["501"], "1")
    assert [one.id for one in await bench.ask(bench.client.crm.owners.get_all)] == ["501", "502"]
    pipelines = await bench.ask(lambda: bench.client.crm.pipelines.pipelines_api.get_all("deals"))
    [pipeline] = pipelines.results
    assert (pipeline.id, pipeline.stages[-1].id) == ("default", "closedlost")


async def test_owners_need_a_scope_of_their_own(bench: Bench) -> None:
    bench.portal.change_settings(scopes=["crm.objects.contacts.read"])
    with pytest.raises(OwnersError) as refused:
        await bench.ask(bench.client.crm.owners.get_all)
    assert (refused.value.status, json.loads(refused.value.body)["category"]) == (403, "MISSING_SCOPES")


async def test_a_single_checkbox_may_be_an_enumeration(bench: Bench) -> None:
    bench.portal.change_settings(checkbox_type="enumeration")
    shown = await bench.ask(lambda: bench.client.crm.properties.core_api.get_by_name("contacts", "vip"))
    assert (shown.type, shown.field_type) == ("enumeration", "booleancheckbox")
    assert [option.value for option in shown.options] == ["true", "false"]
    assert (await bench.update("1", vip="true"))["vip"] == "true"


@pytest.mark.parametrize(("mood", "kept"), [("ignored", "customer"), ("taken", "lead")])
async def test_a_stage_set_back_is_answered_200(bench: Bench, mood: str, kept: str) -> None:
    bench.portal.change_settings(lifecycle_backwards=mood)
    await bench.update("1", lifecyclestage="customer")
    assert (await bench.update("1", lifecyclestage="lead"))["lifecyclestage"] == kept
    assert (await bench.contact("1", "lifecyclestage"))["lifecyclestage"] == kept


async def test_a_stage_set_back_may_be_refused(bench: Bench) -> None:
    bench.portal.change_settings(lifecycle_backwards="refused")
    await bench.update("1", lifecyclestage="customer")
    with pytest.raises(ContactsError):
        await bench.update("1", lifecyclestage="lead")


async def test_a_write_may_be_ignored(bench: Bench) -> None:
    bench.portal.change_settings(ignored_writes=["contacts.jobtitle"])
    shown = await bench.update("1", jobtitle="Pilot", seats="3")
    assert (shown["jobtitle"], shown["seats"]) == ("Job 1", "3")


async def test_search_finds_a_change_only_later(bench: Bench) -> None:
    bench.portal.change_settings(search_lag_ms=30_000)
    filters = [{"propertyName": "jobtitle", "operator": "EQ", "value": "Pilot"}]
    body = {"filterGroups": [{"filters": filters}], "properties": ["jobtitle"], "limit": 10}
    await bench.update("1", jobtitle="Pilot")
    search = bench.client.crm.contacts.search_api.do_search
    assert (await bench.ask(lambda: search(body))).total == 0
    bench.time.pass_ms(31_000)
    assert [one.id for one in (await bench.ask(lambda: search(body))).results] == ["1"]


@pytest.mark.parametrize("cursors", ["plain", "opaque"])
async def test_associations_by_record_and_by_batch(bench: Bench, cursors: str) -> None:
    bench.portal.change_settings(cursors=cursors)
    associations = bench.client.crm.associations.v4
    first = await bench.ask(lambda: associations.basic_api.get_page("contacts", "1", "companies", limit=3))
    after = first.paging.next.after
    rest = await bench.ask(lambda: associations.basic_api.get_page("contacts", "1", "companies", after=after))
    assert [str(one.to_object_id) for one in (*first.results, *rest.results)] == ["101", "102", "103", "104"]
    asked = {"inputs": [{"id": "1"}]}
    [row] = (await bench.ask(lambda: associations.batch_api.get_page("contacts", "companies", asked))).results
    assert (row._from.id, len(row.to), row.to[0].association_types[0].type_id) == ("1", 4, 279)


async def test_a_merge_leads_to_a_new_record(bench: Bench) -> None:
    merge = bench.client.crm.contacts.basic_api.merge
    survivor = await bench.ask(lambda: merge({"primaryObjectId": "1", "objectIdToMerge": "2"}))
    assert survivor.id not in ("1", "2")
    get = bench.client.crm.contacts.basic_api.get_by_id
    assert (await bench.ask(lambda: get("2"))).id == survivor.id


async def test_a_record_in_the_bin_is_shown_when_asked_for(bench: Bench) -> None:
    contacts = bench.client.crm.contacts.basic_api
    bench.portal.delete_object("contacts", "3")
    with pytest.raises(ContactsError) as missing:
        await bench.ask(lambda: contacts.get_by_id("3"))
    assert missing.value.status == 404
    assert (await bench.ask(lambda: contacts.get_by_id("3", archived=True))).archived_at is not None


async def test_the_accounts_own_types_are_told(bench: Bench) -> None:
    [schema] = (await bench.ask(bench.client.crm.schemas.core_api.get_all)).results
    assert (schema.object_type_id, schema.fully_qualified_name) == ("2-77", "p12345678_workspace")
    assert "slug" in {one.name for one in schema.properties}


async def test_a_grant_is_renewed_and_a_wrong_token_refused(bench: Bench) -> None:
    grant = {
        "grant_type": "refresh_token",
        "client_id": "hubspot-client",
        "client_secret": "hubspot-client-secret",
        "refresh_token": "hubspot-refresh-token",
    }
    token = await bench.ask(lambda: bench.client.oauth.tokens_api.create(**grant))
    granted, wrong = bench.with_token(token.access_token), bench.with_token("pat-wrong")
    assert token.expires_in == 1800
    assert (await bench.ask(lambda: granted.crm.contacts.basic_api.get_by_id("1"))).id == "1"
    with pytest.raises(ContactsError) as refused:
        await bench.ask(lambda: wrong.crm.contacts.basic_api.get_by_id("1"))
    assert refused.value.status == 401


async def test_the_limit_is_told_by_status_and_headers(bench: Bench) -> None:
    bench.portal.change_settings(rate_limit=1)
    await bench.contact("1")
    with pytest.raises(ContactsError) as limited:
        await bench.contact("1")
    assert (limited.value.status, limited.value.headers["X-HubSpot-RateLimit-Remaining"]) == (429, "0")
    assert json.loads(limited.value.body)["policyName"] == "TEN_SECONDLY_ROLLING"


async def test_its_check_of_signatures_takes_our_webhooks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    # its clock is ours, the simulated account's is told
    monkeypatch.setattr(Signature, "_is_timestamp_valid", staticmethod(lambda timestamp: True))
    bench.portal.edit_object("contacts", "1", {"jobtitle": "Pilot"})
    await bench.receiver.until(1)
    [request] = bench.receiver.requests
    body, secret = request.raw.decode(), bench.portal.settings.app_secret
    v1, v3 = request.headers["x-hubspot-signature"], request.headers["x-hubspot-signature-v3"]
    timestamp = request.headers["x-hubspot-request-timestamp"]
    assert Signature.is_valid(v1, secret, body, signature_version="v1")
    assert Signature.is_valid(v3, secret, body, RECEIVER_URL, "POST", "v3", timestamp)
    assert not Signature.is_valid(v3, secret, body + " ", RECEIVER_URL, "POST", "v3", timestamp)
