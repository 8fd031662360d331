"""A runner at work for a test: its member, its configuration, what it published, and why it wanted to stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.kafka.cluster import Cluster
from connectors.kafka.consumer import Hooks, Taken
from connectors.kafka.partitioner import partition_of
from connectors.kafka.producer import PublishFailed
from connectors.registry import SYSTEMS
from connectors.runtime.runner import Runner
from schemas.codec import Codec, RecordTooLarge
from schemas.configuration import ConnectorState, ConnectorStatus, IntegrationPart
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS, MAPPINGS, POSITIONS, changes_topic, field_patches_topic
from tests.unit.connectors.runtime.runners import (
    DOWN,
    PARTITIONS,
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
        self.tables: dict[str, dict[str, Any]] = {INTEGRATIONS: {}, MAPPINGS: {}, POSITIONS: {}}

    def table(self, topic: str) -> dict[str, Any]:
        return self.tables[topic]

    def get(self, topic: str, key: str) -> Any:
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

    async def send_bytes(self, topic: str, key: str, value: None, partition: int | None = None) -> tuple[int, int]:
        self.sent.append((topic, key, value))
        return 0, 0

    def of(self, topic: str) -> list[Any]:
        return [record for sent_to, _, record in self.sent if sent_to == topic]

    async def state(self) -> ConnectorState:
        """What is told next of how a system is."""
        while (state := (await self.parts.get()).connector) is None:
            pass
        return state


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
