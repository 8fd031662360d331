"""What connects anew is tried beside what is in force, which loses nothing by it."""

from dataclasses import replace
from typing import Final

import pytest

from pipeline.operations.apply import changed_state, refusal, with_secrets
from pipeline.provisioning.state_machine import Outside, decide
from schemas.configuration import (
    NOT_GRANTED,
    Description,
    DesiredIntegration,
    DesiredState,
    IntegrationPart,
    IntegrationSettings,
)
from schemas.integrations import awaits_grant, to_connect
from schemas.values import SYSTEMS
from tests.unit.pipeline.provisioning.cluster import (
    HUBSPOT_FIELDS,
    PARTITIONS,
    Cluster,
    file_asked,
    request,
    same_secret,
    seal,
)

NEW: Final = {"token": "pat-new"}


def running() -> Cluster:
    cluster = Cluster()
    cluster.connect()
    return cluster


def kept(settings: IntegrationSettings) -> IntegrationSettings:
    """All that the running integration lives by."""
    return replace(settings, apply_id="", apply_state="done", reason=None, trial=None, create=())


def by_oauth() -> DesiredIntegration:
    """The same account by an OAuth app, to which nobody has granted access yet."""
    asked = request()
    hubspot = replace(asked.hubspot, options={**asked.hubspot.options, "client_id": "app"})
    return replace(asked, hubspot=replace(hubspot, secrets={"client_secret": seal("secret", "")}))


@pytest.mark.parametrize(
    "asked",
    [
        request(**{"token": "pat-typo"}),
        request(key="ak_typo"),
        replace(request(), hubspot=replace(request().hubspot, options={"source": "poll"})),
        by_oauth(),
    ],
    ids=["token", "key", "option", "oauth"],
)
@pytest.mark.parametrize("refused_by", ["hubspot", "userflow"])
def test_whatever_connects_anew_is_tried_and_costs_nothing_where_it_is_refused(
    asked: DesiredIntegration, refused_by: str
) -> None:
    cluster = running()
    before, mappings, written = cluster.settings(), dict(cluster.mappings), len(cluster.order)
    cluster.ask(replace(asked, apply_id="b"))
    assert (cluster.settings().apply_state, cluster.settings().revision) == ("proving", before.revision)
    assert kept(cluster.settings()) == kept(before)
    cluster.answer_trial(**{refused_by: "unauthorized"})
    reason = f"{refused_by}: failed: unauthorized"
    assert (cluster.settings().apply_state, cluster.settings().reason) == ("failed", reason)
    assert kept(cluster.settings()) == kept(before)
    assert cluster.mappings == mappings
    assert cluster.order[written:] == ["acme/settings"] * 2  # no claim came or went


def test_what_is_proven_takes_over_under_the_same_connection() -> None:
    cluster = running()
    before = cluster.settings()
    cluster.ask(request(**NEW))
    cluster.answer_trial()
    cluster.answer_trial()
    taken = cluster.settings()
    assert (taken.apply_state, taken.connection, taken.state) == ("describing", before.connection, "active")
    assert taken.active_revision == before.active_revision
    for system in ("hubspot", "userflow"):
        cluster.report(system)
    assert (cluster.settings().apply_state, cluster.settings().revision) == ("done", before.revision + 1)
    assert cluster.settings().hubspot.secrets["token"].startswith(b"pat-new")
    assert cluster.commands == []


@pytest.mark.parametrize("step", ["describing", "provisioning"])
def test_a_mapping_for_which_a_system_is_not_ready_is_refused_while_its_status_stays(step: str) -> None:
    cluster = running()
    before = cluster.settings()
    cluster.ask(request(attribute="seats"))
    if step == "provisioning":
        for system in ("hubspot", "userflow"):
            cluster.report(system, provisioned_revision=0)
    assert cluster.settings().apply_state == step
    told = Description(cluster.settings().tried, "too_many_properties")
    cluster.parts["acme/hubspot/trial"] = IntegrationPart("acme", description=told)
    cluster.settle()
    after = cluster.settings()
    assert (after.apply_state, after.reason) == ("failed", "hubspot: failed: too_many_properties")
    assert (after.state, after.active_revision, after.document) == ("active", before.revision, before.document)


@pytest.mark.parametrize("asked", [request(), request(attribute="seats")], ids=["the same file", "another mapping"])
def test_what_connects_by_the_same_credentials_needs_no_trial(asked: DesiredIntegration) -> None:
    cluster = running()
    cluster.ask(replace(asked, apply_id="b"))
    assert (cluster.settings().apply_state, cluster.settings().trial) == ("describing", None)


