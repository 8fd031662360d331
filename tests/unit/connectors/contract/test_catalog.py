"""What the mappings in force make of a catalog."""

import dataclasses

from connectors.contract.catalog import fields_of
from schemas.records import ObjectMapping
from schemas.values import FieldDefinition
from tests.unit.pipeline.core.given import flow, mapping


def by_code(*, name: str = "by-code", unique: bool = True) -> ObjectMapping:
    view = mapping(flow("jobtitle", "title"), name=name, match_hubspot="code", match_userflow="id")
    return dataclasses.replace(view.record, match_hubspot_type="number", match_hubspot_unique=unique)


def test_the_fields_of_a_side_are_its_sources_targets_and_match_field() -> None:
    record = mapping(flow("jobtitle", "title"), flow("plan", "tier", "to_hubspot")).record
    assert fields_of("hubspot", [record])[0] == {"contacts": ("email", "jobtitle", "tier")}
    assert fields_of("userflow", [record])[0] == {"users": ("email", "title", "plan")}


def test_the_match_field_is_known_as_the_mapping_resolved_it() -> None:
    definitions = fields_of("hubspot", [by_code()])[1]
    assert definitions["contacts"]["code"] == FieldDefinition("code", "number", unique=True)


def test_another_mappings_rule_about_it_does_not_hide_that_it_is_unique() -> None:
    shows_code = mapping(flow("code", "shown_code", source_type="number")).record
    for mappings in ([by_code(), shows_code], [shows_code, by_code()]):
        assert fields_of("hubspot", mappings)[1]["contacts"]["code"].unique
