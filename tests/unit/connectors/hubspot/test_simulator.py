"""The simulated HubSpot's records: reading, writing, searching, joining, as the fact sheet says."""

from typing import Any

import httpx
import pytest

from connectors.hubspot.simulator import HubSpotSimulator
from tests.unit.connectors.simulation.simulated import ToldTime, ids, sample


async def read(api: httpx.AsyncClient, contact: str, *names: str, kind: str = "contacts") -> Any:
    answer = await api.get(f"/crm/v3/objects/{kind}/{contact}", params={"properties": ",".join(names)})
    return answer.json()["properties"]


async def update(api: httpx.AsyncClient, *inputs: Any, kind: str = "contacts") -> httpx.Response:
    return await api.post(f"/crm/objects/2026-03/{kind}/batch/update", json={"inputs": list(inputs)})


def row(contact: str, **properties: Any) -> Any:
    return {"id": contact, "properties": properties}


@pytest.mark.parametrize("prefix", ["/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09"])
@pytest.mark.parametrize("name", ["contacts", "contact", "0-1"])
async def test_every_spelling_leads_to_the_same_record(api: httpx.AsyncClient, prefix: str, name: str) -> None:
    answer = await api.get(f"{prefix}/{name}/1")
    assert answer.status_code == 200
    assert answer.json().keys() == sample("hubspot", "record").keys()
    assert answer.json()["properties"]["email"] == "annie@example.com"


@pytest.mark.parametrize(
    "path", ["/crm/objects/contacts/1", "/crm/v4/objects/contacts/1", "/crm/objects/2026-05/contacts/1"]
)
async def test_other_spellings_lead_nowhere(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(path)).status_code == 404


@pytest.mark.parametrize("name", ["2-77", "p12345678_workspace"])
async def test_a_custom_object_goes_by_id_and_by_name(api: httpx.AsyncClient, name: str) -> None:
    body = (await api.get(f"/crm/v3/objects/{name}/30?properties=slug")).json()
    assert body["properties"]["slug"] == "acme"
    assert body["updatedAt"] == body["properties"]["hs_lastmodifieddate"]


async def test_a_read_shows_what_was_asked_and_the_systems_three(api: httpx.AsyncClient) -> None:
    properties = await read(api, "1", "firstname", "jobtitle", "no_such_property")
    assert set(properties) == {"firstname", "jobtitle", "createdate", "lastmodifieddate", "hs_object_id"}
    assert properties["jobtitle"] is None


async def test_a_read_by_another_identifier(api: httpx.AsyncClient) -> None:
    by_email = await api.get("/crm/v3/objects/contacts/ANNIE@example.com?idProperty=email")
    assert by_email.json()["id"] == "1"
    refused = await api.get("/crm/v3/objects/contacts/Annie?idProperty=firstname")
    assert refused.status_code == 400


async def test_unknown_and_archived_records_are_not_found(api: httpx.AsyncClient) -> None:
    for contact in ("3", "999"):
        answer = await api.get(f"/crm/v3/objects/contacts/{contact}")
        assert answer.status_code == 404
        assert answer.json()["category"] == sample("hubspot", "404")["body"]["category"]
    archived = (await api.get("/crm/v3/objects/contacts/3?archived=true")).json()
    assert archived.keys() == sample("hubspot", "record_archived").keys()


async def test_history_names_its_writers(api: httpx.AsyncClient) -> None:
    await update(api, row("1", firstname="Ann"))
    shown = (await api.get("/crm/v3/objects/contacts/1?propertiesWithHistory=firstname")).json()
    versions = shown["propertiesWithHistory"]["firstname"]
    assert [(one["value"], one["sourceType"]) for one in versions] == [("Ann", "INTEGRATION"), ("Annie", "IMPORT")]


async def test_lists_are_paged_by_the_next_id(api: httpx.AsyncClient) -> None:
    first = (await api.get("/crm/v3/objects/contacts?limit=1")).json()
    assert ids(first["results"]) == ["1"]
    assert first["paging"]["next"]["after"] == "2"
    second = (await api.get("/crm/v3/objects/contacts?limit=1&after=2")).json()
    assert ids(second["results"]) == ["2"]
    assert "paging" not in second
    bin_ = (await api.get("/crm/v3/objects/contacts?archived=true")).json()
    assert ids(bin_["results"]) == ["3"]
    assert (await api.get("/crm/v3/objects/contacts?limit=101")).status_code == 400


