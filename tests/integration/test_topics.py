"""Topics are made by the table, mended where they differ, and otherwise left alone."""

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # confluent_kafka does not list what it exports
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from connectors.kafka.admin import Admin, TopicsRefused
from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import publisher_config
from schemas.topics import HUBSPOT_CHANGES, TOPICS
from tests.kafka import Kafka, fresh_prefix

PARTITIONS = 2


@pytest.fixture
def cluster(kafka: Kafka) -> Cluster:
    """Names of the test's own on the shared broker, which holds other tests' topics."""
    return kafka.cluster(fresh_prefix())


def setting(cluster: Cluster, topic: str, name: str) -> str:
    admin = AdminClient(dict(cluster.client))
    (answer,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, cluster.physical(topic))]).values()
    return str(answer.result(15)[name].value)


def test_apply_makes_what_is_missing_mends_what_differs_and_keeps_what_is_the_operators(cluster: Cluster) -> None:
    theirs = {"retention.ms": "1000", "max.message.bytes": "2000000"}
    client = AdminClient(dict(cluster.client))
    physical = cluster.physical(HUBSPOT_CHANGES)
    client.create_topics([NewTopic(physical, PARTITIONS, 1, config=theirs)])[physical].result(15)
    admin = Admin(cluster)

    done = admin.apply_topics(PARTITIONS, replication=1)

    assert len([line for line in done if "made with" in line]) == len(TOPICS) - 1
    assert [line for line in done if "mended" in line] == [f"{physical}: retention.ms is 1000, not 604800000, mended"]
    assert admin.check_topics(PARTITIONS) == []
    assert setting(cluster, HUBSPOT_CHANGES, "retention.ms") == "604800000"
    assert setting(cluster, HUBSPOT_CHANGES, "max.message.bytes") == "2000000"
    assert admin.apply_topics(PARTITIONS, replication=1) == []


def test_another_partition_count_is_told_and_never_changed(cluster: Cluster) -> None:
    admin = Admin(cluster)
    admin.apply_topics(PARTITIONS, replication=1)
    problems = admin.check_topics(PARTITIONS + 1)
    assert {problem.message for problem in problems} == {"has 2 partitions, PAIRSTREAM_PARTITIONS says 3"}
    assert admin.apply_topics(PARTITIONS + 1, replication=1) == []
    assert admin.partitions()[HUBSPOT_CHANGES] == PARTITIONS


def test_a_group_without_offsets_is_behind_only_by_what_retention_left(cluster: Cluster) -> None:
    admin = Admin(cluster)
    admin.apply_topics(PARTITIONS, replication=1)
    producer = Producer(publisher_config(cluster))
    for _ in range(5):
        producer.produce(cluster.physical(HUBSPOT_CHANGES), b"any", partition=0)
    assert producer.flush(15) == 0
    assert admin.lag("away for long", (HUBSPOT_CHANGES,)) == {(HUBSPOT_CHANGES, 0): 5, (HUBSPOT_CHANGES, 1): 0}

    client = AdminClient(dict(cluster.client))
    (deleted,) = client.delete_records([TopicPartition(cluster.physical(HUBSPOT_CHANGES), 0, 3)]).values()
    deleted.result(15)

    assert admin.lag("away for long", (HUBSPOT_CHANGES,)) == {(HUBSPOT_CHANGES, 0): 2, (HUBSPOT_CHANGES, 1): 0}
    places = {(HUBSPOT_CHANGES, 0): 5, (HUBSPOT_CHANGES, 1): 0}
    begun = {(HUBSPOT_CHANGES, 0): 3, (HUBSPOT_CHANGES, 1): 0}
    assert admin.positions({"away for long": places}) == (places, {"away for long": begun})


def test_replicas_are_the_brokers_default_and_too_few_are_told(cluster: Cluster) -> None:
    admin = Admin(cluster)

    assert len(admin.apply_topics(PARTITIONS)) == len(TOPICS)
    assert admin.check_topics(PARTITIONS) == []
    wanting = admin.check_topics(PARTITIONS, replication=3)
    assert {problem.topic for problem in wanting} == {cluster.physical(name) for name in TOPICS}
    assert {problem.message.partition(":")[0] for problem in wanting} == {
        "has 1 of the 3 replicas that a topic is to have"
    }


def test_more_replicas_than_brokers_are_refused_in_a_sentence(cluster: Cluster) -> None:
    admin = Admin(cluster)

    with pytest.raises(TopicsRefused, match=r"cannot be made: .*replication"):
        admin.apply_topics(PARTITIONS, 3)
