"""The local broker as a process: it starts, and keeps its data and its port over a stop and a kill."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.local.errors import DirectoryInUse
from tests.kafka import Kafka

TOPIC = "kept"


def produce(bootstrap_servers: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    producer.produce(TOPIC, value)
    assert producer.flush(15) == 0


def read(bootstrap_servers: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    try:
        messages = consumer.consume(count, timeout=15)
    finally:
        consumer.close()
    return [value for message in messages if (value := message.value()) is not None]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    with LocalBroker(BrokerSettings(tmp_path_factory.mktemp("kafka"))) as broker:
        yield broker


def test_data_and_port_survive_a_stop_and_a_kill(broker: LocalBroker) -> None:
    before = broker.bootstrap_servers
    admin = AdminClient({"bootstrap.servers": before})
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(15)
    produce(before, b"one")

    broker.stop()
    broker.start()
    produce(before, b"two")
    broker.kill()
    broker.start()

    assert broker.bootstrap_servers == before
    assert read(before, 2) == [b"one", b"two"]


def test_a_directory_in_use_is_refused_with_the_pid(broker: LocalBroker) -> None:
    with pytest.raises(DirectoryInUse, match=str(broker.pid)):
        LocalBroker(BrokerSettings(broker.log.parent)).start()


def test_the_session_fixture_answers(kafka: Kafka) -> None:
    assert AdminClient({"bootstrap.servers": kafka.bootstrap_servers}).list_topics(timeout=15).brokers
