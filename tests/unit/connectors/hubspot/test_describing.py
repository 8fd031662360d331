"""What HubSpot says of single properties: options kept elsewhere, checkboxes, what no record shows."""

import pytest

from connectors.contract.source import Seen
from schemas.configuration import DescribedField
from schemas.values import FieldDefinition
from tests.unit.connectors.hubspot.account import Opened, opened, write

OWNER = "hubspot_owner_id"


async def described(case: Opened, object_type: str, *names: str) -> dict[str, DescribedField]:
    found = (await case.account.setup.describe({object_type: names})).fields
    return {field.name: field for field in found}


async def test_owners_and_stages_are_read_where_an_api_gives_them() -> None:
    case = opened(external_options=("deals.dealstage", "deals.pipeline"), owners=tuple(map(str, range(1_200))))
    found = await described(case, "deals", OWNER, "dealstage", "pipeline", "dealtype")
    assert [field.external for field in found.values()] == [True, True, True, False]
    assert found[OWNER].options == tuple(map(str, range(1_200)))
    assert found["dealstage"].options[-1] == "closedlost"
    assert found["pipeline"].options == ("default",)


@pytest.mark.parametrize("path", ["/owners/", "/pipelines/"])
@pytest.mark.parametrize("status", [403, 404])
async def test_where_it_does_not_hubspot_judges(path: str, status: int) -> None:
    case = opened(external_options=("deals.dealstage",))
    case.strike(action="status", status=status, path_contains=path)
    found = await described(case, "deals", OWNER, "dealstage")
    assert not all(field.options for field in found.values())
    assert all(field.external for field in found.values())


async def test_an_option_kept_where_no_api_gives_it_is_hubspots_to_judge() -> None:
    case = opened()
    tier = {"name": "tier", "type": "enumeration", "fieldType": "select", "options": [{"value": "gold"}]}
    case.portal.define({"properties": {"contacts": [{**tier, "externalOptions": True}]}})
    found = (await described(case, "contacts", "tier"))["tier"]
    assert (found.external, found.options, found.type) == (True, (), "enumeration")


async def test_a_single_checkbox_is_a_yes_or_no_however_it_is_typed() -> None:
    case = opened(checkbox_type="enumeration")
    assert [(field.type, field.options) for field in (await described(case, "contacts", "vip")).values()] == [
        ("boolean", ())
    ]
    case.catalog.replace({"contacts": ("vip",)}, {"contacts": {"vip": FieldDefinition("vip", "boolean")}})
    await case.write(write("1", vip=True), write("2", vip=False))
    one, two, three = await case.account.source.read("contacts", ["1", "2", "3"], "live_read")
    assert isinstance(one, Seen) and isinstance(two, Seen) and isinstance(three, Seen)
    assert [found.fields["vip"].value for found in (one, two, three)] == [True, False, None]


async def test_a_single_checkbox_with_other_options_stays_a_choice() -> None:
    case = opened()
    odd = {"name": "odd", "type": "enumeration", "fieldType": "booleancheckbox", "options": [{"value": "on"}]}
    case.portal.define({"properties": {"contacts": [odd]}})
    assert (await described(case, "contacts", "odd"))["odd"].type == "enumeration"


async def test_what_records_are_shown_without_is_told() -> None:
    case = opened(unreadable=("contacts.seats",))
    found = await described(case, "contacts", "email", "seats", "jobtitle")
    assert [name for name, field in found.items() if field.unreadable] == ["seats"]


async def test_a_type_without_records_hides_nothing() -> None:
    case = opened(unreadable=("tickets.subject",))
    assert not (await described(case, "tickets", "subject"))["subject"].unreadable


async def test_where_no_record_may_be_read_the_properties_are_told_all_the_same() -> None:
    case = opened()
    case.strike(action="status", status=403, path_contains="/crm/objects/")
    assert [field.name for field in (await described(case, "contacts", "email")).values()] == ["email"]
