"""Describing, provisioning and probing a HubSpot account, and opening one."""

from dataclasses import replace

import pytest

from connectors.contract.catalog import Catalog
from connectors.contract.consent import GrantedAccess
from connectors.contract.errors import CredentialsRejected, Misconfigured, Refused
from connectors.hubspot.account import assemble, open_account
from connectors.hubspot.setup import MOST_PROPERTIES
from connectors.hubspot.simulator.definitions import Property
from connectors.simulation.server import serve
from schemas.configuration import DescribedType
from tests.unit.connectors.hubspot.account import OAUTH, WANTED, AsgiTransport, field_of, opened, opening


async def test_wanted_properties_that_exist_are_described() -> None:
    case = opened()
    found = (
        await case.account.setup.describe(WANTED | {"contacts": ("email", "seats", "hs_email_domain", "no_such")})
    ).fields
    told = {(field.object_type, field.name): (field.type, field.read_only) for field in found}
    assert told == {
        ("contacts", "email"): ("string", False),
        ("contacts", "seats"): ("number", False),
        ("contacts", "hs_email_domain"): ("string", True),
        ("companies", "name"): ("string", False),
        ("companies", "numberofemployees"): ("number", False),
        ("deals", "dealname"): ("string", False),
        ("deals", "amount"): ("number", False),
        ("deals", "closedate"): ("datetime", False),
        ("2-77", "slug"): ("string", False),
        ("2-77", "seats"): ("number", False),
    }


async def test_values_that_no_two_records_share_are_described_as_unique() -> None:
    case = opened()
    unique = {"name": "code", "type": "string", "hasUniqueValue": True}
    case.portal.define({"properties": {"contacts": [unique], "companies": [{"name": "email", "type": "string"}]}})
    wanted = {"contacts": ("email", "code", "jobtitle"), "companies": ("email",)}
    found = (await case.account.setup.describe(wanted)).fields
    assert [(field.object_type, field.name) for field in found if field.unique] == [
        ("contacts", "email"),
        ("contacts", "code"),
    ]


async def test_a_custom_type_that_does_not_exist_is_left_out() -> None:
    case = opened()
    found = (await case.account.setup.describe({"2-999": ("name",), "contacts": ("email",)})).fields
    assert [(field.object_type, field.name) for field in found] == [("contacts", "email")]


async def test_no_name_asks_for_every_property_of_a_type_and_leaves_out_types_that_may_not_be_read() -> None:
    case = opened()
    found = (await case.account.setup.describe({"contacts": (), "companies": ("name",)})).fields
    assert {field.name for field in found if field.object_type == "contacts"} > {"email", "seats", "hs_email_domain"}
    assert [field.name for field in found if field.object_type == "companies"] == ["name"]
    assert all(not field.options for field in found if field.object_type == "contacts")
    case.strike(action="status", status=403, path_contains="/companies")
    left = (await case.account.setup.describe({"contacts": (), "companies": ()})).fields
    assert {field.object_type for field in left} == {"contacts"}


async def test_a_standard_type_that_is_refused_is_an_error() -> None:
    case = opened()
    case.strike(action="status", status=400, path_contains="/properties/")
    with pytest.raises(Refused):
        await case.account.setup.describe({"contacts": ("email",)})


async def test_a_custom_type_by_its_name() -> None:
    case = opened()
    found = await case.account.setup.describe({"p12345678_workspace": ("slug",), "contacts": ("email",)})
    assert [(field.object_type, field.name) for field in found.fields] == [
        ("p12345678_workspace", "slug"),
        ("contacts", "email"),
    ]
    assert found.types == [DescribedType("p12345678_workspace", "2-77", "workspace")]


async def test_a_custom_type_whose_schema_may_not_be_read_has_its_fields_all_the_same() -> None:
    case = opened()
    case.strike(action="status", status=403, path_contains="schemas")
    found = await case.account.setup.describe({"2-77": ("slug",)})
    assert ([field.name for field in found.fields], found.types) == (["slug"], ())


CREATE = [
    field_of("contacts", "userflow_user_plan", "enumeration", "free", "pro"),
    field_of("contacts", "userflow_user_active", "boolean"),
    field_of("contacts", "userflow_user_signed_up_at", "datetime"),
    field_of("contacts", "userflow_user_roles", "multi_select", "admin", "owner"),
    field_of("contacts", "userflow_user_tags", "list"),
    field_of("2-77", "userflow_company_seats", "number"),
]


async def test_missing_properties_are_made_once() -> None:
    case = opened()
    assert (await case.account.setup.provision({}, CREATE)).webhook_secret is None
    wanted = {"contacts": tuple(field.name for field in CREATE[:5]), "2-77": ("userflow_company_seats",)}
    found = {
        field.name: (field.label, field.type, field.options)
        for field in (await case.account.setup.describe(wanted)).fields
    }
    assert found == {
        field.name: (field.label, "string" if field.type == "list" else field.type, field.options) for field in CREATE
    }
    definitions = case.portal.portal.definitions
    assert definitions.groups["0-1"]["userflow"]["label"] == "Userflow"
    writes = [request for request in case.transport.sent if request.kind == "write"]
    assert len(writes) == 8
    await case.account.setup.provision({}, CREATE)
    assert [request for request in case.transport.sent if request.kind == "write"] == writes


