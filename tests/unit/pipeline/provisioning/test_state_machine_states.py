"""Who holds an account, and what pausing, resuming and disconnecting do to what is in force."""

from dataclasses import replace

import pytest

from pipeline.operations.apply import changed_state, with_mappings
from pipeline.provisioning.state_machine import DISCONNECTED, decide
from schemas.configuration import (
    DesiredState,
    Former,
    IntegrationPart,
)
from tests.unit.pipeline.provisioning.cluster import PARTITIONS, Cluster, request


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


@pytest.mark.parametrize("reason", ["wrong_account", "unauthorized", "step_failed"])
def test_an_account_that_does_not_prove_itself_leaves_what_is_in_force(reason: str) -> None:
    cluster = Cluster()
    cluster.connect()
    before, mappings = cluster.settings(), dict(cluster.mappings)
    claims = {key for key in cluster.parts if key.startswith("claim/")}

    cluster.ask(request(account="2"))
    assert replace(cluster.settings(), apply_id="", apply_state="done", trial=None) == replace(before, apply_id="")
    cluster.answer_trial(hubspot=reason)

    after = cluster.settings()
    assert (after.apply_state, after.reason, after.trial) == ("failed", f"hubspot: failed: {reason}", None)
    assert replace(after, apply_id="", apply_state="done", reason=None) == replace(before, apply_id="")
    assert {key for key in cluster.parts if key.startswith("claim/")} == claims
    assert cluster.mappings == mappings


def test_a_file_that_does_not_fit_another_account_leaves_what_is_in_force_too() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(request(account="2", attribute="nowhere"))
    cluster.answer_trial()
    assert (cluster.settings().apply_state, cluster.settings().connection) == ("failed", 1)
    assert "nowhere" in (cluster.settings().reason or "")
    assert (cluster.settings().state, cluster.settings().hubspot.account) == ("active", "1")


@pytest.mark.parametrize("system", ["hubspot", "userflow"])
@pytest.mark.parametrize("reason", ["too_many_properties", "environment_already_claimed", "step_failed"])
def test_an_account_that_cannot_be_prepared_leaves_what_is_in_force(system: str, reason: str) -> None:
    """Its trial passed, its provisioning was refused, and it was gone, with the account before it."""
    cluster = Cluster()
    cluster.connect()
    before, mappings = cluster.settings(), dict(cluster.mappings)
    claims = {key for key in cluster.parts if key.startswith("claim/")}
    cluster.ask(request(account="2", attribute="seats"))
    cluster.answer_trial()
    asked = cluster.settings()
    assert (asked.apply_state, [field.name for field in asked.create]) == ("provisioning", ["userflow_user_seats"])
    assert (asked.state, asked.connection, asked.hubspot) == ("active", before.connection, before.hubspot)

    cluster.answer_trial(**{system: reason})

    after = cluster.settings()
    assert (after.apply_state, after.reason) == ("failed", f"{system}: failed: {reason}")
    kept = replace(after, apply_id="", apply_state="done", reason=None)
    assert kept == replace(before, apply_id="", create=())
    assert {key for key in cluster.parts if key.startswith("claim/")} == claims
    assert cluster.mappings == mappings


def test_an_answer_to_an_earlier_step_of_a_trial_is_none_to_the_next() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(request(account="2"))
    cluster.answer_trial()
    cluster.settle()
    assert (cluster.settings().apply_state, cluster.settings().connection) == ("provisioning", 1)
    cluster.answer_trial()
    assert (cluster.settings().apply_state, cluster.settings().connection) == ("describing", 2)


def test_a_report_that_comes_after_its_integration_was_forgotten_goes_too() -> None:
    """The next integration of that name found it, and took its fields for described."""
    cluster = Cluster()
    cluster.ask(request())
    cluster.report("hubspot", status="failed", reason="wrong_account")
    late = cluster.parts["acme/hubspot"]
    del cluster.parts["acme/desired"]
    cluster.settle()
    cluster.parts["acme/hubspot"] = late
    cluster.settle()
    assert set(cluster.parts) == {"acme/former"}


def test_a_pause_while_an_account_is_on_trial_gives_the_trial_up() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(request(account="2"))
    cluster.ask(changed_state(cluster.settings(), "paused", 2))
    assert (cluster.settings().state, cluster.settings().trial, cluster.settings().apply_state) == (
        "paused",
        None,
        "done",
    )


def test_a_refused_first_apply_can_be_forgotten() -> None:
    cluster = Cluster()
    cluster.ask(request())
    cluster.report("hubspot", status="failed", reason="wrong_account")
    cluster.settle()
    assert cluster.settings().state == "disconnected"
    del cluster.parts["acme/desired"]
    cluster.settle()
    assert cluster.parts == {"acme/former": IntegrationPart("acme", former=Former(1))}
    assert cluster.order[-1] == "acme/settings"


def test_what_is_in_force_is_never_forgotten() -> None:
    cluster = Cluster()
    cluster.connect()
    del cluster.parts["acme/desired"]
    cluster.settle()
    assert cluster.settings().state == "active"


