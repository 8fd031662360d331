"""A consumer group as a client sees it that never joins: what it has committed, and what a transaction needs of it."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import SILENT, TIMEOUT_S, reader_config
from schemas.topics import TopicAndPartition

T = TypeVar("T")

RETRY_S: Final = 0.1
ONE_TRY_S: Final = TIMEOUT_S / 3
SILENCE: Final = frozenset(
    {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._WAIT_COORD}
)
PASSING: Final = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError._UNKNOWN_PARTITION,
    }
)


class BrokersUnreachable(RuntimeError):
    """No broker answers: check KAFKA_BOOTSTRAP_SERVERS, or start one with `pairstream up` or `docker compose up`."""


class ConsumerGroup:
    """One group by its name."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = cluster.physical(name)
        self._consumer = self._opened()

    def _opened(self) -> Consumer:
        # a reader of committed offsets waits for every transaction under way, and for one that a broker's pause left
        # hanging without end; what is pending is returned in neither case
        own = {"group.id": self._name, "isolation.level": "read_uncommitted", "log_level": SILENT}
        return Consumer({**reader_config(self._cluster), **own})

    @property
    def metadata(self) -> Any:
        """What a transactional producer hands on with the offsets it commits for this group; opaque."""
        return self._consumer.consumer_group_metadata()

    def starts(self, places: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, int]:
        """The offset of the first record that each place still holds. Blocks. Raises BrokersUnreachable."""
        wanted = [(place, TopicPartition(self._cluster.physical(place[0]), place[1])) for place in places]
        return {place: self._watermarks(asked)[0] for place, asked in wanted}

    def _watermarks(self, place: TopicPartition) -> tuple[int, int]:
        return self._answered(
            f"{place.topic}[{place.partition}]",
            lambda: self._consumer.get_watermark_offsets(place, ONE_TRY_S, cached=False),
        )

    def committed(self, places: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, int]:
        """The group's offset of each place where it has one. Blocks. Raises BrokersUnreachable.

        A broker that just started finds and loads its groups first. AdminClient.list_consumer_group_offsets would do,
        but confluent-kafka 2.16.0 dies (SIGSEGV) on the answer NOT_COORDINATOR, which every broker gives in its first
        second.
        """
        asked = [TopicPartition(self._cluster.physical(topic), number) for topic, number in places]
        found = self._answered(f"group {self._name}", lambda: self._consumer.committed(asked, timeout=ONE_TRY_S))
        known = (place for place in found if place.offset >= 0)
        return {(self._cluster.logical(place.topic), place.partition): place.offset for place in known}

    def _answered(self, what: str, ask: Callable[[], T]) -> T:
        """Ask again where the broker that was asked is only on its way to its new task.

        And by a new client where none answers: the old one may have forgotten every broker (`lifeline.py`).
        """
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return ask()
            except KafkaException as error:
                code = error.args[0].code()
                if code in SILENCE:
                    self._consumer = self._opened()
                if code not in PASSING | SILENCE or time.monotonic() > deadline:
                    raise BrokersUnreachable(f"{what}: {error.args[0].str()}") from error
                time.sleep(RETRY_S)
