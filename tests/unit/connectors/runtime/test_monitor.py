"""Keeping a system ready: what was parked is derived again, also after a restart, and probes are made with patience."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from connectors.contract.errors import ConnectorError, CredentialsRejected, Misconfigured, Refused, Transient
from connectors.runtime import monitor as monitor_module
from connectors.session.condition import VersionedCondition
from schemas.configuration import (
    Description,
)
from schemas.runs import RunProgress
from tests.unit.connectors.fake_clock import FakeClock, InstantClock
from tests.unit.connectors.runtime.runners import settings_part
from tests.unit.connectors.runtime.watching import STATE, Setup, descriptions, running, states, watched
from tests.unit.connectors.session.contexts import Told, asked_runs
from tests.unit.connectors.simulation.simulated import eventually


@pytest.mark.parametrize("away", [False, True])
async def test_what_was_parked_is_derived_again_and_once_more_a_while_later(
    away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor_module, "AGAIN_S", 0.02)
    it = watched()
    await it.state.park()
    if away:
        it.state.fail(Transient("http_503"))
    async with running(it):
        await eventually(lambda: len(it.rederived) == 2)
        await eventually(lambda: not it.report.state.parked)
        for _ in range(5):
            it.state.renew(1, active=True)
            await asyncio.sleep(0)
        assert it.rederived == [False, False]
    assert not states(it.told)[-1].parked


async def test_where_nothing_was_parked_they_are_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_module, "AGAIN_S", 0.0)
    it = watched(replace(STATE, status="unavailable"))
    async with running(it):
        await eventually(lambda: bool(it.rederived))
        for _ in range(5):
            it.state.renew(1, active=True)
            await asyncio.sleep(0.01)
        assert it.rederived == [False]


@pytest.mark.parametrize("restarted", [False, True])
async def test_credentials_that_are_accepted_again_lead_to_one_full_sync(restarted: bool) -> None:
    it = watched(replace(STATE, status="needs_reconnect") if restarted else STATE)
    if not restarted:
        it.state.fail(CredentialsRejected("unauthorized"))
    async with running(it):
        await eventually(lambda: it.report.state.status == "ok" and bool(reconnects(it.told)))
        for _ in range(5):
            it.state.renew(1, active=True)
            await asyncio.sleep(0)
    assert reconnects(it.told) == 1


async def test_the_first_grant_of_an_integration_that_maps_nothing_leads_to_none() -> None:
    settings = settings_part("acme").settings
    assert settings is not None
    nothing = replace(settings, hubspot=replace(settings.hubspot, fields={}))
    it = watched(replace(STATE, status="needs_reconnect"), settings=nothing)
    async with running(it):
        await eventually(lambda: it.report.state.status == "ok")
    assert reconnects(it.told) == 0


async def test_an_outage_leads_to_none() -> None:
    it = watched()
    it.state.fail(Transient("http_503"))
    async with running(it):
        await eventually(lambda: it.state.works and it.report.state.status == "ok")
    assert reconnects(it.told) == 0


def reconnects(told: Told) -> int:
    """How many full syncs were asked for after a reconnect."""
    asked = (one.full_sync for one in told.published if isinstance(one, RunProgress))
    return sum(one is not None and one.requested_by == "reconnect" for one in asked)


async def test_what_is_parked_is_known_after_a_restart() -> None:
    it = watched()
    await it.state.park()
    await it.state.park()
    (state,) = states(it.told)
    assert state.parked
    after = watched(state)
    assert after.state.parked
    async with running(after):
        await eventually(lambda: after.rederived == [False])


async def test_a_system_that_answers_probes_and_nothing_else_is_tried_ever_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it, waits, enough = watched(), list[float | None](), asyncio.Event()

    class Changes(VersionedCondition):
        """Probes wait no time, and work fails as soon as it begins again."""

        async def until(self, holds: Callable[[], bool], within_s: float | None = None) -> bool:
            waits.append(within_s)
            if len(waits) == 8:
                enough.set()
                await asyncio.Event().wait()
            return False

        async def wait_after(self, version: int, within_s: float | None = None) -> bool:
            it.state.fail(Misconfigured("missing_scope"))
            return True

    monkeypatch.setattr(it.state, "changes", Changes())
    async with running(it):
        await eventually(enough.is_set)
    assert waits == [0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 30.0, 30.0]


@pytest.mark.parametrize("error", [Transient("http_500"), Refused("http_414")])
async def test_preparing_for_settings_has_a_last_try_though_the_system_answers_probes(
    error: ConnectorError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor_module, "PROBE_S", (0.0,))
    setup = Setup()
    setup.error = error
    applied = settings_part("acme").settings
    assert applied is not None
    settings = replace(applied, revision=2, active_revision=0, apply_state="describing")
    it = watched(setup=setup, settings=settings, clock=InstantClock())
    async with running(it):
        await eventually(lambda: any(state.status == "failed" for state in states(it.told)))
    refused = next(state for state in states(it.told) if state.status == "failed")
    assert (refused.reason, refused.checked_revision) == (error.reason, 2)
    assert {state.status for state in states(it.told)} >= {"unavailable"}


@pytest.mark.parametrize("error", [Misconfigured("missing_scopes"), Refused("http_414")])
async def test_a_system_that_is_not_ready_for_a_new_file_works_on_for_the_one_in_force(error: ConnectorError) -> None:
    """It was called failed until the file was refused: patches were parked, and all pairs derived again."""
    setup = Setup()
    setup.error = error
    applied = settings_part("acme").settings
    assert applied is not None
    settings = replace(applied, revision=2, apply_id="b", apply_state="describing")
    it = watched(setup=setup, settings=settings)
    async with running(it):
        await eventually(lambda: bool(descriptions(it.told)))
        it.state.renew(1, active=True)
        it.state.changes.bump()
        await asyncio.sleep(0)
    (refusal,) = descriptions(it.told)
    assert (refusal.inquiry_id, refusal.reason) == (settings.tried, error.reason)
    assert {state.status for state in states(it.told)} <= {"ok"}
    assert (it.state.status, it.rederived) == ("ok", [])


async def test_a_refusal_whose_place_a_late_answer_took_is_told_again() -> None:
    """The apply waited for ever: nobody answered its step."""
    setup, applied = Setup(), settings_part("acme").settings
    setup.error = Misconfigured("missing_scopes")
    assert applied is not None
    settings = replace(applied, revision=2, apply_id="b", apply_state="describing")
    shown: list[Description] = []
    it = watched(setup=setup, settings=settings, refusal=lambda _: next(reversed(shown), None))
    async with running(it):
        await eventually(lambda: bool(descriptions(it.told)))
        shown.append(descriptions(it.told)[0])
        it.state.changes.bump()
        await asyncio.sleep(0)
        told, described = len(descriptions(it.told)), setup.described
        shown.clear()
        it.state.changes.bump()
        await eventually(lambda: len(descriptions(it.told)) > told)
    assert set(descriptions(it.told)) == {Description(settings.tried, "missing_scopes")}
    assert setup.described == described == 1


async def test_a_connection_that_closes_says_nothing_of_the_settings_that_follow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With rejected credentials, while its calls ended, it called those rejected that were proven in their place."""
    monkeypatch.setattr(monitor_module, "PROBE_S", (0.0,))
    setup, applied = Setup(), settings_part("acme").settings
    setup.refuses = CredentialsRejected("unauthorized")
    assert applied is not None
    current = [applied]
    it = watched(setup=setup, configured=lambda: current[0])
    it.state.fail(CredentialsRejected("unauthorized"))
    async with running(it):
        await eventually(lambda: any(state.status == "needs_reconnect" for state in states(it.told)))
        it.state.close()
        current[0] = replace(applied, revision=2, apply_state="describing")
        probed = setup.probed
        await asyncio.sleep(0.05)
    assert setup.probed <= probed + 1
    assert {state.checked_revision for state in states(it.told)} <= {0, 1}


