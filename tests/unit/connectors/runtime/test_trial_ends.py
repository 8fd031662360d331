"""How trials end: refused, given up, superseded, disconnected, given away; what is in force never pays for it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.contract.errors import Transient
from connectors.contract.setup import SystemDescription
from connectors.http.retry import Tries
from connectors.kafka.table import TableIncomplete
from connectors.runtime import trials as trials_module
from schemas.configuration import NOT_GRANTED, Description, IntegrationPart, KeptGrant, SystemSettings
from tests.unit.connectors.runtime.runners import WELL
from tests.unit.connectors.runtime.running import Member, until, within
from tests.unit.connectors.runtime.trying import GRANT, TRIAL, TRIAL_GRANT, TriedVendor, Trying, section, trying_with

FIRST = KeptGrant(WELL, b"first", client="app", granted_at_ms=1)


class GatedVendor(TriedVendor):
    """Lets the account of one key be asked, or any be opened, when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.gated, self.opens_gated = "", False
        self.at_gate, self.gate = asyncio.Event(), asyncio.Event()
        self.probed: list[str] = []
        self.busy = ""  # the key whose account is asked in vain

    async def may_be_opened(self) -> None:
        if self.opens_gated:
            self.at_gate.set()
            await self.gate.wait()

    async def probe(self) -> None:
        self.probed.append(self._now.key)
        if self._now.key == self.gated:
            self.at_gate.set()
            await self.gate.wait()
        await super().probe()

    async def describe(self, wanted: object) -> SystemDescription:
        if self._now.key == self.busy:
            raise Transient("http_503")
        return await super().describe(wanted)


@pytest.fixture
async def gated(members: list[Member]) -> Any:
    async with trying_with(members, GatedVendor()) as it:
        yield it


def vendor_of(trying: Trying) -> GatedVendor:
    assert isinstance(trying.vendor, GatedVendor)
    return trying.vendor


def superseded(trying: Trying, **changes: Any) -> None:
    """The request that is on trial is over; another one took its place."""
    settings = replace(trying.settings, trial=None, apply_state="done", apply_id="z")
    trying.put(f"{WELL}/settings", IntegrationPart(WELL, settings=replace(settings, **changes)))


def under_way(trying: Trying) -> Callable[[], bool]:
    return lambda: WELL in trying.it.runner._trials.under_way()


async def over(trying: Trying) -> None:
    await until(lambda: not under_way(trying)())


async def app_in_force_on_trial(trying: Trying) -> None:
    """What is on trial shares the refresh token in force, and is being asked."""
    trying.put(GRANT, IntegrationPart(WELL, grant=FIRST))
    await trying.begin(section(client_id="app"))
    trying.vendor.rotates, vendor_of(trying).gated = True, "new"
    trying.tries(section("new", client_id="app"))
    await within(vendor_of(trying).at_gate.wait)


def reader(trying: Trying, read: Callable[[], Any]) -> None:
    opener = trying.it.runner._opener
    opener._connector = replace(opener._connector, read_to_end=read)


async def test_what_a_refused_trial_has_renewed_is_not_what_the_app_in_force_lives_by(gated: Trying) -> None:
    """Its pasted token was the newer one, and the next worker of what was in force was opened with it."""
    gated.put(GRANT, IntegrationPart(WELL, grant=FIRST))
    await gated.begin(section(client_id="app"))
    gated.vendor.rotates = True
    tried = section("key", client_id="app")
    gated.tries(replace(tried, secrets={**tried.secrets, "refresh_token": b"pasted"}))
    await gated.answers()
    (*_, kept) = gated.granted(TRIAL_GRANT)
    assert kept.refresh_token == b"after pasted"
    gated.put(TRIAL_GRANT, IntegrationPart(WELL, grant=kept))
    superseded(gated, apply_state="failed")
    gated.vendor.rotates = False
    await until(lambda: WELL in gated.it.runner._workers)
    gated.vendor.accounts.clear()
    async with gated.it.runner._exclusive.of(WELL):
        pass
    await until(lambda: bool(gated.vendor.accounts))
    assert gated.vendor.accounts[0].token == "first"  # noqa: S105 - a test's


async def test_a_partition_is_given_away_once_the_token_in_force_is_kept_that_a_trial_has_spent(
    gated: Trying,
) -> None:
    await app_in_force_on_trial(gated)
    revoked = asyncio.create_task(gated.it.member.revoke())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not revoked.done()
    vendor_of(gated).gate.set()
    await within(lambda: revoked)
    assert not under_way(gated)()
    assert [grant.refresh_token for grant in gated.granted(GRANT)] == [b"after first"]
    assert gated.told() == []  # the next owner asks, and answers


async def test_a_partition_is_given_away_in_a_bounded_time_and_no_wait_of_a_trial_holds_it(
    gated: Trying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials_module, "GIVEN_BACK_S", 0.02)
    await app_in_force_on_trial(gated)
    await within(gated.it.member.revoke)
    await over(gated)
    monkeypatch.undo()
    gated.it.member.assign(*range(4))
    vendor_of(gated).gated = ""
    vendor_of(gated).breaks = 1_000
    monkeypatch.setattr(trials_module, "ALONE_S", (1_000.0,))
    await until(lambda: WELL in gated.it.runner._trials._resting)
    await within(gated.it.member.revoke)
    assert not under_way(gated)()


