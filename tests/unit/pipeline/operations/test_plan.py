"""What applying a file would change, compared with what is in force, and how it is shown."""

import json
from dataclasses import replace

import pytest

from pipeline.integration_file.model import IntegrationFile
from pipeline.operations.apply import desired
from pipeline.operations.make_plan import NOT_CONNECTED
from pipeline.operations.pair_counts import PairCounts, Sample
from pipeline.operations.plan import InForce, Plan, make_plan
from pipeline.operations.plan_text import as_json, as_text
from pipeline.provisioning.described import DescribedFile
from pipeline.provisioning.resolve import definitions_of
from pipeline.secrets import NoKeyFits
from schemas.configuration import DescribedEvent, DescribedField, DesiredIntegration
from tests.unit.pipeline.integration_file.files import ENVIRONMENT, GOOD, loaded
from tests.unit.pipeline.provisioning.cluster import Cluster

HUBSPOT = (
    DescribedField("contacts", "email", "Email", "string"),
    DescribedField("contacts", "jobtitle", "Job title", "string"),
    DescribedField("contacts", "phone", "Phone", "string"),
    DescribedField("contacts", "userflow_user_plan", "Plan", "boolean"),
)
USERFLOW = (
    DescribedField("users", "id", "Id", "string", read_only=True),
    DescribedField("users", "score", "Score", "number"),
    DescribedField("users", "plan", "Plan", "string"),
)
TO_HUBSPOT = "    to_hubspot:\n      - {rule}\n"


def request(file: IntegrationFile) -> DesiredIntegration:
    return desired(file, lambda text, _: text.encode(), 1)


def in_force(text: str = GOOD) -> Cluster:
    cluster = Cluster()
    cluster.ask(request(loaded(text)))
    for _ in range(2):
        cluster.report("hubspot", fields=HUBSPOT)
        cluster.report("userflow", fields=USERFLOW)
    assert cluster.settings().state == "active"
    return cluster


def told(file: IntegrationFile) -> DescribedFile:
    return DescribedFile(file, {"hubspot": definitions_of(HUBSPOT), "userflow": definitions_of(USERFLOW)}, ())


def planned(text: str, cluster: Cluster, *, asked: bool = True) -> Plan:
    file = loaded(text)
    now = InForce(cluster.parts, cluster.mappings, lambda sealed, _: sealed.decode())
    return make_plan(file, request(file), now, told(file) if asked else NOT_CONNECTED)


def test_the_file_in_force_changes_nothing() -> None:
    found = planned(GOOD, in_force())
    assert (found.changes, found.exit_code, found.subscriptions_changed) == (False, 0, False)
    assert as_text(found) == "acme: nothing would change"


def test_a_new_integration_tells_what_the_file_says() -> None:
    found = planned(GOOD, Cluster(), asked=False)
    assert found.exit_code == 2
    assert as_text(found).splitlines() == [
        "acme: would change",
        "  ~ new: HubSpot account 123 with Userflow environment production",
        "  + mapping contacts-users",
        "      objects: HubSpot contacts, Userflow users",
        "      match: HubSpot email = Userflow email",
        "      on several: refuse",
        "      timeline events: none",
        "      Userflow hubspot_contact_jobtitle: from jobtitle",
        "  not connected yet: `apply` checks the fields, and pairs are known after a full sync",
        "  the HubSpot app must subscribe to (no token can read what it subscribes to, so this is not checked):",
        "      contacts: creation, deletion, merge, restore, privacyDeletion, propertyChange of email, jobtitle",
    ]


def test_an_edit_tells_fields_to_create_rules_and_subscriptions() -> None:
    found = planned(GOOD.replace("      - jobtitle", "      - phone") + TO_HUBSPOT.format(rule="score"), in_force())
    assert found.exit_code == 2
    assert as_text(found).splitlines() == [
        "acme: would change",
        "  + HubSpot field contacts.userflow_user_score (number, labelled Userflow user: Score)",
        "  ~ mapping contacts-users",
        "      Userflow hubspot_contact_jobtitle: from jobtitle (string) -> -",
        "      Userflow hubspot_contact_phone: - -> from phone (string)",
        "      HubSpot userflow_user_score: - -> from score (number)",
        "  the HubSpot app must subscribe to (no token can read what it subscribes to, so this is not checked):",
        "      contacts: creation, deletion, merge, restore, privacyDeletion, "
        "propertyChange of email, phone, userflow_user_score",
    ]


def test_new_types_of_timeline_events_are_told_once() -> None:
    file = loaded(GOOD + "    stream_events: [flow_started]\n")
    cluster, events = in_force(), (DescribedEvent("flow_started", "Flow Started"), DescribedEvent("nps", "NPS"))
    now = InForce(cluster.parts, cluster.mappings, lambda sealed, _: sealed.decode())
    found = make_plan(file, request(file), now, replace(told(file), events=events))
    assert found.events == ("flow_started on contacts",)
    assert "  + timeline event flow_started on contacts" in as_text(found).splitlines()


def test_a_mapping_that_is_taken_out_or_added() -> None:
    found = planned(GOOD.replace("contacts-users", "people"), in_force())
    assert [(one.name, one.kind) for one in found.mappings] == [("people", "added"), ("contacts-users", "removed")]


