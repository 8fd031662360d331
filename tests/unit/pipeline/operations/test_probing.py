"""What connectors answer when doctor asks what their systems say now, and what it means that one does not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.operations.doctor import examine_integration
from pipeline.operations.findings import Finding
from pipeline.operations.probing import Probed, probe
from schemas.configuration import Description, Inquiry, IntegrationPart
from schemas.values import SYSTEMS
from tests.unit.pipeline.operations.test_plan import HUBSPOT, USERFLOW, in_force
from tests.unit.pipeline.provisioning.cluster import Cluster

FIELDS = {"hubspot": HUBSPOT, "userflow": USERFLOW}


class Asked:
    """Connectors that answer an inquiry as they are told."""

    def __init__(self, cluster: Cluster, **answers: Description | None) -> None:
        self.parts: dict[str, IntegrationPart] = dict(cluster.parts)
        self.answers = answers
        self.inquiries: list[Inquiry] = []

    def publish(self, records: Sequence[tuple[str, str, Any]]) -> None:
        for _, key, part in records:
            assert key == "acme/inquiry"
            self.inquiries.append(part.inquiry)
            for system in SYSTEMS:
                answer = self.answers.get(system, Description("", fields=FIELDS[system], webhooks="ok"))
                if answer is not None:
                    told = replace(answer, inquiry_id=part.inquiry.inquiry_id)
                    self.parts[f"acme/{system}/description"] = IntegrationPart("acme", description=told)


def asked(cluster: Cluster, within_s: float = 5.0, **answers: Description | None) -> tuple[Asked, Probed]:
    them = Asked(cluster, **answers)
    return them, probe(them.publish, lambda: them.parts, within_s, lambda: 7)


def found(cluster: Cluster, probed: Probed) -> list[Finding]:
    told = examine_integration("acme", cluster.settings(), cluster.parts, lambda *_: True, probed)
    return [one for one in told if one.verdict == "wrong"]


def test_both_systems_are_asked_for_the_mapped_fields_and_the_subscription() -> None:
    cluster = in_force()
    them, told = asked(cluster)
    (inquiry,) = them.inquiries
    assert inquiry.webhooks and "jobtitle" in inquiry.hubspot["contacts"]
    assert set(told.answers) == {("acme", "hubspot"), ("acme", "userflow")}
    assert found(cluster, told) == []


def test_a_mapped_property_that_was_deleted_a_moment_ago() -> None:
    cluster = in_force()
    left = tuple(field for field in HUBSPOT if field.name != "jobtitle")
    _, told = asked(cluster, hubspot=Description("", fields=left))
    (wrong,) = found(cluster, told)
    assert wrong.code == "field_stands_still"
    assert wrong.detail.startswith("HubSpot contacts `jobtitle` does not exist")


@pytest.mark.parametrize(
    ("standing", "code"),
    [
        ("missing", "subscription_missing"),
        ("disabled", "subscription_disabled"),
        ("incomplete", "subscription_incomplete"),
    ],
)
def test_a_subscription_that_does_not_tell(standing: str, code: str) -> None:
    cluster = in_force()
    _, told = asked(cluster, userflow=Description("", fields=USERFLOW, webhooks=standing))
    (wrong,) = found(cluster, told)
    assert (wrong.code, wrong.integration) == (code, "acme")
    assert "apply the file again" in wrong.detail


def test_subscriptions_that_may_not_be_read_are_not_known() -> None:
    cluster = in_force()
    _, probed = asked(cluster, userflow=Description("", fields=USERFLOW, webhooks="forbidden"))
    told = examine_integration("acme", cluster.settings(), cluster.parts, lambda *_: True, probed)
    assert [one.code for one in told if one.verdict == "unknown"] == [
        "subscription_unreadable",
        "subscription_checklist",
    ]


def test_a_connector_that_does_not_answer() -> None:
    cluster = in_force()
    _, told = asked(cluster, 0.0, userflow=None)
    (wrong,) = found(cluster, told)
    assert (wrong.what, wrong.code) == ("integration acme: userflow", "connector_does_not_answer")


def test_one_whose_system_is_away_is_not_waited_for() -> None:
    cluster = in_force()
    cluster.report("userflow", fields=USERFLOW, status="unavailable", reason="http_503")
    _, told = asked(cluster, 60.0, userflow=None)
    assert [one.code for one in found(cluster, told)] == ["connector_unavailable"]


def test_a_system_that_refuses_to_tell() -> None:
    cluster = in_force()
    _, told = asked(cluster, hubspot=Description("", reason="forbidden"))
    (wrong,) = found(cluster, told)
    assert wrong.code == "fields_not_described" and "forbidden" in wrong.detail


def test_nobody_is_asked_where_nothing_is_connected() -> None:
    parts: Mapping[str, IntegrationPart] = {}

    def never(_: object) -> None:
        raise AssertionError("nothing is to be published")

    assert probe(never, lambda: parts, 60.0, lambda: 7) == Probed()