def test_a_new_api_key_is_the_same_environment_and_a_wrong_one_leaves_what_is_in_force() -> None:
    cluster = Cluster()
    cluster.connect()
    (claimed,) = (key for key in cluster.parts if key.startswith("claim/userflow/"))
    cluster.ask(request(key="ak_typo"))
    assert claimed in cluster.parts
    cluster.answer_trial(userflow="unauthorized")
    assert (cluster.settings().state, cluster.settings().connection) == ("active", 1)
    assert [key for key in cluster.parts if key.startswith("claim/userflow/")] == [claimed]

    cluster.connect(key="ak_two")
    assert (cluster.settings().state, cluster.settings().connection) == ("active", 1)
    (renewed,) = (key for key in cluster.parts if key.startswith("claim/userflow/"))
    assert renewed != claimed


def test_pause_and_resume_ask_nothing_of_the_connectors() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(changed_state(cluster.settings(), "paused", 2))
    assert (cluster.settings().state, cluster.settings().revision) == ("paused", 1)
    cluster.ask(changed_state(cluster.settings(), "active", 3))
    assert (cluster.settings().state, cluster.settings().revision) == ("active", 1)


def test_the_reason_for_a_pause_lasts_as_long_as_the_pause() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(changed_state(cluster.settings(), "paused", 2, "CRM clean-up"))
    assert cluster.settings().pause_reason == "CRM clean-up"
    cluster.connect(attribute="seats")  # a file that is applied meanwhile
    assert (cluster.settings().state, cluster.settings().pause_reason) == ("paused", "CRM clean-up")
    _, request = with_mappings(cluster.settings(), (), 3)
    cluster.ask(request)  # what the console saves
    assert request.pause_reason == "CRM clean-up"
    cluster.report("hubspot")
    cluster.report("userflow")
    assert (cluster.settings().state, cluster.settings().pause_reason) == ("paused", "CRM clean-up")
    cluster.ask(changed_state(cluster.settings(), "paused", 4, "and a demo"))
    assert cluster.settings().pause_reason == "and a demo"
    cluster.ask(changed_state(cluster.settings(), "active", 5))
    assert (cluster.settings().state, cluster.settings().pause_reason) == ("active", "")
    assert with_mappings(cluster.settings(), (), 6)[1].pause_reason == ""


def test_what_is_disconnected_is_paused_for_no_reason() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(changed_state(cluster.settings(), "paused", 2, "CRM clean-up"))
    cluster.ask(changed_state(cluster.settings(), "disconnected", 3))
    assert cluster.settings().pause_reason == ""
    cluster.connect()
    assert (cluster.settings().state, cluster.settings().pause_reason) == ("active", "")


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
    cluster.ask(changed_state(cluster.settings(), "paused", 2, "until Monday"))
    assert (cluster.settings().state, cluster.settings().apply_state) == ("connecting", "describing")
    assert cluster.settings().pause_reason == ""
    cluster.report("hubspot")
    cluster.report("userflow")
    assert (cluster.settings().state, cluster.settings().active_revision) == ("paused", 1)
    assert cluster.settings().pause_reason == "until Monday"


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
    settings, *others = decide(cluster.parts, cluster.mappings, PARTITIONS)
    assert len(others) == 3  # two claims and a mapping
    cluster.write(settings)  # and there it died
    cluster.settle()
    assert not [key for key in cluster.parts if key.startswith("claim/")]
    assert cluster.mappings == {}


def test_the_state_of_a_connection_is_forgotten_once_it_is_known_to_be_over() -> None:
    cluster = Cluster()
    cluster.connect()
    assert cluster.commands == []
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))
    assert sorted((one.stage, one.kind, one.connection) for one in cluster.commands) == [
        ("objects", "forget", 1),
        ("objects", "forget", 1),
        ("pairs", "forget", 1),
        ("pairs", "forget", 1),
    ]
    assert cluster.order.index("partition-0") > cluster.order.index("acme/settings")
    assert (cluster.settings().state, cluster.settings().forgotten) == ("disconnected", 1)
    cluster.connect()
    assert len(cluster.commands) == 2 * PARTITIONS


def test_another_account_leaves_nothing_of_the_former_one() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.connect(account="2")
    assert {(one.connection, one.kind) for one in cluster.commands} == {(1, "forget")}
    assert len(cluster.commands) == 2 * PARTITIONS


def test_an_integration_of_a_name_that_was_forgotten_shares_no_key_with_it() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))
    del cluster.parts["acme/desired"]
    cluster.settle()
    assert set(cluster.parts) == {"acme/former"}
    cluster.connect()
    assert (cluster.settings().state, cluster.settings().connection) == ("active", 2)
    cluster.ask(changed_state(cluster.settings(), "disconnected", 3))
    del cluster.parts["acme/desired"]
    cluster.settle()
    assert cluster.parts == {"acme/former": IntegrationPart("acme", former=Former(2))}
