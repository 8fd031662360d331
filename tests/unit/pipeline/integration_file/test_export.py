"""A model written out reads back as the same model and holds no secret."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.integration_file.export import to_yaml
from pipeline.integration_file.loader import load, read_document
from pipeline.integration_file.model import MappingSpec, OAuth, OnEmpty, OnSeveral, Rule, Secret
from pipeline.integration_file.names import default_target
from tests.unit.pipeline.integration_file.files import ENVIRONMENT, EXAMPLES, GOOD, loaded


@pytest.mark.parametrize("name", ["full.yaml", "minimal.yaml"])
def test_an_example_survives_being_written_out(name: str) -> None:
    file = loaded((EXAMPLES / name).read_text())

    assert loaded(to_yaml(file)) == file


def test_what_is_written_out_is_short_where_the_default_says_it() -> None:
    assert to_yaml(loaded(f"{GOOD}      - {{from: a, on_empty: keep}}\n      - {{from: b, to: c}}\n")) == (
        """\
integration: acme
hubspot:
  account: 123
  app_secret: ${HUBSPOT_APP_SECRET}
  token: ${HUBSPOT_TOKEN}
  source: webhooks
  timeline: custom_events
userflow:
  environment: production
  region: us
  api_key: ${USERFLOW_API_KEY}
mappings:
- name: contacts-users
  hubspot: contacts
  userflow: users
  match:
    hubspot: email
    userflow: email
  on_several: refuse
  to_userflow:
  - jobtitle
  - from: a
    on_empty: keep
  - from: b
    to: c
  stream_events: false
"""
    )


def test_no_secret_is_written_out() -> None:
    text = to_yaml(loaded((EXAMPLES / "full.yaml").read_text()))

    for name in ("HUBSPOT_APP_SECRET", "HUBSPOT_CLIENT_SECRET", "HUBSPOT_REFRESH_TOKEN", "USERFLOW_API_KEY"):
        assert ENVIRONMENT[name] not in text
        assert f"${{{name}}}" in text


def test_an_oauth_app_without_a_grant_survives() -> None:
    file = loaded(GOOD)
    oauth = OAuth("12", Secret(ENVIRONMENT["HUBSPOT_CLIENT_SECRET"]))
    granted = replace(file, hubspot=replace(file.hubspot, token=None, oauth=oauth, timeline="app_events"))

    assert load(to_yaml(granted), "acme.yaml", ENVIRONMENT) == granted


@pytest.mark.parametrize("system", ["hubspot", "userflow"])
def test_how_edits_are_heard_of_survives(system: str) -> None:
    key = {"hubspot": "  token", "userflow": "  api_key"}[system]
    file = loaded(GOOD.replace(key, f"  source: poll\n{key}", 1))

    assert (file.hubspot.source == "poll") == (system == "hubspot")
    assert loaded(to_yaml(file)) == file
    assert read_document(to_yaml(file)).userflow.source == file.userflow.source


def test_a_stored_file_is_read_without_its_secrets() -> None:
    file = loaded(f"{GOOD}    stream_events: true\n")

    stored = read_document(to_yaml(file))

    assert replace(stored, hubspot=file.hubspot, userflow=file.userflow) == file
    assert (stored.hubspot.account, stored.hubspot.timeline) == (123, "custom_events")


def test_a_stored_file_that_cannot_be_read_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="apply it again"):
        read_document("integration: acme\n")


names = st.text(alphabet="abc012_ -:#{}$[]'\"\\ü🦊", min_size=1, max_size=12).filter(lambda name: name.strip() == name)
tails: st.SearchStrategy[OnEmpty] = st.sampled_from(["clear", "keep"])
several: st.SearchStrategy[OnSeveral] = st.sampled_from(["refuse", "newest"])


@given(st.lists(names, unique_by=lambda name: default_target("userflow", "contacts", name), max_size=4), tails, several)
def test_any_rules_survive(sources: list[str], on_empty: OnEmpty, on_several: OnSeveral) -> None:
    rules = [Rule(source, default_target("userflow", "contacts", source), on_empty) for source in sources]
    rules.append(Rule("last", "ends: here ${NOT_FILLED_IN}", on_empty, explicit_target=True))
    mapping = MappingSpec("m", "contacts", "users", "email", "email", on_several, tuple(rules), (), ("a b", "no"))
    file = replace(loaded(GOOD), mappings=(mapping,))

    assert loaded(to_yaml(file)) == file
