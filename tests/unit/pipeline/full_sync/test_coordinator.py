"""The shell: one run at a time for each integration, commands again after a crash, nothing by who is not active."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, cast

import pytest

from connectors.kafka.groups import BrokersUnreachable
from pipeline.full_sync import coordinator
from pipeline.full_sync.coordinator import KEPT_RUNS, SETTLED_MS, FullSyncs, FullSyncSettings
from pipeline.full_sync.endings import done_instead
from pipeline.full_sync.rows import Run
from pipeline.full_sync.situation import Command, RoadSeen
from schemas.codec import Codec
from schemas.configuration import DesiredIntegration, IntegrationPart
from schemas.registry import LocalRegistry
from schemas.runs import OPEN, FullSyncRun, RequestedBy, RunProgress, run_request
from schemas.topics import INTEGRATIONS, MAPPINGS, RUNS
from tests.unit.pipeline.full_sync.simulated import PEOPLE, RUN, SECTION, SETTINGS, Acting, requested

DAY_S = 86_400


@dataclass
class Installation:
    """Tables that show at once what is published; connectors and workers that answer, unless they are deaf."""

    acting: Acting = field(default_factory=lambda: Acting(mappings={"people": PEOPLE}))
    brokers_away: bool = False
    sent: list[str] = field(default_factory=list)  # run id and kind of each command
    codec: Codec = field(default_factory=lambda: Codec(LocalRegistry()))

    def table(self, topic: str) -> Mapping[str, Any]:
        desired = DesiredIntegration("a", "active", "", SECTION, SECTION, 0)
        parts = {
            "acme/settings": IntegrationPart("acme", settings=self.acting.settings),
            "acme/desired": IntegrationPart("acme", desired=desired),
        }
        return dict({INTEGRATIONS: parts, MAPPINGS: self.acting.mappings, RUNS: self.acting.rows}[topic])

    def get(self, topic: str, key: str) -> Any:
        return self.table(topic).get(key)

    async def send(self, topic: str, key: str, record: Any, partition: int | None = None) -> tuple[int, int]:
        if topic == RUNS:
            self.acting.rows[key] = record
        else:
            self.sent.append(f"{record.run_id} {record.kind}")
            self.acting.answer(Command(topic, key, record, partition))
        return 0, 0

    async def send_bytes(self, topic: str, key: str, value: bytes | None) -> tuple[int, int]:
        assert value is None
        del self.acting.rows[key]
        return 0, 0

    def ends(self) -> RoadSeen:
        if self.brokers_away:
            raise BrokersUnreachable("in a test")
        return RoadSeen({"sync.matches[0]": 1})

    def seen(self, ends: Mapping[str, int], run_id: str) -> RoadSeen:
        return RoadSeen(ends, emitted=False)

    def scheduler(self, *, active: bool = True, interval_s: int = 0) -> "Scheduler":
        return Scheduler(self, active, interval_s)

    def ask(self, by: RequestedBy = "person", **more: Any) -> RunProgress:
        """Another request, later than all before."""
        at_ms = max(int(key.partition("-")[0]) for key in self.acting.rows) + 10
        request = run_request("acme", at_ms, by, **more)
        self.acting.rows[request.run_id] = request
        return request

    def states(self) -> dict[str, str]:
        return {key: row.state for key, row in self.acting.rows.items() if "/" not in key}


class Scheduler:
    """One scheduler's full syncs."""

    def __init__(self, installation: Installation, active: bool, interval_s: int) -> None:
        self.active = active
        self._installation = installation
        self.full_syncs = FullSyncs(
            installation,
            cast(Any, installation),
            installation,
            FullSyncSettings(2, interval_s, 0.2),
            active=lambda: self.active,
            now_ms=lambda: installation.acting.now_ms,
            codec=installation.codec,
        )

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            self._installation.acting.now_ms += 1_100
            if self.active:
                await self.full_syncs.look()

    async def to_the_end(self) -> None:
        """Until no run is under way."""
        for _ in range(200):
            await self.look()
            if not [one for one in self._installation.states().values() if one in OPEN]:
                return
        raise AssertionError(self._installation.acting.row)


async def test_a_run_that_is_asked_for_comes_to_its_end() -> None:
    it = Installation()
    await it.scheduler().to_the_end()
    assert it.states() == {RUN: "completed"}


