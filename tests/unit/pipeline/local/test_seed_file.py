"""Seed files: the shipped ones load and pair, and every mistake is named with file and place."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.hubspot.simulator import HubSpotSimulator
from connectors.userflow.simulator import UserflowSimulator
from pipeline.local.seed_file import MODELS, SHIPPED, SeedUnreadable, _model_in, read_seed, shipped
from pipeline.local.welcome import DEMO_CONTACT, DEMO_USER


def written(folder: Path, content: Any) -> Path:
    path = folder / "seed.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_shipped_files_are_200_contacts_and_150_users_100_of_them_in_both() -> None:
    hubspot, userflow = HubSpotSimulator(), UserflowSimulator()
    hubspot.load(read_seed("hubspot", shipped("hubspot")))
    userflow.load(read_seed("userflow", shipped("userflow")))

    contacts, users = hubspot.list_objects("contacts"), userflow.list_objects("users")
    emails = {contact["properties"]["email"] for contact in contacts}
    assert (len(contacts), len(users)) == (200, 150)
    assert sum(user["attributes"]["email"] in emails for user in users) == 100
    contact, user = hubspot.read_object("contacts", DEMO_CONTACT), userflow.read_object("users", DEMO_USER)
    assert contact["properties"]["email"] == user["attributes"]["email"]


@pytest.mark.parametrize(
    ("system", "content", "message"),
    [
        ("hubspot", [], "a list where an object with any of these keys is needed: schemas, properties, objects"),
        ("userflow", "3", "int where an object"),
        ("userflow", "{", "no JSON in UTF-8"),
        ("userflow", "[" * 100_000, "no JSON in UTF-8"),
        ("userflow", '{"users": [{"id": "1"}], "users": []}', "no JSON in UTF-8: the key 'users' stands twice"),
        ("userflow", '{"users": [{"id": "1", "attributes": {"seats": NaN}}]}', "no JSON in UTF-8: NaN is no number"),
        ("hubspot", {"object": {}}, "object: unknown key; did you mean objects?"),
        ("hubspot", {"objects": []}, "objects: input should be a valid dictionary"),
        (
            "hubspot",
            {"objects": {"contacts": [{"id": "1", "propertis": {}}]}},
            "objects.contacts[0].propertis: unknown key; did you mean properties?",
        ),
        ("hubspot", {"objects": {"contacts": [{"id": "x"}]}}, "objects.contacts[0].id: string should match pattern"),
        ("hubspot", {"associations": [{"from": ["contacts"], "to": ["a", "1"]}]}, "associations[0].from: list should"),
        ("hubspot", {"objects": {"contacts": [{"createdAt": "yesterday"}]}}, "objects.contacts[0].createdAt"),
        (
            "userflow",
            {"users": [{"id": "1", "created_at": "2026-01-31"}]},
            "users[0].created_at: value error, no instant",
        ),
        (
            "hubspot",
            {"objects": {"contacts": [{"id": "1"}, {"id": "1"}]}},
            "objects.contacts[1].id: given twice; give each record an id of its own",
        ),
        ("userflow", {"users": [{"id": "1"}, {"id": "1"}]}, "users[1].id: given twice"),
        (
            "hubspot",
            {
                "objects": {"contacts": [{"id": "1"}]},
                "associations": [{"from": ["contacts", "1"], "to": ["companies", "2"]}],
            },
            "associations[0].to: no record of the file has this type and id",
        ),
        (
            "userflow",
            {"attribute_definitions": [{"name": "a", "scope": "users", "data_type": "text"}]},
            "attribute_definitions[0].scope: input should be 'user', 'group' or 'event'",
        ),
        ("userflow", {"users": [{"attributes": {}}]}, "users[0].id: field required"),
        ("userflow", {"users": [{"id": "1", "group": ["g"]}]}, "users[0].group: unknown key; did you mean groups?"),
        ("userflow", {"users": [{"id": "1", "qqq": 1}]}, "users[0].qqq: unknown key"),
    ],
)
def test_a_mistake_is_named_with_file_and_place(tmp_path: Path, system: str, content: Any, message: str) -> None:
    path = written(tmp_path, content)

    with pytest.raises(SeedUnreadable) as refused:
        read_seed(system, path)

    assert f"{path}: {message}" in str(refused.value)
    assert f"Fix: write it like those in {SHIPPED}." in str(refused.value)
    assert (SHIPPED / "hubspot.json").is_file()  # a wheel has no docs


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SeedUnreadable, match="Is a directory"):
        read_seed("hubspot", tmp_path)


PAGE = Path(__file__).parents[4] / "docs/how-to/seed-files.md"


@pytest.mark.parametrize("system", ["hubspot", "userflow"])
def test_the_pages_example_loads_and_its_table_names_every_key(tmp_path: Path, system: str) -> None:
    chapter = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1 if system == "hubspot" else 2]
    example = re.search(r"```json\n(.*?)```", chapter, re.DOTALL)
    assert example is not None
    simulator: Any = HubSpotSimulator() if system == "hubspot" else UserflowSimulator()

    simulator.load(read_seed(system, written(tmp_path, example[1])))

    assert simulator.list_objects("contacts" if system == "hubspot" else "users")
    documented = set(re.findall(r"`(\w+)`", chapter))
    assert {name for model in models(MODELS[system]) for name in model} <= documented


def models(model: Any) -> Iterator[set[str]]:
    """The keys of a part of the file, and of the parts in it."""
    yield {field.alias or name for name, field in model.model_fields.items()}
    for field in model.model_fields.values():
        inner = _model_in(field.annotation)
        if inner is not None:
            yield from models(inner)
