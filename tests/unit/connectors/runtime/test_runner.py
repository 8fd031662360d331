"""What a runner does when its partitions are given away in the middle of something, or an account does not open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from connectors.contract.account import Opening
from connectors.contract.errors import Misconfigured
from connectors.contract.setup import SystemDescription
from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import Hooks, Taken
from connectors.kafka.partitioner import partition_of
from connectors.kafka.producer import PublishFailed
from connectors.registry import SYSTEMS
from connectors.runtime import patience
from connectors.runtime import runner as runner_module
from connectors.runtime.opening import IntegrationOpener, OpenerDeps
from connectors.runtime.runner import Runner
from schemas.codec import Codec, RecordTooLarge
from schemas.configuration import ConnectorState, ConnectorStatus, IntegrationPart, Sections, SystemSettings
from schemas.registry import LocalRegistry
from schemas.topics import DEAD_LETTERS, INTEGRATIONS, MAPPINGS, RECEIPTS, changes_topic, field_patches_topic
from tests.unit.connectors.runtime.runners import (
    DOWN,
    PARTITIONS,
    WELL,
    Measured,
    Vendor,
    connector_deps,
    patch_of,
    settings_part,
)

DEADLINE_S = 10.0
TOPIC = field_patches_topic("userflow")


class Member:
    """A group member without a group: the test assigns and revokes."""

    def __init__(self, *_: Any, hooks: Hooks, topics: Any) -> None:
        self.hooks = hooks
        self.owned: frozenset[int] = frozenset()
        self.assignments = 0

    def start(self) -> None:
        """Nobody is asked."""

    async def stop(self) -> None:
        """Nothing is given back."""

    def owns(self, partition: int) -> bool:
        return partition in self.owned

    def assign(self, *partitions: int) -> None:
        self.owned, self.assignments = frozenset(partitions), self.assignments + 1
        self.hooks.assigned(self.owned)

    async def revoke(self) -> None:
        gone, self.owned = self.owned, frozenset()
        await self.hooks.revoked(gone)


class Tables:
    """The configuration's topics as dictionaries."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, IntegrationPart]] = {INTEGRATIONS: {}, MAPPINGS: {}}

    def table(self, topic: str) -> dict[str, IntegrationPart]:
        return self.tables[topic]

    def get(self, topic: str, key: str) -> IntegrationPart | None:
        return self.tables[topic].get(key)


class GatedVendor(Vendor):
    """Lets writes end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def write(self, *arguments: Any) -> Any:
        self.begun.set()
        await self.may_end.wait()
        return await super().write(*arguments)


class Publisher:
    """Takes every record, and tells of configuration."""

    def __init__(self) -> None:
        self.parts: asyncio.Queue[IntegrationPart] = asyncio.Queue()
        self.sent: list[tuple[str, str, Any]] = []
        self.away = False
        self.unencodable = ""  # a topic whose records are too large
        self.poisoned: str | None = None  # an integration, or an object, about whose changes our own code fails

    async def send(self, topic: str, key: str, record: Any, partition: int | None = None) -> tuple[int, int]:
        if self.away and topic != INTEGRATIONS:
            raise PublishFailed(f"{topic}: the brokers are away")
        if topic == self.unencodable:
            raise RecordTooLarge(topic)
        if topic == changes_topic("userflow") and self.poisoned in (record.integration, record.object_id):
            raise TypeError("secret")
        if topic == INTEGRATIONS:
            await self.parts.put(record)
        self.sent.append((topic, key, record))
        return 0, 0

    def of(self, topic: str) -> list[Any]:
        return [record for sent_to, _, record in self.sent if sent_to == topic]

    async def state(self) -> ConnectorState:
        """What is told next of how a system is."""
        while (state := (await self.parts.get()).connector) is None:
            pass
        return state


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> list[Member]:
    """The members that runners are given, newest last."""
    made: list[Member] = []

    def member(*arguments: Any, **options: Any) -> Member:
        made.append(Member(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(runner_module, "GroupMember", member)
    return made


@dataclass
class Running:
    """A runner at work: its member, its configuration, and why it wanted the process to stop."""

    runner: Runner
    member: Member
    tables: Tables
    publisher: Publisher
    measured: Measured
    stops: list[str] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def configure(self, *names: str, secret: bytes = b"key") -> None:
        for name in names:
            self.tables.tables[INTEGRATIONS][f"{name}/settings"] = settings_part(name, secret=secret)
        self.runner.configuration_changed()

    def report(self, name: str, status: ConnectorStatus) -> None:
        """The connector's own report of an integration, as it comes back from the brokers."""
        state = ConnectorState(1, 1, 1, status)
        self.tables.tables[INTEGRATIONS][f"{name}/userflow"] = IntegrationPart(name, connector=state)
        self.runner.configuration_changed()

    async def statuses(self, expected: Mapping[str, ConnectorStatus]) -> None:
        assert await self.measured.changes.until(lambda: self.measured.statuses == expected, DEADLINE_S)

    def stop(self, why: str) -> None:
        self.stops.append(why)
        self.stopped.set()