async def test_a_batch_read_reports_what_is_missing_in_one_row(api: httpx.AsyncClient) -> None:
    body = {"inputs": [{"id": "1"}, {"id": "2"}, {"id": "3"}, {"id": "77"}], "properties": ["email"]}
    answer = await api.post("/crm/v3/objects/contacts/batch/read", json=body)
    assert answer.status_code == 207
    assert ids(answer.json()["results"]) == ["1", "2"]
    assert answer.json().keys() == sample("hubspot", "batch_read_207")["body"].keys()
    assert [(one["category"], one["context"]["ids"]) for one in answer.json()["errors"]] == [
        ("OBJECT_NOT_FOUND", ["3", "77"])
    ]
    whole = await api.post("/crm/v3/objects/contacts/batch/read", json={"inputs": [{"id": "1"}]})
    assert whole.status_code == 200
    assert whole.json().keys() == sample("hubspot", "batch_read")["body"].keys()


async def test_a_batch_read_by_email_finds_secondary_addresses_too(api: httpx.AsyncClient) -> None:
    body = {"inputs": [{"id": "old@example.com"}, {"id": "nobody@example.com"}], "idProperty": "email"}
    answer = (await api.post("/crm/v3/objects/contacts/batch/read", json=body)).json()
    assert answer["results"][0]["properties"]["email"] == "ben@example.com"
    assert answer["errors"][0]["context"]["ids"] == ["nobody@example.com"]


async def test_a_batch_takes_a_hundred(api: httpx.AsyncClient) -> None:
    inputs = [{"id": str(number)} for number in range(101)]
    assert (await api.post("/crm/v3/objects/contacts/batch/read", json={"inputs": inputs})).status_code == 400


async def test_an_update_writes_and_moves_the_modified_time(api: httpx.AsyncClient, now: ToldTime) -> None:
    before = await read(api, "1", "jobtitle")
    now.pass_ms(1)
    answer = await update(api, row("1", jobtitle="CEO"))
    assert answer.status_code == 200
    assert answer.json()["results"][0]["properties"]["jobtitle"] == "CEO"
    after = await read(api, "1", "jobtitle")
    assert after["jobtitle"] == "CEO"
    assert after["lastmodifieddate"] > before["lastmodifieddate"]
    await update(api, row("1", jobtitle="CEO"))
    assert (await read(api, "1", "jobtitle"))["lastmodifieddate"] == after["lastmodifieddate"]


async def test_a_missing_row_leaves_the_others_written(api: httpx.AsyncClient) -> None:
    answer = await update(api, row("1", jobtitle="CEO"), row("3", jobtitle="x"), row("88", jobtitle="x"))
    assert answer.status_code == 207
    assert ids(answer.json()["results"]) == ["1"]
    assert answer.json()["errors"][0]["context"]["ids"] == ["3", "88"]


async def test_an_unknown_property_refuses_the_whole_batch(api: httpx.AsyncClient) -> None:
    answer = await update(api, row("1", jobtitle="CEO"), row("2", nope="x"))
    assert answer.status_code == 400
    assert "PROPERTY_DOESNT_EXIST" in answer.json()["message"]
    assert '"name": "nope"' in answer.json()["message"]
    assert (await read(api, "1", "jobtitle"))["jobtitle"] is None


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("seats", "many", "INVALID_INTEGER"),
        ("vip", "yes", "INVALID_OPTION"),
        ("lifecyclestage", "Customer", "INVALID_OPTION"),
        ("hs_buying_role", "CHAMPION;KING", "INVALID_OPTION"),
        ("renewal", "2026-03-01T10:00:00Z", "INVALID_DATE"),
        ("email", "nonsense", "INVALID_EMAIL"),
        ("hs_email_domain", "x.io", "READ_ONLY_VALUE"),
        ("hs_object_id", "5", "READ_ONLY_VALUE"),
    ],
)
async def test_a_wrong_value_refuses_its_row(api: httpx.AsyncClient, name: str, value: str, code: str) -> None:
    answer = await update(api, row("1", **{name: value}), row("2", jobtitle="CEO"))
    assert answer.status_code == 207
    assert ids(answer.json()["results"]) == ["2"]
    error = answer.json()["errors"][0]
    assert (error["category"], error["context"]["ids"]) == ("VALIDATION_ERROR", ["1"])
    assert error["errors"][0]["code"] == code
    alone = await api.patch("/crm/v3/objects/contacts/1", json={"properties": {name: value}})
    assert alone.status_code == 400
    assert code in alone.json()["message"]


