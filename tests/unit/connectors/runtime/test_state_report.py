"""What a connector reports of an integration: told when it changed, and only what its connection knows."""

import asyncio
from dataclasses import replace

from connectors.runtime.state_report import StateReport, state_under
from connectors.session.connection import ConnectionState
from schemas.configuration import SIGNING, ConnectorState, DescribedField
from tests.unit.connectors.session.contexts import Told

BEFORE = ConnectorState(1, 1, 1, "ok", grant=b"grant", webhook_secret=b"secret")


def report_of(state: ConnectorState) -> tuple[StateReport, Told]:
    told = Told()
    return StateReport("acme", "userflow", state, told.publish, lambda text, secret: f"{secret}:{text}".encode()), told


def states(told: Told) -> list[ConnectorState]:
    return [part.connector for part in told.published if part.connector is not None]


async def test_a_report_is_published_only_where_something_changed() -> None:
    report, told = report_of(BEFORE)
    await report.update(status="ok")
    await report.update(status="failed", reason="missing_scope")
    await report.update(status="failed")
    assert [(state.status, state.reason) for state in states(told)] == [("failed", "missing_scope")]


async def test_what_was_read_whole_is_reported_once_for_each_mapping_and_forgotten_with_its_connection() -> None:
    report, told = report_of(BEFORE)
    for object_type, revisions in (("users", {"people": 3}), ("users", {"people": 3}), ("companies", {"firms": 4})):
        await report.keep_whole(object_type, revisions, 10)
    assert [dict(state.whole) for state in states(told)] == [
        {"users/people": 3},
        {"users/people": 3, "companies/firms": 4},
    ]
    assert state_under(2, report.state).whole == {}


async def test_a_type_of_which_an_object_was_erased_is_known_whole_no_more() -> None:
    report, told = report_of(BEFORE)
    await report.keep_whole("users", {"people": 3, "leads": 2}, 10)
    await report.keep_whole("companies", {"firms": 4}, 10)
    for now_ms in (20, 30):
        await report.forget_whole("users", now_ms)
    assert report.state.whole == {"companies/firms": 4}
    assert len(states(told)) == 3
    await report.keep_whole("users", {"people": 3}, 30)  # a full sync that was under way
    assert report.state.whole == {"companies/firms": 4}
    await report.keep_whole("users", {"people": 3}, 31)
    assert report.state.whole == {"companies/firms": 4, "users/people": 3}


def test_of_an_earlier_connection_only_the_secrets_are_left() -> None:
    state = state_under(2, BEFORE)
    assert state == ConnectorState(2, 0, 0, "ok", grant=b"grant", webhook_secret=b"secret")
    assert state_under(1, BEFORE) is BEFORE
    assert state_under(1, None) == ConnectorState(1, 0, 0, "ok")


async def test_a_system_that_makes_no_webhook_secret_keeps_the_one_it_has() -> None:
    report, _ = report_of(BEFORE)
    await report.keep_provisioned(2, None)
    assert (report.state.provisioned_revision, report.state.webhook_secret) == (2, b"secret")
    await report.keep_provisioned(3, "new")
    assert report.state.webhook_secret == f"{SIGNING}:new".encode()


async def test_fields_that_were_just_created_are_not_called_gone() -> None:
    report, _ = report_of(BEFORE)
    made = DescribedField("contacts", "userflow_user_plan", "Plan", "string", archived=True)
    await report.keep_provisioned(2, None, (made,))
    await report.keep_provisioned(2, None, (made,))
    assert [field for field in report.state.fields if field.name == made.name] == [replace(made, archived=False)]
    assert set(BEFORE.fields) <= set(report.state.fields)


async def test_nobody_goes_on_before_the_brokers_have_what_another_reported_first() -> None:
    report, told = report_of(BEFORE)
    told.held_back = asyncio.Event()
    state = ConnectionState("acme: userflow", report.keep_parked)
    parking = [asyncio.create_task(state.park()) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not any(task.done() for task in parking), "a receipt would say parked, and no next owner know of it"
    told.held_back.set()
    await asyncio.gather(*parking)
    assert [one.parked for one in states(told)] == [True]