async def test_new_settings_cut_the_wait_for_a_probe_short_and_other_changes_do_not() -> None:
    setup = Setup()
    setup.refuses = Misconfigured("missing_scope")
    it = watched(setup=setup)
    it.state.fail(Misconfigured("missing_scope"))
    async with running(it):
        await eventually(lambda: setup.probed == 1)
        for reason in ("http_500", "http_503"):
            it.state.fail(Transient(reason))
            await asyncio.sleep(0)
        assert setup.probed == 1
        it.state.renew(2, active=True)
        await eventually(lambda: setup.probed == 2)


async def test_what_changed_of_a_field_is_told_and_the_pairs_are_derived_again_once_it_is_in_force() -> None:
    setup = Setup()
    before = replace(STATE, checked_revision=1, fields=setup.fields)
    it = watched(before, setup=setup, settings=settings_part("acme").settings)
    async with running(it):
        it.monitor.describe_again()
        await eventually(lambda: setup.described == 1)
        setup.error = Misconfigured("missing_scope")
        it.monitor.describe_again()
        await eventually(lambda: setup.described == 2)
        setup.error = None
        assert it.state.works
        setup.fields = (replace(setup.fields[0], options=("silver", "gold")),)
        it.monitor.describe_again()
        await eventually(lambda: bool(states(it.told)))
        assert (states(it.told)[-1].fields, states(it.told)[-1].descriptions) == (setup.fields, 1)
        assert it.rederived == []
        it.state.renew(2, active=True)
        await eventually(lambda: it.rederived == [False])