@pytest.mark.parametrize(
    ("up_to", "most_per_s", "state"), [(69, 20, "failed"), (70, 20, "completed"), (69, 0, "completed")]
)
async def test_a_bound_that_an_older_schema_would_drop_fails_the_run_before_it_begins(
    up_to: int, most_per_s: int, state: str
) -> None:
    """The role writes as an earlier release does, and whoever asked does not."""
    it = Installation(codec=Codec(LocalRegistry(written_up_to=up_to)))
    it.acting.rows = {RUN: requested(full_sync=FullSyncRun(most_per_s=most_per_s))}
    await it.scheduler().to_the_end()
    assert it.states() == {RUN: state}
    assert ("--rate would not be held to" in (it.acting.row.reason or "")) == (state == "failed")
    assert bool(it.sent) == (state == "completed")


async def test_brokers_that_do_not_answer_cost_only_time() -> None:
    it = Installation(brokers_away=True)
    task = asyncio.create_task(it.scheduler().full_syncs.run())
    async with asyncio.timeout(10):
        while it.acting.run.full_sync.step != "crawled":  # noqa: ASYNC110 - the shell looks again by itself
            await asyncio.sleep(0.01)
        it.brokers_away = False
        while it.states() != {RUN: "completed"}:
            it.acting.now_ms += 1_000
            await asyncio.sleep(0.01)
    task.cancel()


async def test_who_is_not_active_writes_nothing() -> None:
    it = Installation()
    scheduler = it.scheduler(active=False)
    task = asyncio.create_task(scheduler.full_syncs.run())
    await asyncio.sleep(0.2)
    task.cancel()
    assert (it.states(), it.sent) == ({RUN: "requested"}, [])


async def test_another_request_waits_for_the_end_of_the_first() -> None:
    it = Installation(Acting(mappings={"people": PEOPLE}, deaf=frozenset({"crawl"})))
    scheduler = it.scheduler()
    await scheduler.look(3)
    second = it.ask().run_id
    await scheduler.look(3)
    assert it.states() == {RUN: "running", second: "requested"}
    it.acting.deaf = frozenset()
    await scheduler.look(20)
    await scheduler.to_the_end()
    assert it.states() == {RUN: "completed", second: "completed"}


async def test_one_that_supersedes_does_not_wait() -> None:
    it = Installation(Acting(mappings={"people": PEOPLE}, deaf=frozenset({"crawl"})))
    scheduler = it.scheduler()
    await scheduler.look(3)
    second = it.ask(supersede=True).run_id
    await scheduler.look(3)
    assert it.states() == {RUN: "superseded", second: "running"}
    assert it.acting.row.reason == f"run {second} takes its place"
    assert done_instead(Run(it.acting.row)) == second


@pytest.mark.parametrize("after_looks", [0, 1, 2, 4])
async def test_it_waits_while_mappings_of_the_next_revision_come_before_the_settings_that_name_it(
    after_looks: int,
) -> None:
    it = Installation(Acting(mappings={"people": PEOPLE}))
    scheduler = it.scheduler()
    await scheduler.look(after_looks)
    it.acting.mappings = {"people": replace(PEOPLE, revision=2)}
    states = it.states()
    await scheduler.look(3)
    assert it.states() == states
    it.acting.settings = replace(SETTINGS, revision=2, active_revision=2)
    await scheduler.to_the_end()
    assert it.states() == {RUN: "completed"}


async def test_who_takes_a_run_over_whose_mappings_went_meanwhile_ends_it() -> None:
    it = Installation(Acting(mappings={"people": PEOPLE}, deaf=frozenset({"count"})))
    await it.scheduler().look()
    it.acting.mappings = {}
    await it.scheduler().look()
    assert (it.states(), it.acting.row.reason) == ({RUN: "stopped"}, "its mappings are no more")


async def test_requests_that_nobody_waits_for_are_one_run() -> None:
    it = Installation()
    gaps = [it.ask("gap", types=("hubspot.contacts",)).run_id for _ in range(5)]
    await it.scheduler().to_the_end()
    assert it.states() == {RUN: "completed", **dict.fromkeys(gaps, "superseded")}
    assert {done_instead(Run(it.acting.rows[gap])) for gap in gaps} == {RUN}


async def test_what_is_owed_is_not_covered_by_a_run_that_ends_before_it_begins() -> None:
    it = Installation()
    gap = it.ask("gap").run_id
    it.acting.put("stop", state="requested")
    await it.scheduler().to_the_end()
    assert it.states() == {RUN: "stopped", gap: "completed"}


async def test_a_reconnect_that_is_told_twice_is_one_run() -> None:
    asked = requested()
    assert asked.full_sync is not None
    row = replace(asked, full_sync=replace(asked.full_sync, requested_by="reconnect"))
    it = Installation(Acting(mappings={"people": PEOPLE}, deaf=frozenset({"crawl"}), rows={RUN: row}))
    scheduler = it.scheduler()
    await scheduler.look(3)
    again, gap = it.ask("reconnect").run_id, it.ask("gap").run_id
    await scheduler.look(3)
    assert it.states() == {RUN: "running", again: "superseded", gap: "requested"}