async def test_an_archived_property_comes_back() -> None:
    case = opened()
    await case.account.setup.provision({}, CREATE[-1:])
    definitions = case.portal.portal.definitions
    kind = definitions.resolve("2-77")
    definitions.archive(kind, "userflow_company_seats", case.portal.now_ms())
    await case.account.setup.provision({}, CREATE[-1:])
    assert definitions.get(kind, "userflow_company_seats") is not None


async def test_an_archived_property_is_described_as_what_it_was() -> None:
    case = opened()
    await case.account.setup.provision({}, CREATE[-1:])
    definitions = case.portal.portal.definitions
    definitions.archive(definitions.resolve("2-77"), "userflow_company_seats", case.portal.now_ms())
    (found,) = (await case.account.setup.describe({"2-77": ("userflow_company_seats",)})).fields
    assert (found.name, found.type, found.archived) == ("userflow_company_seats", "number", True)


async def test_a_name_that_does_not_exist_brings_the_nearest_that_does() -> None:
    found = (await opened().account.setup.describe({"contacts": ("jobtitel",)})).fields
    assert [field.name for field in found] == ["jobtitle"]


async def test_nothing_is_made_where_one_type_has_no_room() -> None:
    case = opened()
    definitions = case.portal.portal.definitions
    kind = definitions.resolve("2-77")
    for number in range(MOST_PROPERTIES):
        definitions.put(kind, Property(f"own_{number}", "Own", "string", "text", "workspace_information"))
    with pytest.raises(Misconfigured, match="too_many_properties"):
        await case.account.setup.provision({}, CREATE)
    assert not any(request.kind == "write" for request in case.transport.sent)


async def test_a_property_that_somebody_else_makes_meanwhile_is_fine() -> None:
    case = opened()
    case.strike(action="status", status=409, method="POST")
    assert (await case.account.setup.provision({}, CREATE)).webhook_secret is None


async def test_nothing_is_done_in_another_account() -> None:
    case = opened(account="999")
    with pytest.raises(Misconfigured, match="wrong_account"):
        await case.account.setup.probe()
    with pytest.raises(Misconfigured, match="wrong_account"):
        await case.account.setup.describe(WANTED)
    with pytest.raises(Misconfigured, match="wrong_account"):
        await case.account.setup.provision({}, CREATE)
    assert all(request.path.endswith("/details") for request in case.transport.sent)


async def test_a_probe_is_one_read() -> None:
    case = opened()
    await case.account.setup.probe()
    assert [request.kind for request in case.transport.sent] == ["read"]
    case.strike(action="status", status=401)
    with pytest.raises(CredentialsRejected):
        await case.account.setup.probe()


async def test_a_grant_opens_the_account_and_a_new_refresh_token_is_kept() -> None:
    case = opened(refresh_token_rotates=True)
    kept: list[GrantedAccess] = []

    async def keep(access: GrantedAccess) -> None:
        kept.append(access)

    given = opening(case.catalog, secrets={name: OAUTH[name] for name in OAUTH if name != "client_id"}, options=OAUTH)
    account = assemble(replace(given, store_grant=keep), AsgiTransport(case.portal.app))
    await account.setup.probe()
    assert len(kept) == 1
    assert kept[0].refresh_token != OAUTH["refresh_token"]
    assert kept[0].account == "12345678"
    assert "crm.objects.contacts.read" in kept[0].scopes


async def test_an_account_over_the_network() -> None:
    case = opened()
    async with serve(case.portal) as url:
        account = await open_account(opening(case.catalog, api_url=url))
        try:
            await account.setup.probe()
            assert account.system == "hubspot"
        finally:
            await account.close()


async def test_what_cannot_be_opened() -> None:
    with pytest.raises(Misconfigured, match="no_credentials"):
        await open_account(opening(Catalog(), secrets={}))
    with pytest.raises(CredentialsRejected, match="not_granted"):
        await open_account(opening(Catalog(), secrets={"client_id": "a", "client_secret": "b"}))


@pytest.mark.parametrize("status", [403, 404])
async def test_a_token_that_may_not_read_the_account_is_shown_by_a_page_of_records(status: int) -> None:
    case = opened()
    case.strike(action="status", status=status, path_contains="/account-info/")
    found = (await case.account.setup.describe({"contacts": ("email",)})).fields
    assert [field.name for field in found] == ["email"]


async def test_giving_up_revokes_the_grant_once_and_a_token_is_its_makers() -> None:
    case = opened(secrets=OAUTH)
    await case.account.setup.probe()
    await case.account.setup.give_up()
    assert [one.path for one in case.transport.sent if one.path.endswith("/revoke")] == ["/oauth/2026-03/token/revoke"]
    await case.account.setup.give_up()
    again = opened(secrets=OAUTH)
    again.portal, again.transport.app = case.portal, case.portal.app
    with pytest.raises(CredentialsRejected):
        await again.account.setup.probe()
    fixed = opened()
    await fixed.account.setup.give_up()
    assert fixed.transport.sent == []
