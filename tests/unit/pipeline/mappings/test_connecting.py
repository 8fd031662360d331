"""How a request becomes what is in force, told as the records that are written."""

import uuid
from dataclasses import replace

import pytest

from pipeline.mappings.connecting import DISCONNECTED, FIELDS_DO_NOT_FIT, ConfigurationWrite, decide
from pipeline.mappings.file import load
from pipeline.mappings.model import IntegrationFile
from pipeline.operations.applying import changed_state, desired
from schemas.configuration import (
    ConnectorState,
    DescribedEvent,
    DescribedField,
    DescribedType,
    DesiredIntegration,
    DesiredState,
    IntegrationPart,
    IntegrationSettings,
)
from schemas.records import FieldRule, ObjectMapping
from schemas.topics import INTEGRATIONS
from schemas.values import System

FILE = """\
integration: {name}
hubspot:
  account: {account}
  app_secret: s3cret-s3cret
  token: pat-secret
userflow:
  environment: production
  api_key: {key}
mappings:
  - name: people
    hubspot: contacts
    userflow: users
    match: {{hubspot: email, userflow: email}}
    to_userflow: [jobtitle]
    to_hubspot: [{attribute}]
    stream_events: {streams}
"""
HUBSPOT_FIELDS = (
    DescribedField("contacts", "email", "Email", "string", unique=True),
    DescribedField("contacts", "jobtitle", "Job title", "string"),
)
USERFLOW_FIELDS = (
    DescribedField("users", "id", "Id", "string", read_only=True),
    DescribedField("users", "email", "Email", "string"),
    DescribedField("users", "plan", "Plan", "string"),
    DescribedField("users", "seats", "Seats", "number"),
)
EVENTS = (DescribedEvent("flow_started", "Flow Started"), DescribedEvent("flow_ended", "Flow Ended"))


class Cluster:
    """Configuration topics in memory: asks, decides and reports as scheduler and connectors do."""

    def __init__(self) -> None:
        self.parts: dict[str, IntegrationPart] = {}
        self.mappings: dict[str, ObjectMapping] = {}
        self.order: list[str] = []

    def ask(self, request: DesiredIntegration, name: str = "acme") -> None:
        self.parts[f"{name}/desired"] = IntegrationPart(name, desired=request)
        self.settle()

    def settle(self) -> None:
        """Carry out decisions until there are none."""
        for _ in range(20):
            writes = decide(self.parts, self.mappings)
            if not writes:
                return
            for write in writes:
                self.order.append(write.key)
                self.write(write)
        raise AssertionError("decisions do not come to an end")

    def write(self, write: ConfigurationWrite) -> None:
        match write.record:
            case IntegrationPart():
                self.parts[write.key] = write.record
            case ObjectMapping():
                self.mappings[write.key] = write.record
            case None:
                (self.parts if write.topic == INTEGRATIONS else self.mappings).pop(write.key, None)

    def report(self, system: System, name: str = "acme", **changes: object) -> None:
        """What a connector says of the revision that is asked for, everything fine unless told otherwise."""
        settings = self.settings(name)
        fields = HUBSPOT_FIELDS if system == "hubspot" else USERFLOW_FIELDS
        state = ConnectorState(
            settings.connection, settings.revision, settings.revision, "ok", settings.revision, None, fields
        )
        if system == "userflow":
            state = replace(state, events=EVENTS)
        self.parts[f"{name}/{system}"] = IntegrationPart(name, connector=replace(state, **changes))  # type: ignore[arg-type]
        self.settle()

    def settings(self, name: str = "acme") -> IntegrationSettings:
        found = self.parts[f"{name}/settings"].settings
        assert found is not None
        return found

    def connect(self, name: str = "acme", **changes: str) -> None:
        self.ask(request(name, **changes), name)
        for system in ("hubspot", "userflow"):
            self.report(system, name)


def request(
    name: str = "acme", account: str = "1", key: str = "ak_one", attribute: str = "plan", streams: str = "false"
) -> DesiredIntegration:
    text = FILE.format(name=name, account=account, key=key, attribute=attribute, streams=streams)
    file = load(text, "acme.yaml", {})
    assert isinstance(file, IntegrationFile), file
    # no two seals of one secret are alike
    return desired(file, lambda _: uuid.uuid4().bytes, 1)


