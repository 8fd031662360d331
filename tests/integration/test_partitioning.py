"""Both Kafka clients must place a key on the same partition, or an object's state and its records part ways."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from connectors.kafka.cluster import Cluster
from connectors.kafka.partitioner import partition_of
from connectors.kafka.producer import Publisher
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import object_key, pair_key
from tests.kafka import Kafka

PARTITIONS = 24
TOPIC = "partitioning"
NAMES = ["ada@example.com", "zoë@exämple.de", "用户@例子.公司", "Ωmega", "🦊", "a:b:c", " padded ", ""]
KEYS = [
    object_key("acme", 1, "hubspot", "contacts", f"{number}{NAMES[number % len(NAMES)]}")
    if number % 2
    else pair_key("größe-gmbh", number, "people", f"{number}{NAMES[number // 2 % len(NAMES)]}")
    for number in range(1_000)
]


@pytest.fixture(scope="module")
def bootstrap_servers(kafka: Kafka) -> str:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(15)
    return kafka.bootstrap_servers


async def placed_by_confluent_kafka(bootstrap_servers: str, keys: Sequence[str]) -> list[int]:
    publisher = Publisher(Cluster({"bootstrap.servers": bootstrap_servers}), Codec(LocalRegistry()))
    try:
        places = await asyncio.gather(*(publisher.send_bytes(TOPIC, key, b"") for key in keys))
    finally:
        await publisher.close()
    return [partition for partition, _ in places]


async def placed_by_aiokafka(bootstrap_servers: str, keys: Sequence[str]) -> list[int]:
    """The client under Faust, with the partitioner that Faust leaves as it is."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        sent = [await producer.send(TOPIC, b"", key=key.encode()) for key in keys]
        return [record.partition for record in await asyncio.gather(*sent)]


async def test_a_key_has_one_partition_whoever_places_it(bootstrap_servers: str) -> None:
    ours = await placed_by_confluent_kafka(bootstrap_servers, KEYS)
    theirs = await placed_by_aiokafka(bootstrap_servers, KEYS)
    computed = [partition_of(key, PARTITIONS) for key in KEYS]
    assert ours == theirs == computed
    assert len(set(ours)) == PARTITIONS