def test_a_secret_that_nobody_can_compare_is_tried() -> None:
    """As where the key that opens what is in force is gone: an apply mends it."""
    cluster = running()
    cluster.parts["acme/desired"] = IntegrationPart("acme", desired=replace(request(), apply_id="b"))
    (write,) = decide(cluster.parts, cluster.mappings, PARTITIONS, Outside(same_secret=lambda *_: False))
    cluster.write(write)
    assert cluster.settings().apply_state == "proving"


@pytest.mark.parametrize("written_by_this_release", [True, False])
def test_a_pause_that_crossed_a_rotation_holds_at_once(written_by_this_release: bool) -> None:
    cluster = running()
    settings = cluster.settings()
    paused = changed_state(settings, "paused", 2)
    again = {name: seal(sealed.split()[0].decode(), "") for name, sealed in settings.hubspot.secrets.items()}
    sealed_again = replace(settings, hubspot=replace(settings.hubspot, secrets=again))
    cluster.parts["acme/settings"] = IntegrationPart("acme", settings=sealed_again)
    cluster.ask(replace(paused, state_only=written_by_this_release))
    assert (cluster.settings().state, cluster.settings().apply_state) == ("paused", "done")


def test_a_resume_that_crossed_a_rotation_resumes_and_keeps_the_newer_seals() -> None:
    cluster = running()
    cluster.ask(changed_state(cluster.settings(), "paused", 2))
    read = cluster.settings()
    again = {name: seal(sealed.split()[0].decode(), "") for name, sealed in read.hubspot.secrets.items()}
    cluster.parts["acme/settings"] = IntegrationPart(
        "acme", settings=replace(read, hubspot=replace(read.hubspot, secrets=again))
    )
    cluster.ask(changed_state(read, "active", 3))
    assert (cluster.settings().state, cluster.settings().apply_state) == ("active", "done")
    assert cluster.settings().hubspot.secrets == again


@pytest.mark.parametrize("asked", [request(**NEW), request(account="2", **NEW), request(attribute="seats", **NEW)])
@pytest.mark.parametrize("in_force", [False, True], ids=["taking over", "in force"])
@pytest.mark.parametrize("state", ["paused", "active"])
def test_a_state_that_was_asked_for_while_a_trial_passed_changes_no_credentials(
    asked: DesiredIntegration, in_force: bool, state: DesiredState
) -> None:
    """A command asks a person between reading what is in force and asking for another state."""
    cluster = running()
    if state == "active":
        cluster.ask(changed_state(cluster.settings(), "paused", 2))
    cluster.ask(replace(asked, apply_id=f"{state} {in_force}"))
    read = cluster.settings()
    cluster.answer_trial()
    cluster.answer_trial()
    for system in SYSTEMS if in_force else ():
        cluster.report(system)
    before = cluster.settings()
    assert before.hubspot.secrets["token"].startswith(b"pat-new")
    cluster.ask(changed_state(read, state, 3))
    after = cluster.settings()
    assert (after.hubspot, after.userflow, after.document) == (before.hubspot, before.userflow, before.document)
    assert (after.apply_state, after.trial) == (before.apply_state, None)
    for system in SYSTEMS:
        cluster.report(system)
    assert (cluster.settings().state, cluster.settings().apply_state) == (state, "done")


@pytest.mark.parametrize("refused", [False, True], ids=["on trial", "refused"])
def test_what_is_in_force_learns_of_changed_fields_while_another_is_tried_and_after_it_was_refused(
    refused: bool,
) -> None:
    cluster = running()
    cluster.ask(request(**NEW))
    if refused:
        cluster.answer_trial(hubspot="unauthorized")
    title = replace(HUBSPOT_FIELDS[1], type="enumeration", options=("CTO",))
    cluster.report("userflow")
    cluster.report("hubspot", fields=(HUBSPOT_FIELDS[0], title), descriptions=1)
    assert cluster.mappings["acme/people"].rules[0].source_type == "enumeration"
    assert (cluster.settings().active_revision, cluster.settings().trial is None) == (2, refused)
    if not refused:
        cluster.answer_trial()
        cluster.answer_trial()
        assert cluster.settings().apply_state == "describing"


