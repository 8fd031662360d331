"""What doctor finds of one integration."""

from dataclasses import replace

import pytest

from pipeline.operations.apply import changed_state
from pipeline.operations.doctor import examine_integration
from pipeline.operations.findings import Finding
from schemas.configuration import NOT_GRANTED, DescribedField, DesiredState
from tests.unit.pipeline.integration_file.files import GOOD
from tests.unit.pipeline.operations.test_plan import HUBSPOT, USERFLOW, in_force
from tests.unit.pipeline.provisioning.cluster import Cluster, request

TITLE = next(field for field in HUBSPOT if field.name == "jobtitle")


def found(cluster: Cluster, *, opens: bool = True) -> list[Finding]:
    return list(examine_integration("acme", cluster.settings(), cluster.parts, lambda *_: opens))


def test_the_subscriptions_of_the_app_are_a_checklist() -> None:
    *rest, last = found(in_force())
    assert {finding.verdict for finding in rest} == {"ok"}
    assert (last.what, last.verdict) == ("integration acme: webhooks", "unknown")
    assert last.detail.startswith("the HubSpot app must subscribe to contacts: creation, deletion, merge, restore")
    assert last.detail.endswith("propertyChange of email, jobtitle")


def test_an_integration_that_polls_needs_no_subscription() -> None:
    polling = in_force(GOOD.replace("  token", "  source: poll\n  token"))
    told = found(polling)
    assert not any("webhooks" in finding.what for finding in told)
    (news,) = [finding.detail for finding in told if finding.what == "integration acme: hubspot news"]
    assert "no public URL is needed" in news


def test_a_pause_is_told_with_its_reason_and_is_nothing_to_mend() -> None:
    cluster = in_force()
    cluster.ask(changed_state(cluster.settings(), "paused", 2, "CRM clean-up"))
    told, *rest = found(cluster)
    assert told.detail == "paused: nothing is written until it is resumed. Reason given: CRM clean-up"
    assert {one.verdict for one in (told, *rest[:-1])} == {"ok"}
    cluster.ask(changed_state(cluster.settings(), "paused", 3))
    assert found(cluster)[0].detail == "paused: nothing is written until it is resumed"


def test_a_feed_that_is_refused_is_told_as_news_that_wait() -> None:
    cluster = in_force()
    cluster.report("hubspot", denied={"journal.read": "journal_refused"})
    (wrong,) = [finding.detail for finding in found(cluster) if finding.verdict == "wrong"]
    assert wrong.startswith("its news wait: journal cannot be pulled (journal_refused)")
    assert "source: poll" in wrong


def test_secrets_that_no_key_opens() -> None:
    assert any("does not open its secrets" in finding.detail for finding in found(in_force(), opens=False))


def test_a_connector_that_cannot_work_with_its_system() -> None:
    cluster = in_force()
    cluster.report("hubspot", status="needs_reconnect", reason="unauthorized")
    detail = "HubSpot does not accept the credentials. Fix: give a token that is in force"
    said = f"needs reconnect: unauthorized: {detail}"
    told = Finding("integration acme: hubspot", "wrong", said, "needs_reconnect", "acme")
    assert told in found(cluster)
    cluster.report("hubspot", status="failed", reason="of_tomorrow")
    told = Finding("integration acme: hubspot", "wrong", "failed: of_tomorrow", "connector_failed", "acme")
    assert told in found(cluster)


def test_a_file_that_waits_for_access_beside_what_is_in_force_is_named_and_withdrawn_by_the_one_in_force() -> None:
    cluster = Cluster()
    cluster.connect()
    asked = request()
    hubspot = replace(asked.hubspot, options={"client_id": "app"}, secrets={"client_secret": b"secret"})
    cluster.ask(replace(asked, hubspot=hubspot))
    assert not any(one.code == "grant_awaited" for one in found(cluster))
    cluster.answer_trial(hubspot=NOT_GRANTED)
    (told,) = (one for one in found(cluster) if one.code == "grant_awaited")
    assert "waits for access to HubSpot account 1; meanwhile revision 1 stays in force and goes on. Fix" in told.detail
    assert "run `pairstream connect acme`" in told.detail
    cluster.ask(request())
    assert not any(one.code == "grant_awaited" for one in found(cluster))


def test_refused_credentials_are_named_with_their_key_and_variable_and_what_goes_on() -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(request(**{"token": "pat-typo"}))
    cluster.answer_trial(hubspot="unauthorized")
    (told,) = (one.detail for one in found(cluster) if one.code == "apply_refused")
    assert told == (
        "the last apply was refused: hubspot.token (`${HUBSPOT_TOKEN}` in an exported file): HubSpot does not accept "
        "the credentials (unauthorized). Fix: give a token that is in force. Then: `pairstream apply FILE`. "
        "Meanwhile revision 1 stays in force and goes on"
    )


