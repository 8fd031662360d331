"""Waits for a client's call as long as the brokers are silent, and no longer than they are silent to it alone.

Brokers that stand still answer nobody: the call waits, and goes on with them. A client that has forgotten every broker
(`lifeline.py` tells why) gets no answer though brokers answer others: it is of no use, and a new one is.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Protocol, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from connectors.kafka.cluster import Cluster
from connectors.kafka.lifeline import Stranded
from connectors.kafka.settings import SILENT

T = TypeVar("T")

LOOK_S: Final = 2.0
"""What a call may take before its client is asked for its brokers, and what each answer may take."""
GRACE_S: Final = 1.0
"""What a call may take once the brokers answer others: an answer may be on its way."""


class Client(Protocol):
    """Any of librdkafka's clients."""

    def list_topics(self, topic: str = ..., timeout: float = ...) -> Any: ...


def is_stranded(client: Client, cluster: Cluster, topic: str | None) -> bool:
    """Whether a client is told of no broker, and a new one is; of one topic, which costs less, or of all. Blocks."""
    return not _told_of_a_broker(client, topic) and _told_of_a_broker(_new_client(cluster), topic)


def others_are_told_of(cluster: Cluster, topic: str) -> bool:
    """Whether brokers tell a new client of a topic that is there. Blocks.

    Of all topics: to ask for one makes it, where brokers make what they are asked for.
    """
    try:
        told = _new_client(cluster).list_topics(timeout=LOOK_S)
    except KafkaException:
        return False
    return bool(told.brokers) and topic in told.topics and told.topics[topic].error is None


def _told_of_a_broker(client: Client, topic: str | None) -> bool:
    """A lone broker that is fenced names none."""
    try:
        told = client.list_topics(timeout=LOOK_S) if topic is None else client.list_topics(topic, LOOK_S)
    except KafkaException:
        return False
    return bool(told.brokers)


def _new_client(cluster: Cluster) -> Client:
    return AdminClient({**cluster.client, "log_level": SILENT})


def answered(answer: "Future[T]", stranded: Callable[[], bool]) -> T:
    """What a call returns or raises. Raises Stranded where its client will get no answer any more. Blocks."""
    while not _ended(answer, LOOK_S):
        if stranded() and not _ended(answer, GRACE_S):
            raise Stranded("this Kafka client gets no answer, and a new one does (confluentinc/librdkafka#5301)")
    return answer.result()


def _ended(answer: "Future[Any]", within_s: float) -> bool:
    try:
        answer.exception(within_s)
    except TimeoutError:
        return False
    return True