async def test_who_takes_over_asks_once_more_for_what_was_not_answered() -> None:
    it = Installation(Acting(mappings={"people": PEOPLE}, deaf=frozenset({"crawl"})))
    first = it.scheduler()
    await first.look(3)
    crawls = it.sent.count(f"{RUN} crawl")
    await first.look(3)
    assert it.sent.count(f"{RUN} crawl") == crawls == 1
    second = it.scheduler()
    await second.look()
    assert it.sent.count(f"{RUN} crawl") == 2


async def test_connectors_that_are_silent_are_asked_again() -> None:
    it = Installation(Acting(mappings={"people": PEOPLE}, deaf=frozenset({"crawl"})))
    scheduler = it.scheduler()
    await scheduler.look(40)
    assert 3 <= it.sent.count(f"{RUN} crawl") <= 5


async def test_three_schedulers_of_which_one_is_killed_begin_one_run_a_day() -> None:
    it = Installation(Acting(mappings={"people": PEOPLE}, rows={}))
    it.acting.now_ms = 1_800_000_000_000
    schedulers = [it.scheduler(active=number == 0, interval_s=DAY_S) for number in range(3)]
    days = 6
    for hour in range(days * 24):
        if hour == 60:
            schedulers[0].active, schedulers[1].active = False, True
        for scheduler in schedulers:
            await scheduler.look(2)
        it.acting.now_ms += 3_600_000
    scheduled = [row for key, row in it.acting.rows.items() if "/" not in key]
    assert [row.state for row in scheduled] == ["completed"] * len(scheduled)
    assert days <= len(scheduled) <= days + 1
    began = [int(row.run_id.partition("-")[0]) for row in scheduled]
    assert {later - earlier for earlier, later in pairwise(began)} == {DAY_S * 1000}


async def test_where_nothing_is_mapped_yet_none_is_due() -> None:
    it = Installation(Acting(mappings={}, rows={}))
    it.acting.now_ms = 1_800_000_000_000
    scheduler = it.scheduler(interval_s=DAY_S)
    for _ in range(3):
        await scheduler.look()
        it.acting.now_ms += DAY_S * 1000
    assert it.acting.rows == {}


async def test_many_runs_in_one_interval_do_not_make_its_scheduled_one_due_again() -> None:
    it = Installation()
    it.acting.now_ms = 40 * DAY_S * 1000
    scheduler = it.scheduler(interval_s=DAY_S)
    await scheduler.to_the_end()
    for _ in range(KEPT_RUNS + 3):
        it.ask()
        await scheduler.to_the_end()
        it.acting.now_ms += SETTLED_MS
    await scheduler.look()
    by = [row.full_sync.requested_by for key, row in it.acting.rows.items() if "/" not in key and row.full_sync]
    assert (by.count("schedule"), len(by)) == (1, KEPT_RUNS + 1)


async def test_parts_of_runs_that_ended_are_forgotten_and_old_runs_too() -> None:
    it = Installation()
    scheduler = it.scheduler()
    for _ in range(KEPT_RUNS + 3):
        await scheduler.to_the_end()
        it.acting.now_ms += SETTLED_MS
        it.ask()
    await scheduler.to_the_end()
    it.acting.now_ms += SETTLED_MS
    await scheduler.look()
    assert len(it.acting.rows) == KEPT_RUNS
    assert all("/" not in key for key in it.acting.rows)


async def test_a_run_at_which_our_own_code_raises_ends_and_the_scheduler_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installation = Installation()
    scheduler = installation.scheduler()
    (run_id,) = installation.states()

    def raises(*_: object) -> Any:
        raise ZeroDivisionError("in a test")

    with monkeypatch.context() as broken:
        broken.setattr(coordinator, "decide", raises)
        await scheduler.full_syncs.look()
    row = installation.acting.rows[run_id]
    assert (row.state, (row.reason or "").partition(":")[0]) == ("failed", "step_failed")
    assert not await scheduler.full_syncs.look()
    installation.ask()
    assert await scheduler.full_syncs.look()


def test_a_run_that_moves_is_looked_at_soon_and_one_that_stands_as_seldom_as_ever() -> None:
    assert coordinator.patience_s(0.05) < coordinator.LEAST_S
    assert coordinator.patience_s(0.5) == pytest.approx(0.1)
    assert coordinator.patience_s(3_600.0) == coordinator.LOOK_S
