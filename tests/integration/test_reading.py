"""Topics are read from a place to a place, by key, partition and number, over transactions, and followed."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import ConsumerGroup
from connectors.kafka.producer import Publisher
from connectors.kafka.reading import Reading, read_to_end
from connectors.kafka.transactions import Produced, TransactionalWriter
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import HUBSPOT_CHANGES
from tests.kafka import Kafka, fresh_prefix
from tests.unit.pipeline.core.given import contact

PARTITIONS = 2
CODEC = Codec(LocalRegistry())


async def written(cluster: Cluster) -> None:
    """Four changes of each partition, and one of a transaction."""
    publisher = Publisher(cluster, CODEC)
    for number in range(8):
        key = f"acme:1:hubspot:contacts:{number}"
        await publisher.send(HUBSPOT_CHANGES, key, contact(number, {}, str(number)), partition=number % PARTITIONS)
    await publisher.close()
    value = CODEC.encode(HUBSPOT_CHANGES, contact(99, {}, "99"))
    writer = TransactionalWriter(cluster, "reading-test", ConsumerGroup(cluster, "reading-test"))
    writer.write(
        [Produced(HUBSPOT_CHANGES, "late", value, 0, (("pairstream.redrive.of", b"0f"),))], {(HUBSPOT_CHANGES, 0): 0}
    )
    writer.close()


def ids(environment: Mapping[str, str], *words: str) -> list[str]:
    return [line["value"]["object_id"] for line in lines(environment, *words)]


def lines(environment: Mapping[str, str], *words: str) -> list[Any]:
    argv = (sys.executable, "-m", "pipeline.cli", "topics", "read", *words)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_from_a_place_to_a_place(kafka: Kafka, tmp_path: Path) -> None:
    cluster = kafka.cluster(fresh_prefix())
    Admin(cluster).apply_topics(PARTITIONS, 1)
    await written(cluster)
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "PAIRSTREAM_PREFIX": cluster.prefix,
        "PAIRSTREAM_STATE_DIR": str(tmp_path),
        "PAIRSTREAM_PARTITIONS": str(PARTITIONS),
    }

    def read(*words: str) -> list[str]:
        return ids(environment, HUBSPOT_CHANGES, *words)

    assert sorted(read()) == sorted([*map(str, range(8)), "99"])
    assert read("--partition", "0", "--from", "offset:2", "--to", "offset:4") == ["4", "6"]
    assert read("--partition", "1", "--max", "2") == ["1", "3"]
    assert sorted(read("--from", "-1h", "--to", "latest")) == sorted([*map(str, range(8)), "99"])
    assert read("--from", "latest") == []
    (late,) = lines(environment, cluster.physical(HUBSPOT_CHANGES), "--key", "late", "--partition", "0")
    assert (late["headers"], late["offset"]) == ({"pairstream.redrive.of": "0f"}, 4)


async def test_following_goes_on_where_reading_ended(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    Admin(cluster).apply_topics(PARTITIONS, 1)
    await written(cluster)
    begins = {(HUBSPOT_CHANGES, number): 0 for number in range(PARTITIONS)}
    there = list(await asyncio.to_thread(lambda: list(read_to_end(cluster, begins))))
    assert len(there) == 9
    with Reading(cluster, begins) as reading:
        seen = []
        while reading.left:
            seen += await asyncio.to_thread(reading.take, 0.2)
        assert [one.offset for one in seen if one.partition == 0] == [0, 1, 2, 3, 4]
        publisher = Publisher(cluster, CODEC)
        await publisher.send(HUBSPOT_CHANGES, "new", contact(100, {}, "100"), partition=1)
        while len(seen) == len(there):
            seen += await asyncio.to_thread(reading.take, 0.2)
        await publisher.close()
        assert (seen[-1].key, seen[-1].place) == (b"new", f"{HUBSPOT_CHANGES}[1]@4")
        assert reading.reached[HUBSPOT_CHANGES, 1] == 5
