"""Changes of state on a real Kafka: three schedulers, of which the active one is killed, tell each change once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.notices.telling import NoticeRoad, Notices
from pipeline.process import now_ms
from pipeline.scheduler import Scheduler
from pipeline.secrets import SecretBox, make_key
from schemas.codec import Codec
from schemas.configuration import ConnectorState, ConnectorStatus, IntegrationPart
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS, MAPPINGS, NOTICES, RUNS
from tests.e2e.world import eventually
from tests.kafka import Kafka, fresh_prefix
from tests.unit.connectors.http.listening import listening
from tests.unit.pipeline.full_sync.simulated import SETTINGS
from tests.unit.pipeline.notices.test_telling import SIGNS, Hook

PARTITIONS = 2
TOLD_S = 40.0


@dataclass
class Process:
    """One scheduler with what it tells."""

    scheduler: Scheduler
    tables: TableReader
    publisher: Publisher
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    @classmethod
    async def begun(cls, cluster: Cluster, ordinal: int, url: str) -> "Process":
        codec = Codec(LocalRegistry())
        tables = TableReader(cluster, codec, (INTEGRATIONS, MAPPINGS, RUNS, NOTICES))
        await asyncio.to_thread(tables.start)
        publisher = Publisher(cluster, codec)
        scheduler = Scheduler(
            cluster,
            ordinal,
            partitions=PARTITIONS,
            tables=tables,
            publisher=publisher,
            box=SecretBox((make_key(),)),
            failed=lambda _: None,
        )
        notices = Notices(
            tables,
            publisher,
            NoticeRoad.to(url, SIGNS, cluster.prefix),
            active=lambda: scheduler.active,
            now_ms=now_ms,
            uniform=lambda _, high: high,
            count=lambda _: None,
        )
        return cls(scheduler, tables, publisher, [asyncio.create_task(one.run()) for one in (scheduler, notices)])

    async def ended(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.publisher.close()
        await asyncio.to_thread(self.tables.stop)


@asynccontextmanager
async def three(cluster: Cluster, url: str) -> AsyncIterator[list[Process]]:
    processes = [await Process.begun(cluster, ordinal, url) for ordinal in range(3)]
    try:
        yield processes
    finally:
        for process in processes:
            await process.ended()


async def test_three_schedulers_and_a_takeover_tell_each_change_once(kafka: Kafka) -> None:
    cluster, hook = kafka.cluster(fresh_prefix()), Hook()
    Admin(cluster).apply_topics(PARTITIONS, 1)
    publisher = Publisher(cluster, Codec(LocalRegistry()))

    async def report(status: ConnectorStatus, reason: str) -> None:
        state = ConnectorState(SETTINGS.connection, 1, 1, status, reason=reason)
        await publisher.send(INTEGRATIONS, "acme/hubspot", IntegrationPart("acme", connector=state))

    async def told() -> list[str]:
        return [body["data"]["reason"] for body in hook.bodies]

    await publisher.send(INTEGRATIONS, "acme/settings", IntegrationPart("acme", settings=SETTINGS))
    await report("needs_reconnect", "grant_revoked")
    async with listening(hook.serve) as url, three(cluster, f"{url}/hook?team=a") as processes:
        assert await eventually(told, bool, TOLD_S) == ["grant_revoked"]
        active = next(process for process in processes if process.scheduler.active)
        processes.remove(active)
        await active.ended()
        await report("failed", "forbidden")
        assert await eventually(told, lambda seen: len(seen) > 1, TOLD_S) == ["grant_revoked", "forbidden"]
    async with listening(hook.serve) as url, three(cluster, f"{url}/hook?team=a"):  # all of them are started anew
        await report("failed", "bad_address")
        seen = await eventually(told, lambda seen: "bad_address" in seen, TOLD_S)
    await publisher.close()
    assert seen == ["grant_revoked", "forbidden", "bad_address"]
    assert [body["data"]["number"] for body in hook.bodies] == [1, 2, 3]
