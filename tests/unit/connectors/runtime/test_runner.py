"""What a runner does when its partitions are given away in the middle of something, or an account does not open."""

import asyncio
from dataclasses import replace

import pytest

from connectors.contract.account import Opening
from connectors.contract.errors import Misconfigured
from connectors.contract.setup import SystemDescription
from schemas.configuration import Sections, SystemSettings
from schemas.topics import INTEGRATIONS
from tests.unit.connectors.runtime.runners import (
    DOWN,
    WELL,
    Vendor,
    settings_part,
)
from tests.unit.connectors.runtime.running import (
    DEADLINE_S,
    GatedVendor,
    Member,
    failures,
    running,
    taken,
    until,
    within,
)


async def test_partitions_are_given_away_after_all_calls_in_flight_even_of_workers_that_close(
    members: list[Member],
) -> None:
    vendors = {DOWN: GatedVendor(), WELL: GatedVendor()}
    async with running(members, vendors) as it:
        it.member.hooks.taken([taken(name, offset) for offset, name in enumerate(vendors)])
        await within(lambda: asyncio.gather(*(vendor.begun.wait() for vendor in vendors.values())))

        it.configure(*vendors, secret=b"another key")
        await asyncio.sleep(0)
        given_away = asyncio.create_task(it.member.revoke())
        vendors[WELL].may_end.set()
        _, still = await asyncio.wait({given_away}, timeout=0.2)
        assert still, "the partitions went while a call was in flight"

        vendors[DOWN].may_end.set()
        await within(lambda: given_away)
        assert it.stops == []


async def test_credentials_that_do_not_open_an_account_are_told_for_the_revision_that_brought_them(
    members: list[Member],
) -> None:
    async with running(members, {WELL: Vendor()}) as it:
        async with asyncio.timeout(DEADLINE_S):
            state = await it.publisher.state()
            it.configure(WELL, secret=b"\xff is no text")
            while state.status == "ok":
                state = await it.publisher.state()
    assert (state.status, state.reason, state.checked_revision) == ("needs_reconnect", "unauthorized", 1)


async def test_metrics_show_the_reported_status_of_the_integrations_that_are_connected_here(
    members: list[Member],
) -> None:
    async with running(members, {DOWN: Vendor(), WELL: Vendor()}) as it:
        it.report(DOWN, "unavailable")
        it.report(WELL, "ok")
        await it.statuses({DOWN: "unavailable", WELL: "ok"})
        it.tables.tables[INTEGRATIONS][f"{DOWN}/settings"] = settings_part(DOWN, state="disconnected")
        it.runner.configuration_changed()
        await it.statuses({WELL: "ok"})
        await it.member.revoke()
        it.member.assign()
        await it.statuses({})


@pytest.mark.parametrize(
    ("account", "reason"), [("other", None), ("nobody's", "wrong_account"), ("odd", "step_failed")]
)
async def test_another_account_is_asked_beside_the_one_in_force(
    members: list[Member], account: str, reason: str | None
) -> None:
    vendors: dict[str, Vendor] = {WELL: TriedVendor()}
    async with running(members, vendors) as it:
        part = it.tables.tables[INTEGRATIONS][f"{WELL}/settings"]
        assert part.settings is not None
        section = SystemSettings(account, secrets={"api_key": b"key"})
        trial = replace(part.settings, apply_id="b", apply_state="proving", trial=Sections("", section, section))
        it.tables.tables[INTEGRATIONS][f"{WELL}/settings"] = replace(part, settings=trial)
        it.runner.configuration_changed()
        await until(lambda: any(key == f"{WELL}/userflow/trial" for _, key, _ in it.publisher.sent))
        (said,) = {one.description for _, key, one in it.publisher.sent if key == f"{WELL}/userflow/trial"}
        assert (said.inquiry_id, said.reason) == (trial.tried, reason)
        it.member.hooks.taken([taken(WELL, 0)])
        await until(lambda: "user-0" in vendors[WELL].written)
        assert failures(it) == []


class TriedVendor(Vendor):
    """Opens three accounts: its own, one that is another's, and one at whose answers our code fails."""

    asked = ""

    def opened(self, opening: Opening) -> None:
        self.asked = opening.account

    async def describe(self, wanted: object) -> SystemDescription:
        if self.asked == "nobody's":
            raise Misconfigured("wrong_account")
        if self.asked == "odd":
            raise KeyError("secret")
        return await super().describe(wanted)


class MeasuredVendor(Vendor):
    """Makes one request as soon as it is opened, by what its opening measures requests with."""

    def opened(self, opening: Opening) -> None:
        opening.metrics.called("control", 429, 0.1)
        opening.metrics.limited("burst")
        opening.metrics.remaining(7)


async def test_requests_are_measured_by_system_and_integration(members: list[Member]) -> None:
    async with running(members, {WELL: MeasuredVendor()}) as it:
        assert await it.measured.changes.until(lambda: bool(it.measured.left), DEADLINE_S)
        assert it.measured.calls == [("userflow", "control", 429)]
        assert it.measured.limits == [("userflow", "burst")]
        assert it.measured.left == {("userflow", WELL): 7}