def test_another_type_of_a_field_is_a_change_though_the_file_is_the_same() -> None:
    cluster = in_force()
    rule = replace(cluster.mappings["acme/contacts-users"].rules[0], source_type="number")
    cluster.mappings["acme/contacts-users"] = replace(cluster.mappings["acme/contacts-users"], rules=(rule,))
    (change,) = planned(GOOD, cluster).mappings
    assert change.details == (
        "Userflow hubspot_contact_jobtitle: from jobtitle (number as string) -> from jobtitle (string)",
    )


def test_a_conflict_is_told_with_its_line_and_nothing_else() -> None:
    found = planned(GOOD + TO_HUBSPOT.format(rule="plan"), in_force())
    assert (found.exit_code, found.create) == (1, ())
    assert as_text(found) == (
        "acme.yaml:17: mappings[0].to_hubspot[0]: HubSpot contacts `userflow_user_plan` exists in HubSpot as boolean, "
        "not as the string that Userflow users `plan` needs. "
        "Fix: create another field in HubSpot, and name it by `to:`."
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            "api_key: another",
            "acme.yaml:3: hubspot.account: this HubSpot account is already claimed by integration acme. "
            "Fix: use another one, or run `pairstream integration disconnect acme` first.",
        ),
        (
            "account: 124",
            "acme.yaml:8: userflow.api_key: this Userflow environment is already claimed by integration acme. "
            "Fix: use another one, or run `pairstream integration disconnect acme` first.",
        ),
    ],
)
def test_a_second_claim_is_told_with_its_line(changed: str, message: str) -> None:
    key = changed.partition(":")[0]
    rival = "\n".join(
        line if key not in line else f"  {changed}" for line in GOOD.replace("acme", "rival").splitlines()
    )
    found = planned(rival + "\n", in_force(), asked=False)
    assert [str(problem) for problem in found.problems] == [message]


SETTING_CHANGES = [
    ("token: ${HUBSPOT_TOKEN}", "token: another", ["hubspot.token: another value"]),
    (
        "token: ${HUBSPOT_TOKEN}",
        "token: ${HUBSPOT_TOKEN}\n  source: poll",
        ["hubspot.source: webhooks -> poll"],
    ),
    ("environment: production", "environment: staging", ["userflow.account: production -> staging"]),
    (
        "account: 123",
        "account: 124",
        [
            "another account or environment: this disconnects the former, and every pair starts anew",
            "hubspot.account: 123 -> 124",
        ],
    ),
    (
        "token: ${HUBSPOT_TOKEN}",
        "oauth: {client_id: a, client_secret: b, refresh_token: c}",
        [
            "hubspot.timeline: custom_events -> app_events",
            "hubspot.client_id: - -> a",
            "hubspot.token: removed",
            "hubspot.client_secret: added",
            "hubspot.refresh_token: added",
        ],
    ),
]


@pytest.mark.parametrize(("before", "after", "lines"), SETTING_CHANGES)
def test_settings_are_compared_and_no_secret_is_shown(before: str, after: str, lines: list[str]) -> None:
    found = planned(GOOD.replace(before, after), in_force())
    assert list(found.settings) == lines
    assert not any(secret in as_text(found) for secret in ENVIRONMENT.values())


def test_a_paused_integration_would_be_resumed() -> None:
    cluster = in_force()
    settings = replace(cluster.settings(), state="paused")
    cluster.parts["acme/settings"] = replace(cluster.parts["acme/settings"], settings=settings)
    assert planned(GOOD, cluster).settings == ("state: paused -> active",)


def test_a_secret_that_no_key_opens_cannot_be_compared() -> None:
    def closed(*_: object) -> str:
        raise NoKeyFits

    cluster, file = in_force(), loaded(GOOD)
    found = make_plan(file, request(file), InForce(cluster.parts, cluster.mappings, closed), told(file))
    assert "hubspot.token: PAIRSTREAM_SECRET_KEY does not open the one in force" in found.settings


def with_pairs() -> Plan:
    counts = PairCounts(hubspot_only=7, not_read=("hubspot.phone",))
    counts.pairs.update({"written": 2, "equal": 3, "ambiguous": 1})
    counts.written["userflow"], counts.cleared["userflow"] = 2, 1
    counts.refused["hubspot.colour: not_an_option"] = 1
    counts.samples.append(Sample("userflow", "u-1", {"title": ("Mr", "Dr"), "born": (None, None)}))
    return replace(planned(GOOD, in_force()), pairs={"contacts-users": counts, "empty": PairCounts()})


def test_pairs_are_shown_without_values() -> None:
    lines = as_text(with_pairs()).splitlines()
    assert lines[1:] == [
        "  pairs of contacts-users as last seen: 1 ambiguous, 3 equal, 2 written; 7 HubSpot objects without a match",
        "      userflow: 2 objects written, of 1 a value is cleared",
        "      refused hubspot.colour: not_an_option: 1",
        "      for example userflow u-1: title, born",
        "      not read yet, so not counted: hubspot.phone",
        "  pairs of empty: nothing known yet, run a full sync",
    ]
    shown = json.loads(as_json(with_pairs()))
    assert shown["pairs"]["contacts-users"]["samples"][0]["fields"] == ["title", "born"]


def test_values_are_shown_where_they_are_asked_for() -> None:
    assert "userflow u-1: title: 'Mr' -> 'Dr', born: None -> None" in as_text(with_pairs(), show_values=True)
    shown = json.loads(as_json(with_pairs(), show_values=True))
    assert shown["pairs"]["contacts-users"]["samples"][0]["fields"] == {"title": ["Mr", "Dr"], "born": [None, None]}