@pytest.mark.parametrize("state", ["paused", "active"])
def test_a_trial_that_a_pause_or_resume_gave_up_is_told_until_the_next_apply(state: DesiredState) -> None:
    cluster = Cluster()
    cluster.connect()
    cluster.ask(request(**{"token": "pat-new"}))
    cluster.ask(changed_state(cluster.settings(), state, 2))
    cluster.ask(changed_state(cluster.settings(), "active", 3))
    (told,) = (one for one in found(cluster) if "was given up" in one.detail)
    assert told.verdict == "ok" and "`pairstream apply FILE` again" in told.detail
    cluster.connect(attribute="seats")
    assert not any("was given up" in one.detail for one in found(cluster))


def test_a_first_apply_that_was_refused() -> None:
    cluster = Cluster()
    cluster.connect(attribute="unheard_of")
    first, second = found(cluster)
    assert (first.verdict, second.detail) == ("wrong", "disconnected")
    assert first.detail.startswith("the last apply was refused: ")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (replace(TITLE, archived=True), "HubSpot contacts `jobtitle` is archived: what reads it stands still"),
        (replace(TITLE, unreadable=True), "HubSpot contacts `jobtitle` exists, but records are shown without it"),
        (None, "HubSpot contacts `jobtitle` does not exist"),
    ],
)
def test_a_rule_that_stands_still_is_named(change: DescribedField | None, told: str) -> None:
    cluster = in_force()
    others = tuple(field for field in HUBSPOT if field != TITLE)
    cluster.report("hubspot", fields=(*others, *([change] if change else [])), descriptions=2)
    (wrong,) = (finding for finding in found(cluster) if finding.verdict == "wrong")
    assert wrong.what == "integration acme: fields"
    assert wrong.detail.startswith(told) and "Fix: " in wrong.detail


def test_a_property_of_ours_that_is_no_more_is_named() -> None:
    cluster = in_force(GOOD + "    to_hubspot: [score]\n")
    cluster.report("hubspot", fields=HUBSPOT)
    (wrong,) = (finding for finding in found(cluster) if finding.verdict == "wrong")
    assert wrong.detail.startswith("is no more in HubSpot: contacts.userflow_user_score")


def test_both_ends_of_a_rule_that_are_no_more_are_named() -> None:
    cluster = in_force(GOOD + "    to_hubspot: [score]\n")
    cluster.report("hubspot", fields=HUBSPOT)
    cluster.report("userflow", fields=tuple(field for field in USERFLOW if field.name != "score"), descriptions=2)
    wrong = [finding.detail for finding in found(cluster) if finding.verdict == "wrong"]
    assert any(one.startswith("Userflow users `score`") for one in wrong), wrong
    assert any(one.startswith("is no more in HubSpot: contacts.userflow_user_score") for one in wrong), wrong


@pytest.mark.parametrize(
    ("ahead_ms", "told"),
    [
        (8_000 * 365 * 86_400_000, "its clock is 2920000 days ahead of ours. Beyond a day its times are not believed."),
        (-3 * 3_600_000, "its clock is 3 hours behind ours. Fix: "),
        (7 * 60_000, "its clock is 7 minutes ahead of ours. Fix: "),
    ],
)
def test_a_clock_that_is_wrong_is_told_with_its_size(ahead_ms: int, told: str) -> None:
    cluster = in_force()
    cluster.report("userflow", fields=USERFLOW, clock_ahead_ms=ahead_ms)
    (wrong,) = (finding for finding in found(cluster) if finding.verdict == "wrong")
    assert wrong.what == "integration acme: userflow"
    assert wrong.detail.startswith(told)


def test_an_object_type_that_may_not_be_read_is_named_with_its_verb() -> None:
    cluster = in_force()
    cluster.report("hubspot", fields=HUBSPOT, denied={"companies.read": "missing_scopes"})
    (wrong,) = (finding for finding in found(cluster) if finding.verdict == "wrong")
    assert wrong.what == "integration acme: hubspot"
    assert wrong.detail.startswith("may not read companies (missing_scopes); everything else goes on. Fix: ")


def test_nothing_is_asked_of_a_disconnected_one() -> None:
    cluster = in_force()
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))
    assert found(cluster) == [Finding("integration acme", "ok", "disconnected", integration="acme")]
