"""A table of configuration is complete, follows its topic, and leaves a row that cannot be read as it was."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from schemas.codec import Codec
from schemas.configuration import IntegrationClaim, IntegrationPart
from schemas.registry import LocalRegistry
from schemas.topics import INTEGRATIONS
from tests.kafka import Kafka, fresh_prefix

DEADLINE_S = 15.0
NEWER_SCHEMA = b"\x00\x7f\xff\xff\xff..."


def claim(integration: str) -> IntegrationPart:
    return IntegrationPart(integration, claim=IntegrationClaim(integration))


class Followed:
    """What a reader told, and a way to wait for it."""

    def __init__(self, cluster: Cluster) -> None:
        self.failures: list[BaseException] = []
        self._told = threading.Condition()
        self.reader = TableReader(cluster, Codec(LocalRegistry()), (INTEGRATIONS,), self._failed)
        self.reader.subscribe(self._changed)
        self.reader.start()

    def until(self, good: Callable[[], bool]) -> None:
        with self._told:
            assert self._told.wait_for(good, DEADLINE_S)

    def _changed(self, *_: Any) -> None:
        with self._told:
            self._told.notify_all()

    def _failed(self, error: BaseException) -> None:
        with self._told:
            self.failures.append(error)
            self._told.notify_all()


async def test_what_cannot_be_read_is_left_as_it_was_and_the_rest_goes_on(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    Admin(cluster).apply_topics(4, 1)
    publisher = Publisher(cluster, Codec(LocalRegistry()))
    await publisher.send(INTEGRATIONS, "claim/tables/1", claim("first"))
    it = Followed(cluster)
    try:
        assert it.reader.get(INTEGRATIONS, "claim/tables/1") == claim("first")
        await publisher.send_bytes(INTEGRATIONS, "claim/tables/1", b"no record at all")
        await publisher.send(INTEGRATIONS, "claim/tables/2", claim("second"))
        it.until(lambda: it.reader.get(INTEGRATIONS, "claim/tables/2") == claim("second"))
        assert it.reader.get(INTEGRATIONS, "claim/tables/1") == claim("first")
        assert it.failures == []

        await publisher.send_bytes(INTEGRATIONS, "claim/tables/2", NEWER_SCHEMA)
        await publisher.send(INTEGRATIONS, "claim/tables/3", claim("third"))
        it.until(lambda: it.reader.get(INTEGRATIONS, "claim/tables/3") == claim("third"))
        it.until(lambda: len(it.reader.unreadable) == 2)
        assert it.reader.get(INTEGRATIONS, "claim/tables/2") == claim("second")
        assert it.failures == []

        await publisher.send(INTEGRATIONS, "claim/tables/1", claim("mended"))
        await publisher.send(INTEGRATIONS, "claim/tables/2", claim("mended"))
        it.until(lambda: it.reader.get(INTEGRATIONS, "claim/tables/2") == claim("mended"))
        it.until(lambda: it.reader.unreadable == ())
    finally:
        for key in ("claim/tables/1", "claim/tables/2", "claim/tables/3"):
            await publisher.send_bytes(INTEGRATIONS, key, None)
        await publisher.close()
        it.reader.stop()


async def test_whoever_reads_to_the_end_has_all_that_was_written_before(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    Admin(cluster).apply_topics(4, 1)
    publisher = Publisher(cluster, Codec(LocalRegistry()))
    it = Followed(cluster)
    try:
        for turn in range(20):
            await publisher.send(INTEGRATIONS, f"claim/end/{turn % 3}", claim(f"turn-{turn}"))
            await asyncio.to_thread(it.reader.read_to_end, INTEGRATIONS)
            assert it.reader.get(INTEGRATIONS, f"claim/end/{turn % 3}") == claim(f"turn-{turn}")
    finally:
        await publisher.close()
        it.reader.stop()
