"""Mappings that are tried look as an apply would leave them, and nothing else changes."""

from dataclasses import replace

from pipeline.agents.configuration import Configuration, IntegrationView
from pipeline.provisioning.mapping_writes import as_applied, mapping_writes
from schemas.configuration import ConnectorState, IntegrationPart, IntegrationSettings, SystemSettings
from schemas.records import ObjectMapping
from schemas.topics import INTEGRATIONS, MAPPINGS
from tests.unit.pipeline.core.given import flow, mapping

OLD = mapping(flow("jobtitle", "title")).record
NEW = replace(mapping(flow("jobtitle", "title"), flow("company.name", "company")).record, revision=5)
OTHER = replace(OLD, name="companies")
ELSEWHERE = replace(OLD, integration="globex")


def parts() -> dict[str, IntegrationPart]:
    account = SystemSettings("1")
    settings = IntegrationSettings(1, 4, 4, "active", "a", "done", None, "", account, account)
    whole = {f"{type}/{name}": 4 for type in ("contacts", "users") for name in (OLD.name, OTHER.name)}
    told = ConnectorState(1, 1, 1, "ok", whole=whole)
    made = {"acme/settings": IntegrationPart("acme", settings=settings)}
    return made | {f"acme/{system}": IntegrationPart("acme", connector=told) for system in ("hubspot", "userflow")}


def present() -> dict[str, ObjectMapping]:
    rows = {f"acme/{one.name}": one for one in (OLD, OTHER)}
    return {**rows, f"globex/{ELSEWHERE.name}": ELSEWHERE}


def view(*wanted: ObjectMapping) -> IntegrationView:
    """What agents would see."""
    configuration = Configuration()
    mappings, rows = as_applied("acme", wanted, present(), parts())
    assert mappings[f"globex/{ELSEWHERE.name}"] == ELSEWHERE
    for key, row in mappings.items():
        configuration.apply(MAPPINGS, key, row)
    for key, part in rows.items():
        configuration.apply(INTEGRATIONS, key, part)
    found = configuration.view("acme")
    assert found is not None
    return found


def test_what_is_tried_is_seen_as_it_would_be_in_force() -> None:
    tried = view(NEW, replace(OTHER, revision=5))
    assert tried.revision == 5
    (written,) = mapping_writes("acme", (NEW, replace(OTHER, revision=5)), present())
    assert tried.mappings[NEW.name].record == written.record
    assert tried.mappings[OTHER.name].record == OTHER, "what stays as it is keeps its revision, and what was settled"


def test_what_was_read_whole_under_other_rules_counts_as_read_no_more() -> None:
    names = {one.rpartition("/")[2] for one in view(NEW, replace(OTHER, revision=5)).whole}
    assert names == {OTHER.name}


def test_a_mapping_that_is_left_out_is_gone() -> None:
    assert set(view(replace(OLD, revision=5)).mappings) == {OLD.name}