async def test_a_trial_that_fails_as_its_partition_is_given_away_rests_no_more(gated: Trying) -> None:
    await app_in_force_on_trial(gated)
    vendor_of(gated).breaks = 1
    revoked = asyncio.create_task(gated.it.member.revoke())
    await asyncio.sleep(0)
    vendor_of(gated).gate.set()
    async with asyncio.timeout(trials_module.GIVEN_BACK_S / 2):
        await revoked


async def test_access_that_was_revoked_is_to_be_granted_anew_where_a_worker_is_open_too(gated: Trying) -> None:
    gated.put(GRANT, IntegrationPart(WELL, grant=FIRST))
    await gated.begin(section(client_id="app"))
    gated.vendor.refused.add("first")
    gated.tries(section(client_id="app"))
    (answer,) = await gated.answers()
    assert answer.reason == NOT_GRANTED


async def test_a_wait_that_is_asked_for_is_believed_within_bounds(gated: Trying) -> None:
    error = Transient("http_503", wait_s=86_400.0, status=503)
    tries, trials = Tries().after(error, 0.0), gated.it.runner._trials
    longest_s = gated.it.runner._opener.longest_wait_s
    assert {trials._wait_s(error, tries, alone=alone) for alone in (True, False)} == {longest_s}


async def test_a_secret_that_nothing_can_read_refuses_the_trial_and_ends_no_process(gated: Trying) -> None:
    await gated.begin(section())
    opener = gated.it.runner._opener
    opener._connector = replace(opener._connector, unseal=lambda sealed, _: sealed.decode())
    gated.tries(SystemSettings(WELL, {}, {"api_key": b"\xff\xfe"}))
    assert [one.reason for one in await gated.answers()] == ["step_failed"]
    assert WELL in gated.it.runner._workers


async def test_no_request_leaves_for_a_trial_that_was_being_opened_when_somebody_disconnected(gated: Trying) -> None:
    await gated.begin(section())
    vendor_of(gated).opens_gated = True
    gated.tries(section("new"))
    await within(vendor_of(gated).at_gate.wait)
    superseded(gated, state="disconnected")
    vendor_of(gated).gate.set()
    await over(gated)
    assert "new" not in vendor_of(gated).probed
    assert gated.told() == []


async def test_a_superseded_trial_of_the_app_in_force_keeps_no_worker_out(gated: Trying) -> None:
    await app_in_force_on_trial(gated)
    assert WELL not in gated.it.runner._workers
    superseded(gated)
    await until(lambda: WELL in gated.it.runner._workers)  # though the account on trial never answers


async def test_an_app_in_force_that_is_tried_in_vain_while_it_works_is_let_alone_ever_longer_and_then_told_why(
    gated: Trying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker was torn down without end."""
    waits: list[float] = []
    rest = gated.it.runner._trials._rest

    async def noted(name: str, seconds: float) -> None:
        waits.append(seconds)
        await rest(name, 0.0)
        if seconds != trials_module.LOOK_EVERY_S:
            await until(lambda: WELL in gated.it.runner._workers)

    monkeypatch.setattr(gated.it.runner._trials, "_rest", noted)
    gated.put(GRANT, IntegrationPart(WELL, grant=FIRST))
    await gated.begin(section(client_id="app"))
    vendor_of(gated).busy = "new"
    gated.tries(section("new", client_id="app"))
    assert [one.reason for one in await gated.answers()] == ["http_503"]
    assert ended_waits(waits) == list(trials_module.ALONE_S)
    assert len([one for one in gated.vendor.accounts if one.key == "new"]) == trials_module.MOST_IN_VAIN


def ended_waits(waits: Sequence[float]) -> list[float]:
    return [seconds for seconds in waits if seconds != trials_module.LOOK_EVERY_S]


async def test_a_trial_that_is_over_answers_nothing(gated: Trying) -> None:
    """Its late answer took the place of the one to the request that had followed."""
    await gated.begin(section())
    vendor_of(gated).gated = "new"
    gated.tries(section("new"), "b")
    await within(vendor_of(gated).at_gate.wait)
    superseded(gated, apply_state="describing", apply_id="c")
    vendor_of(gated).gate.set()
    await over(gated)
    assert gated.told() == []


async def test_an_answer_whose_place_another_took_is_given_again(gated: Trying) -> None:
    await gated.begin(section())
    gated.tries(section("new"))
    await gated.answers()
    await over(gated)
    gated.put(TRIAL, IntegrationPart(WELL, description=Description("b/older", None)))  # of a former owner
    await until(lambda: len(gated.told()) == 2)
    assert {one.inquiry_id for one in gated.told()} == {gated.settings.tried}


async def test_brokers_that_do_not_answer_refuse_no_trial_and_end_no_process(
    gated: Trying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials_module, "LONGEST_WAIT_S", 0.01)
    gated.put(TRIAL_GRANT, IntegrationPart(WELL, grant=FIRST))  # of a trial that came into force: it is settled first
    await gated.begin(section(client_id="app"))
    read = gated.it.runner._opener._connector.read_to_end
    times = 0

    async def away() -> None:
        nonlocal times
        times += 1
        message = "sync.integrations could not be read"
        raise TableIncomplete(message)

    reader(gated, away)
    tried = section("new", client_id="third app")
    gated.tries(replace(tried, secrets={**tried.secrets, "refresh_token": b"pasted"}))
    await until(lambda: times > 1)
    assert gated.told() == []
    reader(gated, read)
    assert [one.reason for one in await gated.answers()] == [None]
