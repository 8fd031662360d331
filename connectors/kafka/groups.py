"""A consumer group as a client sees it that never joins: what it has committed, and what a transaction needs of it."""

import time
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connectors.kafka.cluster import Cluster
from connectors.kafka.offsets import TopicAndPartition
from connectors.kafka.settings import SILENT, TIMEOUT_S, reader_config

RETRY_S: Final = 0.1
PASSING: Final = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)


class BrokersUnreachable(RuntimeError):
    """No broker answers: check KAFKA_BOOTSTRAP_SERVERS, or start one with `pairstream up` or `docker compose up`."""


class ConsumerGroup:
    """One group by its name."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = cluster.physical(name)
        self._consumer = Consumer({**reader_config(cluster), "group.id": self._name, "log_level": SILENT})

    @property
    def metadata(self) -> Any:
        """What a transactional producer hands on with the offsets it commits for this group; opaque."""
        return self._consumer.consumer_group_metadata()

    def starts(self, places: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, int]:
        """The offset of the first record that each place still holds. Blocks. Raises BrokersUnreachable."""
        found = {}
        for topic, number in places:
            place = TopicPartition(self._cluster.physical(topic), number)
            try:
                found[topic, number] = self._consumer.get_watermark_offsets(place, TIMEOUT_S, cached=False)[0]
            except KafkaException as error:
                raise BrokersUnreachable(f"{place.topic}[{number}]: {error.args[0].str()}") from error
        return found

    def committed(self, places: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, int]:
        """The group's offset of each place where it has one. Blocks. Raises BrokersUnreachable.

        A broker that just started finds and loads its groups first. AdminClient.list_consumer_group_offsets would do,
        but confluent-kafka 2.16.0 dies (SIGSEGV) on the answer NOT_COORDINATOR, which every broker gives in its first
        second.
        """
        asked = [TopicPartition(self._cluster.physical(topic), number) for topic, number in places]
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                found = self._consumer.committed(asked, timeout=TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                    raise BrokersUnreachable(f"group {self._name}: {error.args[0].str()}") from error
                time.sleep(RETRY_S)
            else:
                known = (place for place in found if place.offset >= 0)
                return {(self._cluster.logical(place.topic), place.partition): place.offset for place in known}
