"""What doctor finds of one integration."""

from pipeline.operations.apply import changed_state
from pipeline.operations.doctor import Finding, examine_integration
from tests.unit.pipeline.integration_file.files import GOOD
from tests.unit.pipeline.operations.test_plan import in_force
from tests.unit.pipeline.provisioning.cluster import Cluster


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
    assert not any("webhooks" in finding.what for finding in found(polling))


def test_secrets_that_no_key_opens() -> None:
    assert any("does not open its secrets" in finding.detail for finding in found(in_force(), opens=False))


def test_a_connector_that_cannot_work_with_its_system() -> None:
    cluster = in_force()
    cluster.report("hubspot", status="needs_reconnect", reason="unauthorized")
    detail = "HubSpot does not accept the credentials. Fix: give a token that is in force"
    told = Finding("integration acme: hubspot", "wrong", f"needs reconnect: unauthorized: {detail}")
    assert told in found(cluster)
    cluster.report("hubspot", status="failed", reason="of_tomorrow")
    assert Finding("integration acme: hubspot", "wrong", "failed: of_tomorrow") in found(cluster)


def test_a_first_apply_that_was_refused() -> None:
    cluster = Cluster()
    cluster.connect(attribute="unheard_of")
    first, second = found(cluster)
    assert (first.verdict, second.detail) == ("wrong", "disconnected")
    assert first.detail.startswith("the last apply was refused: ")


def test_nothing_is_asked_of_a_disconnected_one() -> None:
    cluster = in_force()
    cluster.ask(changed_state(cluster.settings(), "disconnected", 2))
    assert found(cluster) == [Finding("integration acme", "ok", "disconnected")]
