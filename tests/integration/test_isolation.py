"""One connector with two integrations on one partition: neither delays the other, and every patch has an end."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from connectors.registry import SYSTEMS
from connectors.runtime.runner import Runner
from schemas.codec import Codec
from schemas.configuration import IntegrationState
from schemas.records import Receipt
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS, MAPPINGS, field_patches_topic
from tests.e2e.world import eventually, read_topic
from tests.kafka import Kafka, fresh_prefix
from tests.unit.connectors.runtime.runners import (
    DOWN,
    PARTITIONS,
    SLOW_S,
    WELL,
    Vendor,
    connector_deps,
    patch_of,
    settings_part,
)


@dataclass
class Connector:
    """A running connector with its vendors by integration."""

    publisher: Publisher
    vendors: dict[str, Vendor]
    outcomes: dict[str, int]
    admin: Admin
    cluster: Cluster

    async def configure(self, integration: str, state: IntegrationState = "active", secret: bytes = b"key") -> None:
        part = settings_part(integration, state, secret)
        await self.publisher.send(INTEGRATIONS, f"{integration}/settings", part)

    async def ended(self) -> None:
        """Wait until no patch is left without an end."""
        assert await eventually(lambda: unread(self), lambda found: not found, 60) == {}

    async def patch(self, integration: str, object_id: str) -> None:
        await self.publisher.send(field_patches_topic("userflow"), integration, patch_of(integration, object_id))


@asynccontextmanager
async def connector(kafka: Kafka) -> AsyncIterator[Connector]:
    cluster = kafka.cluster(fresh_prefix())
    admin, codec = Admin(cluster), Codec(LocalRegistry())
    admin.apply_topics(PARTITIONS, 1)
    publisher, vendors = Publisher(cluster, codec), {DOWN: Vendor(away=True), WELL: Vendor(away=False)}
    loop, tables = asyncio.get_running_loop(), TableReader(cluster, codec, (INTEGRATIONS, MAPPINGS))
    outcomes: dict[str, int] = defaultdict(int)

    def count(stage: str, integration: str, mapping: str | None, outcome: str, number: int) -> None:
        outcomes[outcome] += number

    stops: list[str] = []
    deps = connector_deps(
        vendors, cluster=cluster, publisher=publisher, tables=tables, count=count, stop_process=stops.append
    )
    runner = Runner(SYSTEMS["userflow"].traits, deps)
    tables.subscribe(lambda *_: loop.call_soon_threadsafe(runner.configuration_changed))
    await asyncio.to_thread(tables.start)
    it = Connector(publisher, vendors, outcomes, admin, cluster)
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
    assert stops == []


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
        receipts = [record for record in read_topic(it.cluster, "sync.receipts") if is_parked(record)]
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
        assert it.outcomes["disconnected"] + it.outcomes["written"] == 40
        # nobody keeps an answer that comes amid the disconnect: its writes are done, and count as disconnected
        assert 40 - len(done) <= it.outcomes["disconnected"] <= 40 - len(done) + it.vendors[WELL].in_flight


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
