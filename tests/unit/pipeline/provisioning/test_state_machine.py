"""How a request becomes what is in force, told as the records that are written."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.integration_file.loader import load
from pipeline.integration_file.model import IntegrationFile
from pipeline.operations.apply import desired
from pipeline.provisioning import state_machine
from pipeline.provisioning.described import FIELDS_DO_NOT_FIT
from pipeline.provisioning.state_machine import Outside, decide
from schemas.configuration import (
    ConnectorState,
    DescribedField,
    DescribedType,
    IntegrationPart,
)
from schemas.records import FieldRule
from schemas.values import System
from tests.unit.pipeline.provisioning.cluster import (
    EVENTS,
    HUBSPOT_FIELDS,
    USERFLOW_FIELDS,
    Cluster,
    request,
    same_secret,
    text_asked,
)


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


def test_a_refused_file_does_not_keep_what_is_in_force_from_learning_of_its_fields() -> None:
    cluster = Cluster()
    cluster.connect()
    unique = (HUBSPOT_FIELDS[0], replace(HUBSPOT_FIELDS[1], type="number"))
    cluster.ask(request(attribute="seats"))
    refused = cluster.settings().revision
    cluster.report("userflow", fields=(USERFLOW_FIELDS[3],), descriptions=1)  # of the file that is refused next
    cluster.report("hubspot", status="failed", reason="too_many_properties", described_revision=0)
    assert cluster.settings().apply_state == "failed"
    rules = cluster.mappings["acme/people"].rules
    cluster.report("userflow", fields=(USERFLOW_FIELDS[3],), descriptions=1, described_revision=refused)
    cluster.report("hubspot", fields=unique, descriptions=1, described_revision=refused)
    assert cluster.mappings["acme/people"].rules == rules  # nothing is made of what was told of the refused file
    cluster.report("userflow", descriptions=2)
    cluster.report("hubspot", fields=unique, descriptions=1)
    assert cluster.mappings["acme/people"].rules[0].source_type == "number"
    assert cluster.settings().active_revision == cluster.settings().revision


def test_an_edit_keeps_the_connection_and_the_revision_of_mappings_that_did_not_change() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.connect()
    assert (cluster.settings().connection, cluster.settings().revision) == (1, 2)
    assert cluster.mappings["acme/people"].revision == 1
    cluster.connect(attribute="seats")
    assert cluster.mappings["acme/people"].revision == 3


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


def test_a_field_that_matches_from_now_on_counts_as_not_read_before() -> None:
    """No object was matched by it: a full sync under way begins anew, or it would pair by the former field."""
    cluster = Cluster()
    cluster.connect()
    cluster.connect(match="jobtitle")
    since = cluster.mappings["acme/people"].read_since
    assert (since["hubspot.jobtitle"], since["userflow.email"]) == (2, 1)


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


PET_FIELDS = (
    DescribedField("2-77", "email", "Email", "string"),
    DescribedField("2-77", "jobtitle", "Job title", "string"),
)


@pytest.mark.parametrize("spelled", ["2-77", "p1_pet"])
def test_a_custom_type_is_told_before_its_fields_are_asked_for(spelled: str) -> None:
    cluster = Cluster()
    file = load(text_asked().replace("contacts", spelled), "", {})
    assert isinstance(file, IntegrationFile), file
    cluster.ask(desired(file, lambda *_: b"", 1))
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
    file = load(text_asked().replace("contacts", "p1_pet"), "", {})
    assert isinstance(file, IntegrationFile), file
    cluster.ask(desired(file, lambda *_: b"", 1))
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


def test_access_that_nobody_has_granted_yet_is_waited_for() -> None:
    cluster = Cluster()
    cluster.ask(request())
    cluster.report("userflow")
    cluster.report("hubspot", status="needs_reconnect", reason="not_granted", described_revision=0)
    assert (cluster.settings().state, cluster.settings().apply_state) == ("connecting", "describing")
    cluster.report("hubspot")
    cluster.report("userflow")
    assert cluster.settings().apply_state in ("provisioning", "done")
    refused = Cluster()
    refused.ask(request())
    refused.report("hubspot", status="needs_reconnect", reason="grant_rejected", described_revision=0)
    assert refused.settings().apply_state == "failed"


def test_a_field_that_went_between_its_description_and_the_end_refuses_the_request() -> None:
    """A property that was archived while Userflow was away raised here, in every scheduler, for all integrations."""
    cluster = Cluster()
    cluster.connect()
    cluster.ask(request(attribute="seats"))
    cluster.report("hubspot", provisioned_revision=0)
    cluster.report("userflow", provisioned_revision=0)
    assert cluster.settings().apply_state == "provisioning"
    gone = tuple(field for field in HUBSPOT_FIELDS if field.name != "jobtitle")
    cluster.report("userflow")
    cluster.report("hubspot", fields=gone, descriptions=1)
    assert cluster.settings().apply_state == "failed"
    assert (cluster.settings().reason or "").startswith(FIELDS_DO_NOT_FIT)
    assert (cluster.settings().state, cluster.settings().active_revision) == ("active", 1)


@pytest.mark.parametrize("when", ["asked", "described", "in force"])
def test_an_integration_on_which_our_own_code_raises_holds_no_other_up(
    monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    cluster, told = Cluster(), list[str]()
    cluster.connect("acme")
    cluster.connect("beta", account="2", key="ak_two")
    if when == "asked":
        cluster.parts["acme/desired"] = IntegrationPart("acme", desired=request(attribute="seats"))
        monkeypatch.setattr(state_machine, "same_accounts", _raises)
    elif when == "described":
        cluster.ask(request(attribute="seats"))
        cluster.report("hubspot", provisioned_revision=0)
        monkeypatch.setattr(state_machine, "with_fields_of", _raises)
        _report_unsettled(cluster, "userflow")
    else:
        monkeypatch.setattr(state_machine, "described_file", _raises)
        _report_unsettled(cluster, "hubspot", descriptions=7)
    parts, paused = cluster.parts, replace(cluster.parts["beta/desired"].desired or request(), state="paused")
    parts["beta/desired"] = IntegrationPart("beta", desired=replace(paused, apply_id="pause"))
    outside = Outside(lambda name, error: told.append(f"{name} {error!r}"), same_secret)
    for _ in range(9):
        for write in decide(parts, cluster.mappings, 2, outside):
            cluster.write(write)
    assert cluster.settings("beta").state == "paused"
    assert set(told) == {"acme ZeroDivisionError('in a test')"}
    acme = cluster.settings("acme")
    assert (acme.state, acme.active_revision) == ("active", 1)
    failed = when != "in force"
    assert (acme.apply_state == "failed", (acme.reason or "").startswith("step_failed: ")) == (failed, failed)


def _raises(*_: object) -> Any:
    raise ZeroDivisionError("in a test")


def _report_unsettled(cluster: Cluster, system: System, **changes: object) -> None:
    """A report that nobody has decided on yet."""
    settings = cluster.settings()
    fields = HUBSPOT_FIELDS if system == "hubspot" else USERFLOW_FIELDS
    revision = settings.revision
    state = ConnectorState(settings.connection, revision, 0, "ok", revision, None, fields)
    cluster.parts[f"acme/{system}"] = IntegrationPart("acme", connector=replace(state, **changes))  # type: ignore[arg-type]