def test_a_new_integration_is_described_provisioned_and_in_force() -> None:
    cluster = Cluster()
    cluster.ask(request())
    assert cluster.settings().state == "connecting"
    assert cluster.settings().apply_state == "describing"
    assert cluster.settings().connection == 1
    cluster.report("hubspot", provisioned_revision=0)
    cluster.report("userflow", provisioned_revision=0)
    assert cluster.settings().apply_state == "provisioning"
    assert [field.name for field in cluster.settings().create] == ["userflow_user_plan"]
    assert cluster.mappings == {}
    cluster.report("hubspot")
    cluster.report("userflow")
    assert cluster.settings().state == "active"
    assert cluster.settings().active_revision == 1
    assert cluster.mappings["acme/people"].rules == (
        FieldRule("to_userflow", "jobtitle", "string", "hubspot_contact_jobtitle", "string"),
        FieldRule("to_hubspot", "plan", "string", "userflow_user_plan", "string"),
    )
    assert cluster.mappings["acme/people"].match_hubspot_type == "string"
    assert cluster.mappings["acme/people"].match_hubspot_unique


def test_mappings_are_written_before_the_revision_that_names_them() -> None:
    cluster = Cluster()
    cluster.connect()
    assert cluster.order.index("acme/people") < len(cluster.order) - 1
    assert cluster.order[-1] == "acme/settings"


def test_a_created_field_has_the_type_of_its_attribute() -> None:
    cluster = Cluster()
    cluster.connect(attribute="seats")
    [created] = cluster.settings().create
    assert (created.name, created.type) == ("userflow_user_seats", "number")
    assert cluster.mappings["acme/people"].rules[1].target_type == "number"


def test_fields_that_do_not_fit_refuse_the_request_and_leave_what_is_in_force() -> None:
    cluster = Cluster()
    cluster.connect()
    before, in_force = dict(cluster.mappings), cluster.settings().hubspot
    cluster.connect(attribute="unheard_of")
    assert cluster.settings().apply_state == "failed"
    assert (cluster.settings().reason or "").startswith(FIELDS_DO_NOT_FIT)
    assert "unheard_of" in (cluster.settings().reason or "")
    assert cluster.settings().state == "active"
    assert cluster.settings().active_revision == 1
    assert cluster.mappings == before
    assert cluster.settings().hubspot == in_force


def test_a_first_request_that_is_refused_leaves_nothing_claimed_and_no_secrets() -> None:
    cluster = Cluster()
    cluster.connect(attribute="unheard_of")
    assert (cluster.settings().apply_state, cluster.settings().state) == ("failed", "disconnected")
    assert (cluster.settings().hubspot.secrets, cluster.settings().userflow.secrets) == ({}, {})
    assert not any(key.startswith("claim/") for key in cluster.parts)
    cluster.connect("rival")
    assert cluster.settings("rival").state == "active"


@pytest.mark.parametrize("state", ["active", "paused"])
def test_what_is_disconnected_is_neither_paused_nor_resumed(state: DesiredState) -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))
    gone = cluster.settings()
    cluster.ask(changed_state(gone, state, 3))
    assert (cluster.settings().state, cluster.settings().connection) == ("disconnected", gone.connection)
    assert (cluster.settings().apply_state, cluster.settings().reason) == ("failed", DISCONNECTED)
    assert not any(key.startswith("claim/") for key in cluster.parts)


def test_an_edit_keeps_the_connection_and_the_revision_of_mappings_that_did_not_change() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.connect()
    assert (cluster.settings().connection, cluster.settings().revision) == (1, 2)
    assert cluster.mappings["acme/people"].revision == 1
    cluster.connect(attribute="seats")
    assert cluster.mappings["acme/people"].revision == 3


@pytest.mark.parametrize("changes", [{"account": "1", "key": "ak_two"}, {"account": "2", "key": "ak_one"}])
def test_the_second_claim_on_an_account_or_environment_is_refused(changes: dict[str, str]) -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(request("rival", **changes), "rival")
    assert cluster.settings("rival").apply_state == "failed"
    assert "acme" in (cluster.settings("rival").reason or "")
    assert cluster.settings("rival").state == "disconnected"


def test_disconnecting_frees_the_claims_forgets_secrets_and_takes_a_new_number_on_return() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))
    assert cluster.settings().state == "disconnected"
    assert cluster.settings().hubspot.secrets == {}
    assert cluster.mappings == {}
    cluster.connect("rival")
    assert cluster.settings("rival").state == "active"
    cluster.ask(changed_state(cluster.settings("rival"), "disconnected", 3), "rival")
    cluster.connect()
    assert cluster.settings().connection == 2


def test_another_account_is_another_connection() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.connect(account="2")
    assert cluster.settings().connection == 2
    assert "claim/hubspot/1" not in cluster.parts