@asynccontextmanager
async def running(members: list[Member], vendors: Mapping[str, Vendor]) -> AsyncIterator[Running]:
    """A runner that owns the partition of every vendor here."""
    tables, publisher, reasons, measured = Tables(), Publisher(), list[Callable[[str], None]](), Measured()
    deps = connector_deps(
        vendors,
        cluster=Cluster({}),
        publisher=publisher,
        tables=tables,
        count=lambda *_: None,
        metrics=measured,
        stop_process=lambda why: reasons[0](why),
    )
    runner = Runner(SYSTEMS["userflow"].traits, deps)
    it = Running(runner, members[-1], tables, publisher, measured)
    reasons.append(it.stop)
    task = asyncio.create_task(runner.run())
    it.configure(*vendors)
    it.member.assign(partition_of(DOWN, PARTITIONS))
    try:
        yield it
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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


async def test_an_account_that_cannot_be_opened_for_no_known_reason_fails_alone(members: list[Member]) -> None:
    vendors = {WELL: Vendor()}
    async with running(members, vendors) as it:
        it.configure(DOWN, WELL)  # nobody knows how to open the first
        it.member.hooks.taken([taken(DOWN, 0), taken(WELL, 1)])
        await until(lambda: "user-1" in vendors[WELL].written and bool(failures(it)))
        assert failures(it) == [(DOWN, "step_failed")]
        assert it.stops == []


