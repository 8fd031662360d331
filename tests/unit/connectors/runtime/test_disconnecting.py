"""A connector whose integration is disconnected: it stops at once, withdraws, and tells what it could not take back."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from connectors.contract.account import Opening
from connectors.contract.errors import Transient
from connectors.contract.sink import OwnershipLost
from connectors.runtime import integration as integration_module
from connectors.session.condition import VersionedCondition
from schemas.configuration import ConnectorState, IntegrationPart, Sections, SystemSettings
from schemas.topics import INTEGRATIONS
from tests.unit.connectors.runtime.runners import DOWN, WELL, Vendor, settings_part
from tests.unit.connectors.runtime.running import (
    GatedVendor,
    Member,
    Running,
    running,
    taken,
)


class HangingVendor(GatedVendor):
    """Hangs in writes and in whatever is asked when it is left."""

    def __init__(self) -> None:
        super().__init__()
        self.withdrawals = 0

    async def withdraw(self) -> None:
        self.withdrawals += 1
        await asyncio.Event().wait()


def disconnect(it: Running, name: str) -> None:
    it.tables.tables[INTEGRATIONS][f"{name}/settings"] = settings_part(name, state="disconnected")
    it.runner.configuration_changed()


async def withdrawn(it: Running, name: str) -> ConnectorState:
    """What is told at last of an integration that was disconnected."""
    while True:
        part = await it.publisher.parts.get()
        if part.integration == name and part.connector is not None and part.connector.withdrawn is not None:
            return part.connector


async def test_a_vendor_that_hangs_holds_up_neither_its_own_disconnect_nor_another(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration_module, "WITHDRAW_S", 0.05)
    hanging, well = HangingVendor(), GatedVendor()
    async with running(members, {DOWN: hanging, WELL: well}) as it, asyncio.timeout(10):
        it.member.hooks.taken([taken(DOWN, 0), taken(WELL, 1)])
        await asyncio.gather(hanging.begun.wait(), well.begun.wait())
        disconnect(it, DOWN)
        disconnect(it, WELL)
        assert (await withdrawn(it, WELL)).withdrawn == "done"
        assert (await withdrawn(it, DOWN)).withdrawn == "timed_out"
    assert hanging.withdrawals == 1
    assert (hanging.written, well.written) == ({}, {})


async def test_what_waited_ends_as_disconnected_at_once(members: list[Member]) -> None:
    vendor, finished = HangingVendor(), Finished()
    async with running(members, {DOWN: vendor}) as it, asyncio.timeout(10):
        it.member.hooks.taken([taken(DOWN, offset, finished) for offset in range(50)])
        await vendor.begun.wait()
        disconnect(it, DOWN)
        await finished.reach(50)
        it.member.hooks.taken([taken(DOWN, 50, finished)])
        await finished.reach(51)


async def test_a_secret_that_the_system_gave_is_not_kept(members: list[Member]) -> None:
    async with running(members, {DOWN: Vendor()}) as it, asyncio.timeout(10):
        await it.publisher.state()
        disconnect(it, DOWN)
        left = await withdrawn(it, DOWN)
    assert (left.grant, left.webhook_secret, left.withdrawn) == (None, None, "done")


async def test_a_connection_that_ended_while_no_connector_ran_is_told_once(members: list[Member]) -> None:
    async with running(members, {WELL: Vendor()}) as it, asyncio.timeout(10):
        state = ConnectorState(1, 1, 1, "ok", grant=b"sealed")
        it.tables.tables[INTEGRATIONS][f"{DOWN}/userflow"] = IntegrationPart(DOWN, connector=state)
        disconnect(it, DOWN)
        left = await withdrawn(it, DOWN)
        assert (left.withdrawn, left.grant) == ("not_open", None)
        it.runner.configuration_changed()
        await asyncio.sleep(0.05)
        assert not any(part.integration == DOWN for part in _waiting(it))


async def test_an_integration_that_is_disconnected_while_it_opens_sends_nothing(members: list[Member]) -> None:
    vendor = SlowToOpen()
    async with running(members, {DOWN: vendor}) as it, asyncio.timeout(10):
        await vendor.opens.wait()
        disconnect(it, DOWN)
        vendor.may_open.set()
        assert (await withdrawn(it, DOWN)).withdrawn == "done"
    assert vendor.asked == 0


class SlowToOpen(Vendor):
    """Opens when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.opens, self.may_open, self.asked = asyncio.Event(), asyncio.Event(), 0

    async def may_be_opened(self) -> None:
        self.opens.set()
        await self.may_open.wait()

    async def describe(self, wanted: object) -> Any:
        self.asked += 1
        return await super().describe(wanted)

    async def provision(self, *_: object) -> Any:
        raise AssertionError("it was disconnected before it was open")


