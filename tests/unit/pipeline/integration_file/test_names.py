"""Default names and object types."""

import pytest

from pipeline.integration_file.names import (
    account_of_type,
    associated,
    default_target,
    is_custom_type,
    object_word,
)
from schemas.values import System


@pytest.mark.parametrize(
    ("target", "source_type", "source", "name"),
    [
        ("userflow", "contacts", "jobtitle", "hubspot_contact_jobtitle"),
        ("userflow", "contacts", "company.name", "hubspot_company_name"),
        ("userflow", "companies", "industry", "hubspot_company_industry"),
        ("userflow", "deals", "contact.Email", "hubspot_contact_email"),
        ("userflow", "p12_Cars", "Top Speed", "hubspot_cars_top_speed"),
        ("userflow", "2-123456", "name", "hubspot_2_123456_name"),
        ("hubspot", "users", "signed_up_at", "userflow_user_signed_up_at"),
        ("hubspot", "users", "Größe (cm)", "userflow_user_gr__e__cm_"),
        ("hubspot", "companies", "billing-plan", "userflow_company_billing_plan"),
    ],
)
def test_the_default_name_of_a_target(target: System, source_type: str, source: str, name: str) -> None:
    assert default_target(target, source_type, source) == name


def test_a_custom_type_takes_its_schema_name_once_it_is_known() -> None:
    assert object_word("2-123456", {"2-123456": "Pet"}) == "pet"
    assert default_target("userflow", "2-123456", "name", {"2-123456": "Pet"}) == "hubspot_pet_name"


@pytest.mark.parametrize(
    ("text", "custom"),
    [("2-1", True), ("p12_car", True), ("2-", False), ("3-1", False), ("p_car", False), ("contacts", False)],
)
def test_the_spellings_of_a_custom_type(text: str, custom: bool) -> None:
    assert is_custom_type(text) is custom


def test_a_named_custom_type_says_whose_it_is() -> None:
    assert (account_of_type("p12_car"), account_of_type("2-12")) == (12, None)


def test_an_associated_field_starts_with_the_word_of_an_object_type() -> None:
    assert associated("company.name") == ("companies", "name")
    assert (associated("name"), associated("companies.name"), associated("a.b")) == (None, None, None)