async def test_a_record_at_which_worker_after_worker_fails_ends_as_a_letter_and_the_others_go_on(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OPEN_AGAIN_S", (0.01,))
    vendors = {DOWN: Vendor(), WELL: Vendor()}
    async with running(members, vendors) as it:
        it.publisher.poisoned = DOWN
        ended: list[str] = []
        it.member.hooks.taken([taken(DOWN, 0, lambda: ended.append("poisoned"))])
        await until(lambda: bool(failures(it)))
        it.member.hooks.taken([taken(WELL, 1)])
        await until(lambda: "user-1" in vendors[WELL].written and ended == ["poisoned"])
        (letter,) = it.publisher.of(DEAD_LETTERS)
        assert (letter.integration, letter.reason, letter.topic, letter.offset) == (DOWN, "step_failed", TOPIC, 0)
        assert "TypeError in send:" in letter.detail
        assert "secret" not in letter.detail
        assert it.stops == []


async def test_records_that_wait_beside_the_one_at_which_workers_fail_are_not_buried_with_it(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OPEN_AGAIN_S", (0.01,))
    async with running(members, {DOWN: Vendor()}) as it:
        it.publisher.poisoned = "user-3"
        ended: list[int] = []
        it.member.hooks.taken([taken(DOWN, offset, partial(ended.append, offset)) for offset in range(8)])
        await until(lambda: sorted(ended) == list(range(8)))
        assert [letter.offset for letter in it.publisher.of(DEAD_LETTERS)] == [3]
        assert it.stops == []


async def test_records_of_a_partition_that_went_and_came_back_while_their_worker_closed_are_left_to_the_brokers(
    members: list[Member],
) -> None:
    """They were taken from the brokers again and kept here too: handled twice."""
    vendor = GatedVendor()
    async with running(members, {DOWN: vendor}) as it:
        it.member.hooks.taken([taken(DOWN, 0)])
        await within(vendor.begun.wait)
        it.configure(DOWN, secret=b"another key")
        await asyncio.sleep(0)
        given_away = asyncio.create_task(it.member.revoke())
        await asyncio.sleep(0)
        it.member.assign(partition_of(DOWN, PARTITIONS))
        vendor.may_end.set()
        await within(lambda: given_away)
        it.member.hooks.taken([taken(DOWN, 1)])
        await until(lambda: "user-1" in vendor.written)
        assert "user-0" not in vendor.written


async def test_a_worker_of_which_two_parts_fail_at_once_ends_once_and_is_opened_again(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OPEN_AGAIN_S", (0.01,))
    given: list[OpenerDeps] = []

    def opener(*arguments: Any) -> IntegrationOpener:
        given.append(arguments[-1])
        return IntegrationOpener(*arguments)

    monkeypatch.setattr(runner_module, "IntegrationOpener", opener)
    vendors = {WELL: Vendor()}
    async with running(members, vendors) as it:
        it.member.hooks.taken([taken(WELL, 1)])
        await until(lambda: "user-1" in vendors[WELL].written)
        for _ in range(2):
            given[0].broken(WELL, TypeError("both halves meet it in one turn of the loop"))
        await until(lambda: bool(failures(it)))
        it.member.hooks.taken([taken(WELL, 2)])
        await until(lambda: "user-2" in vendors[WELL].written)
        assert it.stops == []


async def test_what_the_brokers_do_not_take_ends_the_process(members: list[Member]) -> None:
    async with running(members, {WELL: Vendor()}) as it:
        it.publisher.away = True
        it.member.hooks.taken([taken(WELL, 0)])
        await within(it.stopped.wait)
        assert "PublishFailed" in it.stops[0]


async def test_records_of_an_integration_that_cannot_be_opened_wait_in_bounded_memory(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "MOST_WAITING", 3)
    async with running(members, {}) as it:
        it.configure(DOWN)
        await until(lambda: bool(failures(it)))
        ended: list[int] = []
        it.member.hooks.taken([taken(DOWN, offset, partial(ended.append, offset)) for offset in range(5)])
        await until(lambda: ended == [3, 4])
        assert [(one.object_id, one.kind) for one in it.publisher.of(RECEIPTS)] == [
            ("user-3", "parked"),
            ("user-4", "parked"),
        ]


async def test_one_of_them_whose_receipt_no_message_holds_is_a_letter(
    members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "MOST_WAITING", 0)
    async with running(members, {}) as it:
        it.configure(DOWN)
        await until(lambda: bool(failures(it)))
        it.publisher.unencodable = RECEIPTS
        ended: list[int] = []
        it.member.hooks.taken([taken(DOWN, 0, partial(ended.append, 0))])
        await until(lambda: ended == [0])
        assert [letter.reason for letter in it.publisher.of(DEAD_LETTERS)] == ["step_failed"]
        assert it.stops == []


def failures(it: Running) -> list[tuple[str, str | None]]:
    """The integrations that were reported as failed, each once, with the reason."""
    parts = [part for part in it.publisher.of(INTEGRATIONS) if part.connector and part.connector.status == "failed"]
    return list(dict.fromkeys((part.integration, part.connector.reason) for part in parts))


async def until(good: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if good():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come about within 10 s")


async def within(work: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await work()


def taken(integration: str, offset: int, finished: Callable[[], None] = lambda: None) -> Taken:
    value = Codec(LocalRegistry()).encode(TOPIC, patch_of(integration, f"user-{offset}"))
    return Taken(TOPIC, partition_of(integration, PARTITIONS), offset, integration, value, finished)
