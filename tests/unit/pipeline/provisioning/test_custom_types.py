"""A custom object type in a file, once the account has told of it."""

import pytest

from pipeline.provisioning.custom_types import resolved
from schemas.configuration import DescribedType
from tests.unit.pipeline.integration_file.files import GOOD, loaded

PET = "      - {from: weight, to: kilos}\n      - company.name\n"


def told(spelled: str) -> tuple[DescribedType, ...]:
    return (DescribedType("2-78", "2-78", "toy"), DescribedType(spelled, "2-77", "Pet"))


@pytest.mark.parametrize(("spelled", "asked_for"), [("2-77", "2-77"), ("p123_Pet", "p123_Pet"), ("p123_Pet", "2-77")])
def test_it_becomes_its_id_and_its_fields_are_named_after_the_schema(spelled: str, asked_for: str) -> None:
    file = loaded(GOOD.replace("hubspot: contacts", f"hubspot: {spelled}") + PET)
    found = resolved(file, told(asked_for))
    assert found.mappings[0].hubspot_type == "2-77"
    targets = [rule.target for rule in found.mappings[0].to_userflow]
    assert targets == ["hubspot_pet_jobtitle", "kilos", "hubspot_company_name"]
    assert found.positions == file.positions


def test_a_type_that_is_not_told_of_stays_as_it_is() -> None:
    file = loaded(GOOD.replace("hubspot: contacts", "hubspot: p123_bird"))
    assert resolved(file, told("p123_pet")) == file
    assert file.mappings[0].to_userflow[0].target == "hubspot_bird_jobtitle"


def test_a_standard_type_is_left_alone() -> None:
    assert resolved(loaded(GOOD), told("2-77")) == loaded(GOOD)
