"""The JSON schema takes the files that the loader takes, refuses what it refuses, and tells editors what a key is."""

from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft202012Validator

from pipeline.integration_file.loader import load
from pipeline.integration_file.model import IntegrationFile
from pipeline.integration_file.schema import DRAFT, json_schema, schema_text
from tests.unit.pipeline.integration_file.files import ENVIRONMENT, EXAMPLES, GOOD

SCHEMA: Final = json_schema()
VALIDATOR: Final = Draft202012Validator(SCHEMA)
OAUTH: Final = "oauth: {client_id: a, client_secret: b, refresh_token: c}"

TAKEN: Final = [
    *(path.read_text() for path in sorted(EXAMPLES.glob("*.yaml"))),
    GOOD,
    GOOD.replace("account: 123", "account: '123'"),
    GOOD.replace("account: 123", "account: ${ACCOUNT}\n  source: ${SOURCE}"),
    GOOD.replace("hubspot: contacts", "hubspot: 2-123456"),
    GOOD.replace("hubspot: contacts", "hubspot: p123_pet"),
    GOOD.replace("token: ${HUBSPOT_TOKEN}", OAUTH),
    f"{GOOD}      - {{from: company.name, to: employer, on_empty: keep}}\n",
    f"{GOOD}      - $${{not_a_variable}}\n",
    f"{GOOD}    stream_events: [flow_started]\n",
    f"{GOOD}    stream_events: false\n",
]
REFUSED: Final = [
    GOOD.replace("integration: acme", "integration: Acme"),
    GOOD.replace("integration: acme", f"integration: {'a' * 65}"),
    GOOD.replace("integration: acme\n", ""),
    GOOD.replace("integration: acme", "integration: ${NAME}"),
    GOOD.replace("account: 123", "account: 0"),
    GOOD.replace("account: 123", "account: acme"),
    GOOD.replace("account: 123", "account: true"),
    GOOD.replace("account: 123", "acount: 123\n  account: 123"),
    GOOD.replace("${HUBSPOT_TOKEN}", "$HUBSPOT_TOKEN"),
    GOOD.replace("${HUBSPOT_TOKEN}", "“pat-1”"),
    GOOD.replace("${HUBSPOT_TOKEN}", "pat 1"),
    GOOD.replace("${HUBSPOT_TOKEN}", "12"),
    GOOD.replace("  token: ${HUBSPOT_TOKEN}\n", ""),
    GOOD.replace("  token", f"  {OAUTH}\n  token"),
    GOOD.replace("  account", "  source: webhook\n  account"),
    GOOD.replace("production", "${ENVIRONMENT}"),
    GOOD.replace("production", "true"),
    GOOD.replace("name: contacts-users", "name: 'a:b'"),
    GOOD.replace("hubspot: contacts", "hubspot: contact"),
    GOOD.replace("userflow: users", "userflow: groups"),
    GOOD.replace("userflow: email", "userflow: phone"),
    f"{GOOD}    on_several: oldest\n",
    f"{GOOD}      - 12\n",
    f"{GOOD}      - true\n",
    f"{GOOD}      - [a]\n",
    f"{GOOD}      - ''\n",
    f"{GOOD}      - {{to: a}}\n",
    f"{GOOD}      - ${{NAME}}\n",
    f"{GOOD}      - {{from: a, on_empty: forget}}\n",
    f"{GOOD}    stream_events: []\n",
    f"{GOOD}    stream_events: [1, true]\n",
    f"{GOOD}    stream_events: all\n",
]


def as_an_editor_reads(text: str) -> Any:
    return yaml.safe_load(text)


@pytest.mark.parametrize("text", TAKEN)
def test_what_the_loader_takes_the_schema_takes(text: str) -> None:
    assert isinstance(load(text, "f.yaml", {}, all_set=False), IntegrationFile)
    assert [error.message for error in VALIDATOR.iter_errors(as_an_editor_reads(text))] == []


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_schema_refuses_the_loader_refuses(text: str) -> None:
    assert not VALIDATOR.is_valid(as_an_editor_reads(text))
    assert not isinstance(load(text, "f.yaml", ENVIRONMENT | {"NAME": "name"}), IntegrationFile)


def test_the_schema_is_of_the_draft_it_names() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == DRAFT
    assert schema_text() == schema_text()


def test_every_key_is_described() -> None:
    undescribed = [
        name
        for table in (SCHEMA, *SCHEMA["$defs"].values())
        for name, said in table["properties"].items()
        if not said.get("description")
    ]

    assert undescribed == []


def test_an_editor_can_complete_the_words() -> None:
    mapping = SCHEMA["$defs"]["MappingKeys"]["properties"]

    assert mapping["userflow"]["enum"] == ["users", "companies"]
    assert mapping["on_several"]["enum"] == ["refuse", "newest"]
    assert mapping["hubspot"]["anyOf"][0]["enum"] == ["contacts", "companies", "deals", "accounts"]


def test_the_examples_in_the_schema_are_right() -> None:
    for table in (SCHEMA, *SCHEMA["$defs"].values()):
        for said in table["properties"].values():
            validator = Draft202012Validator({"$defs": SCHEMA["$defs"], **said})
            assert [example for example in said.get("examples", []) if not validator.is_valid(example)] == []
