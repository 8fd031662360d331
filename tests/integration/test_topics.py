"""Topics are made by the table, mended where they differ, and otherwise left alone."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # confluent_kafka does not list what it exports
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from pipeline.local.broker import BrokerSettings, LocalBroker
from schemas.topics import HUBSPOT_CHANGES, TOPICS

PARTITIONS = 2


@pytest.fixture(scope="module")
def bootstrap_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of this module's own: the shared one may hold these topics already."""
    with LocalBroker(BrokerSettings(tmp_path_factory.mktemp("kafka"))) as broker:
        yield broker.bootstrap_servers


def setting(bootstrap_servers: str, topic: str, name: str) -> str:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    (answer,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return str(answer.result(15)[name].value)


def test_apply_makes_what_is_missing_mends_what_differs_and_keeps_what_is_the_operators(bootstrap_servers: str) -> None:
    theirs = {"retention.ms": "1000", "max.message.bytes": "2000000"}
    client = AdminClient({"bootstrap.servers": bootstrap_servers})
    client.create_topics([NewTopic(HUBSPOT_CHANGES, PARTITIONS, 1, config=theirs)])[HUBSPOT_CHANGES].result(15)
    admin = Admin(Cluster({"bootstrap.servers": bootstrap_servers}))

    done = admin.apply_topics(PARTITIONS, replication=1)

    assert len([line for line in done if "made with" in line]) == len(TOPICS) - 1
    assert [line for line in done if "mended" in line] == [
        f"{HUBSPOT_CHANGES}: retention.ms is 1000, not 604800000, mended"
    ]
    assert admin.check_topics(PARTITIONS) == []
    assert setting(bootstrap_servers, HUBSPOT_CHANGES, "retention.ms") == "604800000"
    assert setting(bootstrap_servers, HUBSPOT_CHANGES, "max.message.bytes") == "2000000"
    assert admin.apply_topics(PARTITIONS, replication=1) == []


def test_another_partition_count_is_told_and_never_changed(bootstrap_servers: str) -> None:
    admin = Admin(Cluster({"bootstrap.servers": bootstrap_servers}))
    admin.apply_topics(PARTITIONS, replication=1)
    problems = admin.check_topics(PARTITIONS + 1)
    assert {problem.message for problem in problems} == {"has 2 partitions, PAIRSTREAM_PARTITIONS says 3"}
    assert admin.apply_topics(PARTITIONS + 1, replication=1) == []
    assert admin.partitions()[HUBSPOT_CHANGES] == PARTITIONS


def test_a_group_without_offsets_is_behind_only_by_what_retention_left(bootstrap_servers: str) -> None:
    admin = Admin(Cluster({"bootstrap.servers": bootstrap_servers}))
    admin.apply_topics(PARTITIONS, replication=1)
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    for _ in range(5):
        producer.produce(HUBSPOT_CHANGES, b"any", partition=0)
    assert producer.flush(15) == 0
    assert admin.lag("away for long", (HUBSPOT_CHANGES,)) == {(HUBSPOT_CHANGES, 0): 5, (HUBSPOT_CHANGES, 1): 0}

    client = AdminClient({"bootstrap.servers": bootstrap_servers})
    (deleted,) = client.delete_records([TopicPartition(HUBSPOT_CHANGES, 0, 3)]).values()
    deleted.result(15)

    assert admin.lag("away for long", (HUBSPOT_CHANGES,)) == {(HUBSPOT_CHANGES, 0): 2, (HUBSPOT_CHANGES, 1): 0}