async def test_a_description_by_which_no_mapping_changes_derives_nothing_at_the_next_apply() -> None:
    setup = Setup()
    now = settings_part("acme").settings
    assert now is not None
    held = [replace(now, descriptions=3)]
    before = replace(STATE, checked_revision=1, fields=setup.fields)
    it = watched(before, setup=setup, configured=lambda: held[0])
    async with running(it):
        setup.fields = (*setup.fields, replace(setup.fields[0], name="userflow_user_plan"))
        it.monitor.describe_again()
        await eventually(lambda: bool(states(it.told)))
        held[0] = replace(held[0], descriptions=4)  # the scheduler knows, and the revision stays
        it.state.renew(1, active=True)
        await eventually(lambda: it.monitor._changed_at is None)
        held[0] = replace(held[0], revision=2)
        it.state.renew(2, active=True)
        await eventually(lambda: setup.described >= 2)
        await asyncio.sleep(0)
        assert it.rederived == []


async def test_a_clock_that_goes_wrong_is_told_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_module, "CLOCK_S", 0.01)
    ahead = [0]
    it = watched(ahead_ms=lambda: ahead[0])
    async with running(it):
        await eventually(lambda: it.rederived == [] and it.state.works)
        ahead[0] = 90_000_000
        await eventually(lambda: it.report.state.clock_ahead_ms == 90_000_000)
        ahead[0] = 0
        await eventually(lambda: it.report.state.clock_ahead_ms == 0)


async def test_a_wait_that_is_capped_is_told_while_it_lasts_though_the_system_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All calls waited a quarter of an hour at a time, and status and doctor said ok."""
    monkeypatch.setattr(monitor_module, "CLOCK_S", 0.01)
    capping = [True]
    it = watched(capping=lambda: capping[0])
    async with running(it):
        await eventually(lambda: it.report.state.reason == "wait_capped")
        assert (it.report.state.status, it.state.works, it.rederived) == ("ok", True, [])
        capping[0] = False
        await eventually(lambda: it.report.state.reason is None)


async def test_a_missing_permission_is_told_and_tried_again_with_new_settings_and_after_a_restart() -> None:
    it = watched()
    async with running(it):
        it.state.deny("companies", "read", "missing_scopes")
        it.state.deny("companies", "write", "missing_scopes")
        await eventually(lambda: len(it.report.state.denied) == 2)
        assert it.report.state.denied["companies.read"] == "missing_scopes"
        assert (it.report.state.status, it.rederived, crawled(it.told)) == ("ok", [], [])

        it.state.renew(1, active=True)
        await eventually(lambda: it.rederived == [False] and not it.report.state.denied)
        assert crawled(it.told) == ["companies"]

    after = watched(replace(STATE, denied={"companies.read": "missing_scopes"}))
    async with running(after):
        await eventually(lambda: after.rederived == [False] and crawled(after.told) == ["companies"])
        await eventually(lambda: not after.report.state.denied)


async def test_a_permission_that_stays_missing_is_tried_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that met it once waited for ten minutes, though the permission was granted a moment later."""
    clock = FakeClock()
    it = watched(clock=clock)
    waits: list[float] = []
    async with running(it):
        for _ in range(7):
            it.state.deny("timeline", "write", "missing_scopes")
            denied_at = clock.monotonic()
            await clock.settle()
            while it.state.denied:
                clock.now += 15.0
                it.state.changes.bump()  # the monitor sleeps by the loop's clock
                await clock.settle()
            waits.append(clock.monotonic() - denied_at)
    assert waits == [30.0, 60.0, 120.0, 300.0, 600.0, 600.0, 600.0]


def crawled(told: Told) -> list[str]:
    """The types of which a full sync was asked for."""
    return [name.partition(".")[2] for name in asked_runs(told.published)]