class Finished:
    """Counts records that ended."""

    def __init__(self) -> None:
        self._number, self._changes = 0, VersionedCondition()

    def __call__(self) -> None:
        self._number += 1
        self._changes.bump()

    async def reach(self, number: int) -> None:
        assert await self._changes.until(lambda: self._number == number, 8.0)


def _waiting(it: Running) -> list[IntegrationPart]:
    return [it.publisher.parts.get_nowait() for _ in range(it.publisher.parts.qsize())]


class BusyVendor(Vendor):
    """Refuses the first two calls that withdraw."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 2

    async def withdraw(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Transient("http_503")


async def test_a_system_that_is_busy_is_asked_again_within_the_second(members: list[Member]) -> None:
    vendor = BusyVendor()
    async with running(members, {DOWN: vendor}) as it, asyncio.timeout(10):
        await it.publisher.state()
        disconnect(it, DOWN)
        assert (await withdrawn(it, DOWN)).withdrawn == "done"
    assert vendor.refusals == 0


class GrantedVendor(Vendor):
    """Notes what is taken back, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.taken_back = list[str]()

    async def withdraw(self) -> None:
        self.taken_back.append("subscription")

    async def give_up(self) -> None:
        self.taken_back.append("grant")


async def test_the_grant_goes_last_and_stays_where_only_the_file_was_refused(members: list[Member]) -> None:
    disconnected, refused = GrantedVendor(), GrantedVendor()
    async with running(members, {DOWN: disconnected, WELL: refused}) as it, asyncio.timeout(10):
        await it.publisher.state()
        disconnect(it, DOWN)
        part = settings_part(WELL, state="disconnected")
        assert part.settings is not None
        failed = replace(part, settings=replace(part.settings, apply_state="failed"))
        it.tables.tables[INTEGRATIONS][f"{WELL}/settings"] = failed
        it.runner.configuration_changed()
        told = dict[str, str]()
        while len(told) < 2:
            one = await it.publisher.parts.get()
            if one.connector is not None and one.connector.withdrawn is not None:
                told[one.integration] = one.connector.withdrawn
        assert told == {DOWN: "done", WELL: "done"}
    assert disconnected.taken_back == ["subscription", "grant"]
    assert refused.taken_back == ["subscription"]


class OnTrial(Vendor):
    """Answers nothing to the account on trial, until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.stopped, self.account, self.stops = asyncio.Event(), asyncio.Event(), "", 0

    def opened(self, opening: Opening) -> None:
        self.account = opening.account

    def stop(self) -> None:
        self.stops += 1
        self.stopped.set()

    async def describe(self, wanted: object) -> Any:
        if self.account == "other":
            self.asked.set()
            await self.stopped.wait()
            raise OwnershipLost("stopped")
        return await super().describe(wanted)


async def test_an_account_on_trial_is_stopped_too(members: list[Member]) -> None:
    vendor = OnTrial()
    async with running(members, {DOWN: vendor}) as it, asyncio.timeout(10):
        await it.publisher.state()
        part, section = settings_part(DOWN), SystemSettings("other", secrets={"api_key": b"key"})
        assert part.settings is not None
        trial = replace(part.settings, apply_id="b", apply_state="proving", trial=Sections("", section, section))
        it.tables.tables[INTEGRATIONS][f"{DOWN}/settings"] = replace(part, settings=trial)
        it.runner.configuration_changed()
        await vendor.asked.wait()
        disconnect(it, DOWN)
        assert (await withdrawn(it, DOWN)).withdrawn == "done"
        assert not any(key.endswith("/trial") for _, key, _ in it.publisher.sent)
    assert vendor.stops == 3  # the account in force, the one that withdraws, the one on trial
    assert it.stops == []
