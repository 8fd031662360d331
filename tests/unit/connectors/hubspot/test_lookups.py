"""Which contacts HubSpot shows for match values: by id, by a unique property, by search; in how many calls."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from connectors.contract.errors import Refused
from connectors.contract.source import MOST_FOUND, Seen
from connectors.hubspot.protocol.limits import SEARCH_BODY_LIMIT
from schemas.values import FieldDefinition
from tests.unit.connectors.hubspot.account import DEFINITIONS, WANTED, Opened, opened

EMAIL = FieldDefinition("email", "string", unique=True)
CODE = FieldDefinition("code", "string", unique=True)
REF = FieldDefinition("ref", "string")
SEATS = FieldDefinition("seats", "number")
ID = FieldDefinition("hs_object_id", "string")


def portal(**settings: Any) -> Opened:
    """The seeded contacts 1 to 8, and properties to match by; of `ref` several may share a value."""
    case = opened(search_lag_ms=0, **settings)
    case.portal.define(
        {
            "properties": {
                "contacts": [
                    {"name": "ref", "type": "string"},
                    {"name": "code", "type": "string", "hasUniqueValue": True},
                ]
            }
        }
    )
    wanted = {**WANTED, "contacts": (*WANTED["contacts"], "ref", "code", "hs_object_id")}
    case.catalog.replace(wanted, DEFINITIONS)
    return case


def several(case: Opened, count: int, ref: str) -> None:
    for _ in range(count):
        case.portal.create_object("contacts", {"ref": ref, "firstname": "x"}, silent=True)
    case.now.pass_ms(1_000)


async def found(case: Opened, field: FieldDefinition, *values: str) -> Sequence[Seen]:
    return await case.account.source.look_up("contacts", field, values, "live_read")


def ids(seen: Sequence[Seen]) -> list[str]:
    return sorted(one.object_id for one in seen)


def paths(case: Opened) -> Counter[str]:
    return Counter(request.path.rpartition("/")[2] for request in case.transport.sent)


class TestUnique:
    async def test_contacts_are_found_by_email_in_one_call(self) -> None:
        case = portal()
        seen = await found(case, EMAIL, "person1@example.com", "nobody@example.com", "person3@example.com")
        assert ids(seen) == ["1", "3"]
        assert seen[0].fields["jobtitle"].value is not None
        assert paths(case) == {"read": 1}

    async def test_a_secondary_email_leads_to_the_contact_which_tells_its_own(self) -> None:
        case = portal()
        case.portal.edit_object("contacts", "1", {"hs_additional_emails": "old@example.com"})
        [seen] = await found(case, EMAIL, "old@example.com")
        assert (seen.object_id, seen.fields["email"].value) == ("1", "person1@example.com")

    async def test_a_property_with_unique_values(self) -> None:
        case = portal()
        case.portal.edit_object("contacts", "2", {"code": "Ada-1"})
        assert ids(await found(case, CODE, "Ada-1", "Bob-1")) == ["2"]
        assert paths(case) == {"read": 1}

    async def test_an_archived_contact_is_not_found(self) -> None:
        case = portal()
        case.portal.delete_object("contacts", "1")
        assert await found(case, EMAIL, "person1@example.com") == []

    async def test_record_ids_are_read_and_what_is_none_is_not_asked_for(self) -> None:
        case = portal()
        assert ids(await found(case, ID, "1", "ada@example.com", "999")) == ["1"]
        assert await found(case, ID, "ada@example.com") == ()
        assert paths(case) == {"read": 1}


class TestSearched:
    async def test_several_may_hold_a_value_in_any_letter_case(self) -> None:
        case = portal()
        for contact, ref in (("1", "Ada"), ("2", "ada"), ("3", "bob")):
            case.portal.edit_object("contacts", contact, {"ref": ref})
        case.now.pass_ms(1_000)
        seen = await found(case, REF, "Ada", "carl")
        assert {one.object_id: one.fields["ref"].value for one in seen} == {"1": "Ada", "2": "ada"}
        assert paths(case) == {"search": 1, "read": 1}

    async def test_a_number_is_found_by_its_text_and_no_text_is_asked_for(self) -> None:
        case = portal()
        case.portal.edit_object("contacts", "4", {"seats": "42"})
        case.now.pass_ms(1_000)
        [seen] = await found(case, SEATS, "42", "ada")
        assert (seen.object_id, seen.fields["seats"].value) == ("4", 42)
        assert await found(case, SEATS, "ada") == []

    async def test_what_the_lagging_index_shows_is_read_as_it_is_now(self) -> None:
        case = portal()
        case.portal.edit_object("contacts", "1", {"ref": "ada"})
        case.now.pass_ms(10_000)
        case.portal.change_settings(search_lag_ms=5_000)
        case.portal.edit_object("contacts", "1", {"ref": "bob"})
        [seen] = await found(case, REF, "ada")
        assert seen.fields["ref"].value == "bob"

    async def test_a_placeholder_costs_two_calls_and_shows_more_than_a_pair_keeps(self) -> None:
        case = portal()
        several(case, 500, "n/a")
        seen = await found(case, REF, "n/a")
        assert len(seen) == MOST_FOUND
        assert paths(case) == {"search": 1, "read": 1}

    async def test_placeholders_do_not_hide_the_others(self) -> None:
        case = portal()
        several(case, 400, "n/a")
        several(case, 300, "unknown")
        several(case, 2, "ada")
        seen = await found(case, REF, "n/a", "ada", "unknown", "bob")
        assert Counter(one.fields["ref"].value for one in seen) == {"n/a": MOST_FOUND, "unknown": MOST_FOUND, "ada": 2}
        assert paths(case)["search"] <= 4

    async def test_many_values_with_several_each_are_all_found(self) -> None:
        case = portal()
        for number in range(90):
            several(case, 20, f"ref-{number:03d}")
        seen = await found(case, REF, *(f"ref-{number:03d}" for number in range(90)))
        assert Counter(one.fields["ref"].value for one in seen) == {f"ref-{number:03d}": 20 for number in range(90)}
        assert paths(case)["search"] <= 31

    async def test_more_values_than_fit_into_one_request_are_asked_in_parts(self) -> None:
        case = portal()
        long = [f"{'x' * 90}{number}" for number in range(100)]
        case.portal.edit_object("contacts", "5", {"ref": long[77]})
        case.now.pass_ms(1_000)
        assert ids(await found(case, REF, *long)) == ["5"]
        assert all(len(request.body or b"") <= SEARCH_BODY_LIMIT for request in case.transport.sent)

    async def test_a_value_that_fits_into_no_request_is_refused(self) -> None:
        with pytest.raises(Refused, match="search_too_long"):
            await found(portal(), REF, "x" * SEARCH_BODY_LIMIT)
