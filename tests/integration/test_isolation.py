"""One connector with two integrations on one partition: neither delays the other, and every patch has an end."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from connectors.base import (
    Account,
    Answered,
    Described,
    Gone,
    Opening,
    OwnershipLost,
    Page,
    Provisioned,
    ReadPurpose,
    Seen,
    Translated,
    Write,
    WriteResult,
)
from connectors.clock import SystemClock
from connectors.errors import Transient
from connectors.kafka.admin import Admin
from connectors.kafka.placing import partition_of
from connectors.kafka.publisher import Publisher
from connectors.kafka.tables import TableReader
from connectors.runner import Runner, Surroundings
from schemas.codec import Codec
from schemas.configuration import IntegrationPart, IntegrationSettings, IntegrationState, SystemSettings
from schemas.records import Cause, FieldPatch, Notification, Receipt
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS, MAPPINGS, field_patches_topic
from schemas.values import FieldDefinition
from tests.e2e.world import eventually, read_topic
from tests.kafka import Kafka

PARTITIONS = 4
SLOW_S = 2.0
DOWN = "down"
WELL = next(name for number in range(100) if partition_of(name := f"well-{number}", 4) == partition_of(DOWN, 4))


@dataclass
class Vendor:
    """A system in memory; `away` lets every call fail after a while, as a vendor in trouble does."""

    away: bool
    slow_s: float = 0.0
    written: dict[str, float] = field(default_factory=dict)
    batch_size: int = 1
    in_flight: int = 4
    read_size: int = 10

    async def write(self, writes: Sequence[Write], may_write: Callable[[], bool]) -> Sequence[WriteResult]:
        await self._answer()
        await asyncio.sleep(self.slow_s)
        if not may_write():
            raise OwnershipLost("a test's vendor")
        self.written.update({write.object_id: time.monotonic() for write in writes})
        at_ms = time.time_ns() // 1_000_000
        return [Answered(write, write.fields, at_ms, 0) for write in writes]

    async def read(self, object_type: str, ids: Sequence[str], purpose: ReadPurpose) -> Sequence[Seen | Gone]:
        await self._answer()
        return [Gone(id, 0, 0) for id in ids]

    async def page(self, object_type: str, cursor: str | None) -> Page:
        await self._answer()
        return Page((), None)

    async def look_up(self, object_type: str, field: FieldDefinition, values: Sequence[str]) -> Sequence[Seen]:
        await self._answer()
        return ()

    def translate(self, notification: Notification) -> Translated:
        return Translated()

    async def describe(self, wanted: object) -> Described:
        return Described()

    async def provision(self, object_types: object, create: object, events: object = ()) -> Provisioned:
        return Provisioned()

    async def probe(self) -> None:
        await self._answer()

    async def withdraw(self) -> None:
        await self._answer()

    async def _answer(self) -> None:
        if self.away:
            await asyncio.sleep(SLOW_S)
            raise Transient("http_503")


async def close() -> None:
    """A vendor in memory holds nothing."""


@dataclass
class Connector:
    """A running connector with its vendors by integration."""

    publisher: Publisher
    vendors: dict[str, Vendor]
    outcomes: dict[str, int]
    admin: Admin

    async def configure(self, integration: str, state: IntegrationState = "active", secret: bytes = b"key") -> None:
        section = SystemSettings(integration, secrets={"api_key": secret})
        settings = IntegrationSettings(1, 1, 1, state, "a", "done", None, "", section, section)
        await self.publisher.send(
            INTEGRATIONS, f"{integration}/settings", IntegrationPart(integration, settings=settings)
        )

    async def ended(self) -> None:
        """Wait until no patch is left without an end."""
        assert await eventually(lambda: unread(self), lambda found: not found, 60) == {}

    async def patch(self, integration: str, object_id: str) -> None:
        now_ms = time.time_ns() // 1_000_000
        patch = FieldPatch(
            integration,
            1,
            1,
            "people",
            object_id,
            "userflow",
            "users",
            object_id,
            {"title": f"of {object_id}"},
            caused_by=Cause("", -1, -1, now_ms),
        )
        await self.publisher.send(field_patches_topic("userflow"), integration, patch)


@asynccontextmanager
async def connector(kafka: Kafka) -> AsyncIterator[Connector]:
    client = {"bootstrap.servers": kafka.bootstrap_servers}
    admin, codec = Admin(client), Codec(LocalRegistry())
    admin.apply_topics(PARTITIONS, 1)
    publisher, vendors = Publisher(client, codec), {DOWN: Vendor(away=True), WELL: Vendor(away=False)}
    runners: list[Runner] = []

    def changed(*_: object) -> None:
        for one in runners:
            loop.call_soon_threadsafe(one.configuration_changed)

    loop, tables = asyncio.get_running_loop(), TableReader(client, codec, (INTEGRATIONS, MAPPINGS), changed)
    await asyncio.to_thread(tables.start)
    outcomes: dict[str, int] = defaultdict(int)

    async def open_account(opening: Opening) -> Account:
        vendor = vendors[opening.integration]
        return Account("userflow", vendor, vendor, vendor, close)

    def count(stage: str, mapping: str | None, outcome: str, number: int) -> None:
        outcomes[outcome] += number

    async def no_credit(records: int) -> None:
        raise AssertionError("nothing here is bulk")

    def stop(message: str) -> None:
        pytest.fail(message)

    runner = Runner(
        "userflow",
        Surroundings(
            client=client,
            codec=codec,
            publisher=publisher,
            tables=tables,
            ordinal=0,
            partitions=PARTITIONS,
            open_account=open_account,
            unseal=bytes.decode,
            seal=str.encode,
            api_url=None,
            api_version="",
            webhook_base_url="",
            clock=SystemClock(),
            uniform=random.Random(1).uniform,
            now_ms=lambda: time.time_ns() // 1_000_000,
            count=count,
            bulk_credit=no_credit,
            stop_process=stop,
        ),
    )
    runners.append(runner)
    it = Connector(publisher, vendors, outcomes, admin)
    for name in vendors:
        await it.configure(name)
    running = asyncio.create_task(runner.run())
    try:
        yield it
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await publisher.close()
        await asyncio.to_thread(tables.stop)


async def test_a_system_that_is_away_delays_no_other_integration(kafka: Kafka) -> None:
    async with connector(kafka) as it:
        await it.patch(WELL, "first")
        assert await eventually(lambda: written(it, "first"), bool, 30), "the connector does not work at all"

        for number in range(500):
            await it.patch(DOWN, f"d{number}")
        took_s = []
        for number in range(20):
            started = time.monotonic()
            await it.patch(WELL, f"w{number}")
            assert await eventually(lambda name=f"w{number}": written(it, name), bool, 30, 0.01)  # type: ignore[misc]
            took_s.append(it.vendors[WELL].written[f"w{number}"] - started)
            await it.patch(DOWN, f"more-{number}")

        assert max(took_s) < SLOW_S, took_s
        # nor does it hold the partition's offset for ever: what waits for it is parked, with a receipt
        await it.ended()
        receipts = [record for record in read_topic(kafka.bootstrap_servers, "sync.receipts") if is_parked(record)]
        assert len({receipt.object_id for receipt in receipts}) == 520
        assert it.vendors[DOWN].written == {}


async def test_what_is_under_way_when_credentials_change_is_written_with_the_new_ones(kafka: Kafka) -> None:
    async with connector(kafka) as it:
        it.vendors[WELL].slow_s = 0.2
        for number in range(40):
            await it.patch(WELL, f"c{number}")
        assert await eventually(lambda: written(it, "c0"), bool, 30)

        await it.configure(WELL, secret=b"another key")

        await it.ended()
        assert it.vendors[WELL].written.keys() >= {f"c{number}" for number in range(40)}


async def test_what_is_under_way_at_a_disconnect_ends_unwritten(kafka: Kafka) -> None:
    async with connector(kafka) as it:
        it.vendors[WELL].slow_s = 0.2
        for number in range(40):
            await it.patch(WELL, f"x{number}")
        assert await eventually(lambda: written(it, "x0"), bool, 30)

        await it.configure(WELL, "disconnected")

        await it.ended()
        done = {name for name in it.vendors[WELL].written if name.startswith("x")}
        assert len(done) < 40
        assert it.outcomes["disconnected"] == 40 - len(done)


async def test_what_is_under_way_at_a_pause_is_parked(kafka: Kafka) -> None:
    async with connector(kafka) as it:
        it.vendors[WELL].slow_s = 0.2
        for number in range(40):
            await it.patch(WELL, f"p{number}")
        assert await eventually(lambda: written(it, "p0"), bool, 30)

        await it.configure(WELL, "paused")

        await it.ended()
        done = {name for name in it.vendors[WELL].written if name.startswith("p")}
        assert len(done) < 40
        assert it.outcomes["parked"] >= 40 - len(done)


async def written(it: Connector, object_id: str) -> bool:
    return object_id in it.vendors[WELL].written


async def unread(it: Connector) -> dict[tuple[str, int], int]:
    return await asyncio.to_thread(it.admin.unread, "pairstream-userflow", (field_patches_topic("userflow"),))


def is_parked(record: object) -> bool:
    return isinstance(record, Receipt) and record.integration == DOWN and record.kind == "parked"