def test_access_that_nobody_has_granted_is_waited_for_on_trial_and_connected() -> None:
    cluster = running()
    before = cluster.settings()
    cluster.ask(by_oauth())
    cluster.answer_trial(hubspot=NOT_GRANTED)
    waiting = cluster.settings()
    assert (waiting.apply_state, kept(waiting)) == ("proving", kept(before))
    assert awaits_grant(cluster.parts, "acme", waiting)
    assert to_connect(cluster.parts, "acme", waiting).hubspot.options["client_id"] == "app"
    for _ in range(2):
        cluster.answer_trial()
    assert to_connect(cluster.parts, "acme", cluster.settings()) == cluster.settings()
    for system in ("hubspot", "userflow"):
        cluster.report(system)
    taken = cluster.settings()
    assert (taken.apply_state, taken.connection, taken.state) == ("done", before.connection, "active")
    assert "token" not in taken.hubspot.secrets


def test_what_refuses_the_rest_is_heard_while_access_is_waited_for() -> None:
    cluster = running()
    cluster.ask(by_oauth())
    cluster.answer_trial(hubspot=NOT_GRANTED, userflow="unauthorized")
    assert (cluster.settings().apply_state, cluster.settings().reason) == ("failed", "userflow: failed: unauthorized")


def test_a_newer_request_takes_the_place_of_one_that_waits_for_access() -> None:
    cluster = running()
    before = cluster.settings()
    cluster.ask(by_oauth())
    cluster.answer_trial(hubspot=NOT_GRANTED)
    cluster.ask(request(**NEW))
    assert cluster.settings().trial is not None
    assert not awaits_grant(cluster.parts, "acme", cluster.settings())  # that answer was to another request
    assert kept(cluster.settings()) == kept(before)
    cluster.ask(request(attribute="seats"))
    assert (cluster.settings().apply_state, cluster.settings().trial) == ("describing", None)
    fallback = cluster.settings().fallback
    assert fallback is not None
    assert fallback.hubspot == before.hubspot


def test_the_file_in_force_withdraws_what_is_on_trial() -> None:
    cluster = running()
    before = cluster.settings()
    cluster.ask(by_oauth())
    cluster.ask(request())
    for system in ("hubspot", "userflow"):
        cluster.report(system)
    assert (cluster.settings().trial, cluster.settings().apply_state) == (None, "done")
    assert cluster.settings().hubspot.secrets.keys() == before.hubspot.secrets.keys()


def test_a_disconnect_ends_what_is_on_trial_and_keeps_no_secret_of_it() -> None:
    cluster = running()
    cluster.ask(by_oauth())
    cluster.answer_trial(hubspot=NOT_GRANTED)
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))
    gone = cluster.settings()
    assert (gone.state, gone.trial, gone.hubspot.secrets, gone.apply_state) == ("disconnected", None, {}, "done")


def test_a_trial_beside_a_paused_integration_leaves_it_paused() -> None:
    cluster = running()
    cluster.ask(changed_state(cluster.settings(), "paused", 2))
    cluster.ask(with_secrets(cluster.settings(), {"hubspot": NEW}, seal, 3, "acme"))
    assert (cluster.settings().state, cluster.settings().apply_state) == ("paused", "proving")
    for _ in range(2):
        cluster.answer_trial()
    for system in ("hubspot", "userflow"):
        cluster.report(system)
    assert (cluster.settings().state, cluster.settings().apply_state) == ("paused", "done")
    assert cluster.settings().hubspot.secrets["token"].startswith(b"pat-new")


def test_a_scheduler_that_dies_as_a_trial_ends_leaves_it_to_the_next() -> None:
    cluster = running()
    cluster.ask(request(**NEW))
    cluster.answer_trial()
    outside = Outside(same_secret=same_secret)
    settings = cluster.settings()
    for system in ("hubspot", "userflow"):  # both answers came, and nobody decided
        part = cluster.parts[f"acme/{system}/trial"]
        assert part.description is not None
        answer = replace(part.description, inquiry_id=settings.tried)
        cluster.parts[f"acme/{system}/trial"] = replace(part, description=answer)
    writes = [decide(cluster.parts, cluster.mappings, PARTITIONS, outside) for _ in range(2)]
    assert writes[0] == writes[1]
    cluster.settle()
    assert (cluster.settings().apply_state, cluster.settings().trial) == ("describing", None)


def test_a_misfit_of_a_file_on_trial_is_told_by_what_was_said_of_its_account() -> None:
    cluster = running()
    asked = request(account="2", attribute="nowhere")
    cluster.ask(asked)
    cluster.answer_trial()
    reason = cluster.settings().reason or ""
    assert "\n" not in reason
    assert reason.startswith("fields_do_not_fit: mappings[0].to_hubspot")
    told = refusal(reason, file_asked(account="2", attribute="nowhere"), asked, cluster.parts)
    assert told.startswith("acme.yaml:")
    assert "mappings[0].to_hubspot" in told