async def test_a_wrong_value_may_refuse_the_whole_batch(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    portal.change_settings(batch_value_errors="batch", error_details=False)
    answer = await update(api, row("1", seats="many"), row("2", jobtitle="CEO"))
    assert answer.status_code == 400
    assert "errors" not in answer.json()
    assert (await read(api, "2", "jobtitle"))["jobtitle"] is None


async def test_a_body_of_another_shape_is_refused(api: httpx.AsyncClient) -> None:
    bodies: list[Any] = [{"inputs": [{"properties": {}}]}, {"inputs": 1}, {}, [1]]
    for body in bodies:
        assert (await api.post("/crm/v3/objects/contacts/batch/update", json=body)).status_code == 400


async def test_the_same_id_twice_refuses_the_batch(api: httpx.AsyncClient) -> None:
    assert (await update(api, row("1", city="A"), row("1", city="B"))).status_code == 400


@pytest.mark.parametrize(
    ("name", "sent", "stored"),
    [
        ("seats", 42, "42"),
        ("seats", "42.0", "42.0"),
        ("vip", True, "true"),
        ("renewal", "1772323200000", "2026-03-01"),
        ("hs_buying_role", "CHAMPION;END_USER", "CHAMPION;END_USER"),
        ("hs_buying_role", ";CHAMPION", "CHAMPION"),
        ("city", " Paris ", " Paris "),
        ("firstname", "", ""),
    ],
)
async def test_values_are_stored_as_strings(api: httpx.AsyncClient, name: str, sent: Any, stored: str) -> None:
    await update(api, row("1", **{name: sent}))
    assert (await read(api, "1", name))[name] == stored


@pytest.mark.parametrize(
    ("name", "rule", "sent", "stored"),
    [
        ("seats", "number", "42.0", "42"),
        ("city", "trim", " Paris ", "Paris"),
        ("email", "lower", "A@X.io", "a@x.io"),
        ("lifecyclestage", "option_case", "CUSTOMER", "customer"),
    ],
)
async def test_a_rule_normalises_what_is_stored(
    portal: HubSpotSimulator, api: httpx.AsyncClient, name: str, rule: str, sent: str, stored: str
) -> None:
    portal.change_settings(normalise={f"contacts.{name}": rule})
    await update(api, row("1", **{name: sent}))
    assert (await read(api, "1", name))[name] == stored


async def test_the_lifecycle_moves_forward_only(api: httpx.AsyncClient) -> None:
    await update(api, row("1", lifecyclestage="customer"))
    await update(api, row("1", lifecyclestage="lead"))
    assert (await read(api, "1", "lifecyclestage"))["lifecyclestage"] == "customer"


async def test_a_workflow_rewrites_what_the_api_wrote(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    portal.change_settings(workflows={"contacts.city": "HQ"})
    answer = await update(api, row("1", city="Paris"))
    assert answer.json()["results"][0]["properties"]["city"] == "Paris"
    assert portal.read_object("contacts", "1")["properties"]["city"] == "HQ"
    portal.edit_object("contacts", "1", {"city": "Rome"})
    assert portal.read_object("contacts", "1")["properties"]["city"] == "Rome"


async def test_a_taken_unique_value_conflicts(api: httpx.AsyncClient) -> None:
    answer = await api.post("/crm/v3/objects/contacts", json={"properties": {"email": "annie@example.com"}})
    assert answer.status_code == 409
    assert answer.json()["message"] == "Contact already exists. Existing ID: 1"
    rows = (await update(api, row("2", external_id="u-1"))).json()["errors"]
    assert rows[0]["category"] == "CONFLICT"


async def test_records_made_by_the_api_are_counted(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    assert portal.created_by_api == 0
    one = await api.post("/crm/v3/objects/contacts", json={"properties": {"email": "new@example.com"}})
    inputs = [{"properties": {"name": "Cog"}}, {"properties": {"domain": "dog.example"}}]
    several = await api.post("/crm/v3/objects/companies/batch/create", json={"inputs": inputs})
    assert (one.status_code, several.status_code) == (201, 201)
    assert portal.created_by_api == 3
    assert portal.read_object("contacts", one.json()["id"])["created_by"] == "api"
    assert (await api.post("/crm/v3/objects/deals", json={"properties": {"amount": "1"}})).status_code == 400


async def test_archived_records_leave_reads_and_come_back(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    assert (await api.delete("/crm/v3/objects/contacts/1")).status_code == 204
    assert (await api.get("/crm/v3/objects/contacts/1")).status_code == 404
    portal.restore_object("contacts", "1")
    assert (await api.get("/crm/v3/objects/contacts/1")).status_code == 200
    body = {"inputs": [{"id": "1"}, {"id": "2"}]}
    assert (await api.post("/crm/v3/objects/contacts/batch/archive", json=body)).status_code == 204
    assert (await api.get("/crm/v3/objects/contacts")).json()["results"] == []


async def test_a_merge_makes_a_new_record_that_both_ids_lead_to(api: httpx.AsyncClient) -> None:
    body = {"primaryObjectId": "1", "objectIdToMerge": "2"}
    merged = (await api.post("/crm/v3/objects/contacts/merge", json=body)).json()
    assert merged["id"] not in ("1", "2")
    for old in ("1", "2"):
        found = (await api.get(f"/crm/v3/objects/contacts/{old}?properties=hs_merged_object_ids,email")).json()
        assert (found["id"], found["properties"]["hs_merged_object_ids"]) == (merged["id"], "1;2")
        assert found["properties"]["email"] == "annie@example.com"
    single = await api.patch("/crm/v3/objects/contacts/2", json={"properties": {"city": "Paris"}})
    assert single.json()["id"] == merged["id"]
    batch = (await update(api, row("2", city="Rome"))).json()
    assert (batch["results"], batch["errors"][0]["context"]["ids"]) == ([], ["2"])
    linked = (await api.get(f"/crm/v4/objects/contacts/{merged['id']}/associations/companies")).json()
    assert linked["results"][0]["toObjectId"] == "10"


async def test_a_merge_may_keep_the_primary_id(portal: HubSpotSimulator, api: httpx.AsyncClient) -> None:
    portal.change_settings(merge_makes_new_record=False, batch_read_resolves_merged=False)
    assert portal.merge_objects("contacts", "1", "2")["id"] == "1"
    body = {"inputs": [{"id": "1"}, {"id": "2"}]}
    answer = (await api.post("/crm/v3/objects/contacts/batch/read", json=body)).json()
    assert (ids(answer["results"]), answer["errors"][0]["context"]["ids"]) == (["1"], ["2"])


async def test_the_record_that_a_merge_made_is_no_older_than_the_merge(
    portal: HubSpotSimulator, api: httpx.AsyncClient, now: ToldTime
) -> None:
    portal.change_settings(read_lag_ms=5_000)
    merged = portal.merge_objects("contacts", "1", "2")["id"]
    assert (await api.get(f"/crm/v3/objects/contacts/{merged}")).status_code == 404
    now.pass_ms(5_000)
    assert (await read(api, merged, "email"))["email"] == "annie@example.com"


async def test_reads_lag_behind_writes(portal: HubSpotSimulator, api: httpx.AsyncClient, now: ToldTime) -> None:
    portal.change_settings(read_lag_ms=5_000)
    portal.edit_object("contacts", "1", {"city": "Paris"})
    created = portal.create_object("contacts", {"email": "late@example.com"})["id"]
    assert (await read(api, "1", "city"))["city"] is None
    assert (await api.get(f"/crm/v3/objects/contacts/{created}")).status_code == 404
    now.pass_ms(5_000)
    assert (await read(api, "1", "city"))["city"] == "Paris"
    assert (await api.get(f"/crm/v3/objects/contacts/{created}")).status_code == 200