def test_a_new_api_key_is_the_same_environment_and_a_wrong_one_leaves_what_is_in_force() -> None:
    cluster = Cluster()
    cluster.connect()
    (claimed,) = (key for key in cluster.parts if key.startswith("claim/userflow/"))
    cluster.ask(request(key="ak_typo"))
    assert claimed in cluster.parts
    cluster.report("userflow", status="needs_reconnect", reason="unauthorized")
    assert (cluster.settings().state, cluster.settings().connection) == ("active", 1)
    assert [key for key in cluster.parts if key.startswith("claim/userflow/")] == [claimed]

    cluster.connect(key="ak_two")
    assert (cluster.settings().state, cluster.settings().connection) == ("active", 1)
    (renewed,) = (key for key in cluster.parts if key.startswith("claim/userflow/"))
    assert renewed != claimed


def test_a_mapping_tells_since_when_each_field_is_read() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.connect(attribute="seats")
    cluster.connect(attribute="plan")
    since = cluster.mappings["acme/people"].read_since
    assert since == {
        "hubspot.email": 1,
        "hubspot.jobtitle": 1,
        "hubspot.userflow_user_plan": 3,
        "userflow.email": 1,
        "userflow.hubspot_contact_jobtitle": 1,
        "userflow.plan": 3,
    }


def test_a_definition_that_changes_is_taken_over_while_the_file_fits() -> None:
    cluster = Cluster()
    cluster.connect()
    unique = tuple(replace(field, unique=False) for field in HUBSPOT_FIELDS)
    cluster.report("hubspot", fields=unique, descriptions=1)
    settings = cluster.settings()
    assert (settings.revision, settings.active_revision, settings.apply_state) == (2, 2, "done")
    assert cluster.mappings["acme/people"].revision == 2
    assert not cluster.mappings["acme/people"].match_hubspot_unique

    cluster.report("userflow")
    gone = tuple(field for field in unique if field.name != "jobtitle")
    cluster.report("hubspot", fields=gone, descriptions=2)
    assert (cluster.settings().revision, cluster.settings().descriptions) == (2, 2)
    assert [rule.source for rule in cluster.mappings["acme/people"].rules] == ["jobtitle", "plan"]


def test_pause_and_resume_ask_nothing_of_the_connectors() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(changed_state(cluster.settings(), "paused", 2))
    assert (cluster.settings().state, cluster.settings().revision) == ("paused", 1)
    cluster.ask(changed_state(cluster.settings(), "active", 3))
    assert (cluster.settings().state, cluster.settings().revision) == ("active", 1)


PET_FIELDS = (
    DescribedField("2-77", "email", "Email", "string"),
    DescribedField("2-77", "jobtitle", "Job title", "string"),
)


def test_a_pause_in_the_middle_of_an_apply_holds_at_once_and_lets_the_apply_go_on() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(request(attribute="seats"))
    cluster.ask(changed_state(cluster.settings(), "paused", 2))
    assert (cluster.settings().state, cluster.settings().apply_state) == ("paused", "describing")
    assert cluster.settings().fallback is not None
    cluster.report("hubspot")
    cluster.report("userflow")
    assert (cluster.settings().state, cluster.settings().apply_state) == ("paused", "done")
    assert [rule.source for rule in cluster.mappings["acme/people"].rules] == ["jobtitle", "seats"]


def test_credentials_that_were_not_proven_before_a_pause_still_fall_back() -> None:
    cluster = Cluster()
    cluster.connect()
    good = cluster.settings().hubspot
    cluster.ask(request(attribute="seats"))
    cluster.ask(changed_state(cluster.settings(), "paused", 2))
    cluster.report("hubspot", status="needs_reconnect", reason="unauthorized")
    assert (cluster.settings().state, cluster.settings().apply_state) == ("paused", "failed")
    assert cluster.settings().hubspot == good


def test_a_pause_during_the_first_connect_holds_once_it_is_connected() -> None:
    cluster = Cluster()
    cluster.ask(request())
    cluster.ask(changed_state(cluster.settings(), "paused", 2))
    assert (cluster.settings().state, cluster.settings().apply_state) == ("connecting", "describing")
    cluster.report("hubspot")
    cluster.report("userflow")
    assert (cluster.settings().state, cluster.settings().active_revision) == ("paused", 1)


def test_a_disconnect_in_the_middle_of_an_apply_keeps_no_secret_of_either() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(request(attribute="seats"))
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))
    settings = cluster.settings()
    assert (settings.state, settings.fallback) == ("disconnected", None)
    assert (settings.hubspot.secrets, settings.userflow.secrets) == ({}, {})


