"""The --kafka option of the tests, and the mock cluster it can ask for."""

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.kafka import Kafka, parse_option


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("local", "local"),
        ("mock", "mock"),
        ("containers", "containers"),
        ("localhost:9092", "remote"),
        ("a:1,b:2", "remote"),
    ],
)
def test_what_the_option_asks_for(value: str, kind: str) -> None:
    assert parse_option(value) == kind


@pytest.mark.parametrize("value", ["", "docker", "localhost", "host:port", "http://a:1/"])
def test_anything_else_is_refused_with_the_choices(value: str) -> None:
    with pytest.raises(ValueError, match="expected local, mock, containers or HOST:PORT"):
        parse_option(value)


def test_the_mock_cluster_carries_a_record(mock_kafka: Kafka) -> None:
    producer = Producer({"bootstrap.servers": mock_kafka.bootstrap_servers})
    producer.produce("mock-cluster-carries", b"one")
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": mock_kafka.bootstrap_servers, "group.id": "any"})
    consumer.assign([TopicPartition("mock-cluster-carries", partition, 0) for partition in range(4)])
    (message,) = consumer.consume(1, timeout=10)
    consumer.close()
    assert message.value() == b"one"
