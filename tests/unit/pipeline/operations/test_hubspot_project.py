"""The project files of an integration: what HubSpot is to tell and to show, written without touching others' files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.operations.generated_files import LISTING, ForeignFiles, write_generated
from pipeline.operations.hubspot_project import NoProject, knowledge, project_files, summary
from schemas.configuration import ConnectorState, DescribedEvent, DescribedField, DescribedType, IntegrationPart
from tests.unit.pipeline.integration_file.files import ENVIRONMENT, HEAD, loaded

PUBLIC = "https://pairs.example.com"
OAUTH = HEAD.replace(
    "  token: ${HUBSPOT_TOKEN}\n",
    "  oauth: {client_id: c, client_secret: '${HUBSPOT_CLIENT_SECRET}', refresh_token: '${HUBSPOT_REFRESH_TOKEN}'}\n",
)
MAPPINGS = """\
mappings:
  - name: people
    hubspot: contacts
    userflow: users
    match: {hubspot: email, userflow: email}
    to_userflow: [jobtitle, company.name]
    to_hubspot: [plan, {from: seats, to: number_of_seats}]
    stream_events: [checklist_task_completed, plan_changed]
  - name: firms
    hubspot: companies
    userflow: companies
    match: {hubspot: userflow_id, userflow: id}
    to_userflow: [hs_lastmodifieddate]
    stream_events: [checklist_task_completed]