def test_a_disconnect_that_a_scheduler_did_not_end_is_ended_by_the_next_one() -> None:
    cluster = Cluster()
    cluster.connect()
    disconnect = changed_state(cluster.settings(), "disconnected", 2)
    cluster.parts["acme/desired"] = IntegrationPart("acme", desired=disconnect)
    settings, *others = decide(cluster.parts, cluster.mappings)
    assert len(others) == 3  # two claims and a mapping
    cluster.write(settings)  # and there it died
    cluster.settle()
    assert not [key for key in cluster.parts if key.startswith("claim/")]
    assert cluster.mappings == {}


@pytest.mark.parametrize("spelled", ["2-77", "p1_pet"])
def test_a_custom_type_is_told_before_its_fields_are_asked_for(spelled: str) -> None:
    cluster = Cluster()
    text = FILE.format(name="acme", account="1", key="k", attribute="plan", streams="false")
    file = load(text.replace("contacts", spelled), "", {})
    assert isinstance(file, IntegrationFile), file
    cluster.ask(desired(file, lambda _: b"", 1))
    types = (DescribedType(spelled, "2-77", "pet"),)
    cluster.report("hubspot", types=types, fields=(), provisioned_revision=0)
    cluster.report("userflow", provisioned_revision=0)
    assert cluster.settings().apply_state == "describing"
    assert cluster.settings().hubspot.fields["2-77"] == ("email", "jobtitle", "userflow_user_plan")
    assert "hubspot_pet_jobtitle" in cluster.settings().userflow.fields["users"]
    cluster.report("hubspot", types=(DescribedType("2-77", "2-77", "pet"),), fields=PET_FIELDS)
    cluster.report("userflow")
    assert cluster.settings().state == "active"
    mapping = cluster.mappings["acme/people"]
    assert (mapping.hubspot_type, mapping.rules[0].target) == ("2-77", "hubspot_pet_jobtitle")


def test_a_custom_type_that_is_not_there_refuses_the_request() -> None:
    cluster = Cluster()
    text = FILE.format(name="acme", account="1", key="k", attribute="plan", streams="false")
    file = load(text.replace("contacts", "p1_pet"), "", {})
    assert isinstance(file, IntegrationFile), file
    cluster.ask(desired(file, lambda _: b"", 1))
    for system in ("hubspot", "userflow"):
        cluster.report(system, fields=USERFLOW_FIELDS if system == "userflow" else ())
    assert cluster.settings().apply_state == "failed"
    assert "account 1 has no object type `p1_pet`" in (cluster.settings().reason or "")


def test_a_rejected_token_refuses_the_request_but_only_if_it_is_the_token_of_this_request() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.report("hubspot", status="needs_reconnect", reason="unauthorized")
    cluster.ask(request())
    assert cluster.settings().apply_state == "describing"
    cluster.report("hubspot", status="needs_reconnect", reason="unauthorized", described_revision=1)
    assert cluster.settings().apply_state == "failed"
    assert "unauthorized" in (cluster.settings().reason or "")


def test_a_system_that_is_away_is_waited_for() -> None:
    cluster = Cluster()
    cluster.ask(request())
    cluster.report("hubspot", status="unavailable", reason="http_503", described_revision=0)
    cluster.report("userflow")
    assert cluster.settings().apply_state == "describing"
    cluster.report("hubspot")
    assert cluster.settings().state == "active"


def test_streamed_events_are_known_before_their_types_are_made_and_stay_while_others_are_asked_for() -> None:
    cluster = Cluster()
    cluster.ask(request(streams="[flow_started]"))
    cluster.report("hubspot", provisioned_revision=0)
    cluster.report("userflow", provisioned_revision=0)
    in_force = (replace(EVENTS[0], timelines=("contacts",)),)
    assert (cluster.settings().apply_state, cluster.settings().events) == ("provisioning", in_force)
    cluster.connect(streams="[flow_started]")
    cluster.ask(request(streams="true"))
    assert cluster.settings().events == in_force
    cluster.report("hubspot", provisioned_revision=1)
    cluster.report("userflow", provisioned_revision=1)
    assert [event.name for event in cluster.settings().events] == ["flow_started", "flow_ended"]
    cluster.report("hubspot", status="failed", reason="event_definition_refused", provisioned_revision=1)
    assert (cluster.settings().apply_state, cluster.settings().events) == ("failed", in_force)


def test_an_event_that_nobody_knows_refuses_the_request() -> None:
    cluster = Cluster()
    cluster.connect(streams="[flow_startd]")
    assert cluster.settings().apply_state == "failed"
    assert "did you mean `flow_started`" in (cluster.settings().reason or "")