"""
FILE = OAUTH + MAPPINGS
TASK = "src/app/app-events/userflow_checklist_task_completed_contact-hsmeta.json"


def written(text: str, parts: Mapping[str, IntegrationPart] | None = None) -> dict[str, Any]:
    file = loaded(text)
    files = project_files(file, knowledge(file, parts or {}), PUBLIC)
    return {path: json.loads(content) for path, content in files.items()}


def in_force(**states: Any) -> dict[str, IntegrationPart]:
    return {
        f"acme/{system}": IntegrationPart("acme", connector=ConnectorState(1, 1, 1, "ok", **state))
        for system, state in states.items()
    }


def subscribed(files: Mapping[str, Any]) -> set[tuple[str, str, str | None]]:
    found = files["src/app/webhooks/webhooks-hsmeta.json"]["config"]["subscriptions"]["crmObjects"]
    return {(one["objectType"], one["subscriptionType"].split(".")[1], one.get("propertyName")) for one in found}


def test_every_mapped_property_is_subscribed_targets_too() -> None:
    found = subscribed(written(FILE))
    properties = {(kind, name) for kind, change, name in found if change == "propertyChange"}
    assert properties == {
        ("contact", "email"),
        ("contact", "jobtitle"),
        ("contact", "userflow_user_plan"),
        ("contact", "number_of_seats"),
        ("company", "name"),
        ("company", "userflow_id"),
    }
    whole = {(kind, change) for kind, change, name in found if name is None}
    lives = {
        (kind, change) for kind in ("contact", "company") for change in ("creation", "deletion", "merge", "restore")
    }
    assert whole == lives | {("contact", "associationChange")}


def test_webhooks_go_to_the_receiver_and_a_persons_erasure_is_told() -> None:
    config = written(FILE)["src/app/webhooks/webhooks-hsmeta.json"]["config"]
    assert config["settings"]["targetUrl"] == "https://pairs.example.com/webhooks/hubspot"
    assert [one["subscriptionType"] for one in config["subscriptions"]["hubEvents"]] == ["contact.privacyDeletion"]


def test_a_custom_type_is_named_by_its_id_once_that_is_known() -> None:
    text = OAUTH + MAPPINGS.replace("hubspot: companies", "hubspot: p123_pet").replace(
        "    stream_events: [checklist_task_completed]\n", ""
    )
    parts = in_force(hubspot={"types": (DescribedType("p123_pet", "2-77", "pet"),)})
    assert ("2-77", "propertyChange", "userflow_id") in subscribed(written(text, parts))
    assert ("2-77", "merge", None) not in subscribed(written(text, parts))
    assert ("p123_pet", "creation", None) in subscribed(written(text))


def test_the_app_asks_for_the_scopes_that_the_mappings_need() -> None:
    app = written(FILE)["src/app/app-hsmeta.json"]["config"]
    assert app["auth"]["requiredScopes"] == [
        "crm.objects.companies.read",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.schemas.companies.read",
        "crm.schemas.contacts.read",
        "crm.schemas.contacts.write",
        "oauth",
        "timeline",
    ]
    assert (app["auth"]["type"], app["distribution"]) == ("oauth", "marketplace")
    assert app["auth"]["redirectUrls"] == ["https://pairs.example.com/oauth/hubspot/callback"]


def test_with_custom_events_the_project_has_no_event_types() -> None:
    files = written(HEAD + MAPPINGS)
    assert not [path for path in files if "app-events" in path]
    app = files["src/app/app-hsmeta.json"]["config"]
    assert (app["auth"]["type"], app["distribution"]) == ("static", "private")
    assert "analytics.behavioral_events.send" in app["auth"]["requiredScopes"]


def test_an_event_type_for_each_event_and_object_can_be_filtered_by_what_it_is_about() -> None:
    files = written(FILE)
    assert sorted(path.split("/")[-1] for path in files if "app-events" in path) == [
        "userflow_checklist_task_completed_company-hsmeta.json",
        "userflow_checklist_task_completed_contact-hsmeta.json",
        "userflow_plan_changed_contact-hsmeta.json",
    ]
    assert files[TASK]["uid"] == "userflow_checklist_task_completed_contact"
    config = files[TASK]["config"]
    assert (config["name"], config["objectType"]) == ("Userflow: Checklist Task Completed", "CONTACT")
    assert {"name": "checklist_task_name", "label": "Checklist Task Name", "type": "string"} in config["properties"]
    assert config["headerTemplate"] == (
        "Userflow: Checklist Task Completed{{#if checklist_task_name}}: {{checklist_task_name}}{{/if}}"
    )


def test_events_are_those_that_userflow_described_at_the_last_apply() -> None:
    attributes = (DescribedField("plan_changed", "New plan", "New plan", "string"),)
    events = (
        DescribedEvent("checklist_task_completed", "Done", ()),
        DescribedEvent("plan_changed", "Plan", attributes),
    )
    parts, file = in_force(userflow={"events": events}), loaded(FILE)
    files = written(FILE, parts)
    assert files[TASK]["config"]["name"] == "Userflow: Done"
    made = files["src/app/app-events/userflow_plan_changed_contact-hsmeta.json"]["config"]
    assert [one["name"] for one in made["properties"]] == ["new_plan"]
    assert not any("not applied" in line for line in summary(files, knowledge(file, parts)))
    assert any("not applied" in line for line in summary(written(FILE), knowledge(file, {})))


def test_an_event_that_userflow_does_not_have_is_refused() -> None:
    parts = in_force(userflow={"events": (DescribedEvent("checklist_task_completed", ""),)})
    with pytest.raises(NoProject, match="Userflow has no event `plan_changed`"):
        written(FILE, parts)


@pytest.mark.parametrize("source", ["journal", "poll"])
def test_an_app_that_is_asked_for_news_has_no_webhooks_and_needs_no_public_url(source: str) -> None:
    polled = loaded(FILE.replace("  app_secret: ${HUBSPOT_APP_SECRET}\n", f"  source: {source}\n"))
    files = project_files(polled, knowledge(polled, {}), "http://127.0.0.1:8080")
    assert "src/app/app-hsmeta.json" in files
    assert not any("webhooks" in path for path in files)


def test_hubspot_sends_to_https_only() -> None:
    file = loaded(FILE)
    with pytest.raises(NoProject, match="PAIRSTREAM_PUBLIC_URL"):
        project_files(file, knowledge(file, {}), "http://127.0.0.1:8080")


def test_what_was_written_may_be_written_again_and_what_lacks_is_told(tmp_path: Path) -> None:
    assert write_generated(tmp_path, {"a/b.json": "1", "c.json": "2"}) == []
    assert write_generated(tmp_path, {"a/b.json": "3"}) == ["c.json"]
    assert (tmp_path / "a/b.json").read_text() == "3"
    assert (tmp_path / "c.json").read_text() == "2"


@pytest.mark.parametrize("foreign", ["a/b.json", "c.json"])
def test_a_file_of_somebody_else_stops_everything(tmp_path: Path, foreign: str) -> None:
    write_generated(tmp_path, {"a/b.json": "1"})
    (tmp_path / foreign).write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ForeignFiles, match=foreign):
        write_generated(tmp_path, {"a/b.json": "2", "c.json": "2", "d.json": "2"})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("link", ["out", "out/a", "out/a/b.json", f"out/{LISTING}"])
@pytest.mark.parametrize("dangling", [True, False])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str, dangling: bool) -> None:
    elsewhere, place = tmp_path / "elsewhere", tmp_path / link
    place.parent.mkdir(parents=True, exist_ok=True)
    is_file = link.endswith(".json")
    if not dangling:
        elsewhere.write_text("{}") if is_file else elsewhere.mkdir()
    place.symlink_to(elsewhere)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(ForeignFiles, match="a link: "):
        write_generated(tmp_path / "out", {"a/b.json": "{}"})

    assert sorted(tmp_path.rglob("*")) == before
    assert dangling or not is_file or elsewhere.read_text() == "{}"


def test_a_listing_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    (tmp_path / LISTING).write_text("[]")
    with pytest.raises(ForeignFiles, match="name another folder"):
        write_generated(tmp_path, {"a.json": "1"})


def test_the_command_without_brokers_says_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = tmp_path / "acme.yaml", tmp_path / "out"
    path.write_text(FILE)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    environment = {**ENVIRONMENT, "PAIRSTREAM_STATE_DIR": str(tmp_path / "state"), "PAIRSTREAM_PUBLIC_URL": PUBLIC}
    first = CliRunner().invoke(main, ["hubspot-project", str(path), "--out", str(out)], env=environment)
    assert first.exit_code == 0, first.output
    assert "6 files, 3 of them kinds of events" in first.output
    assert "not applied yet" in first.output
    listing = (out / LISTING).read_text()
    again = CliRunner().invoke(main, ["hubspot-project", str(path), "--out", str(out)], env=environment)
    assert (again.exit_code, (out / LISTING).read_text()) == (0, listing)
    (out / TASK).write_text("{}")
    refused = CliRunner().invoke(main, ["hubspot-project", str(path), "--out", str(out)], env=environment)
    assert refused.exit_code == 1
    assert TASK in refused.output
