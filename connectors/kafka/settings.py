"""The settings of every Kafka client here, on top of its connection properties."""

import logging
from typing import Any, Final

from connectors.kafka.cluster import Cluster

LibrdkafkaConfig = dict[str, Any]  # strings, numbers, booleans, and the logger

# Faust (aiokafka) places keys by murmur2; librdkafka's own default does not.
PARTITIONER: Final = "murmur2_random"
SESSION_TIMEOUT_MS: Final = 10_000
HEARTBEAT_INTERVAL_MS: Final = 3_000
TRANSACTION_TIMEOUT_MS: Final = 30_000
METADATA_REFRESH_MS: Final = 2_000
"""Of members: one that joins while a lone broker is on its way back is told of no topic, and joins for none until the
next look."""
LOG_LEVEL: Final = 3  # errors: librdkafka mends the rest by itself
SILENT: Final = 2  # for clients that nobody polls: lines wait for a poll, and their calls raise what is wrong
LOGGER: Final = logging.getLogger("librdkafka")
"""Takes librdkafka's own lines, so that they have our form, masks and limits; without it they go to standard error."""
TIMEOUT_S: Final = 15.0
QUEUE_KBYTES: Final = 32_768  # librdkafka would hold a gigabyte while the brokers are away
BATCH_BYTES: Final = 1_000_000
LINGER_MS: Final = 0.5  # what is handed over together leaves together: to hand a hundred records over takes as long
ANY_PARTITION: Final = -1  # the partitioner chooses by key
RECONNECT_MS: Final = 1_000
"""The longest time between two tries to connect: after librdkafka's ten seconds brokers may be back for long."""


def _client(cluster: Cluster) -> LibrdkafkaConfig:
    return {
        **cluster.client,
        "log_level": LOG_LEVEL,
        "logger": LOGGER,
        "reconnect.backoff.max.ms": RECONNECT_MS,
    }


def publisher_config(cluster: Cluster) -> LibrdkafkaConfig:
    """An idempotent producer that sends almost at once when idle and batches by itself under load."""
    return {
        **_client(cluster),
        "partitioner": PARTITIONER,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": LINGER_MS,
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": QUEUE_KBYTES,
        # the brokers' limit is for a whole batch: many small messages must not make one that they refuse
        "message.max.bytes": cluster.max_message_bytes,
        "batch.size": min(BATCH_BYTES, cluster.max_message_bytes),
    }


def transactional_config(cluster: Cluster, transactional_id: str) -> LibrdkafkaConfig:
    """A transactional producer; its id fences whoever held the same id before."""
    return {
        **publisher_config(cluster),
        "transactional.id": cluster.physical(transactional_id),
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        "linger.ms": 0,  # a commit sends all that is there, and nothing leaves before its partitions are told of
        "delivery.report.only.error": True,  # the commit tells of the others, and a call for each costs as much as it
    }


IDLE_FETCH_MS: Final = 500
"""How long a fetch waits at the broker while nothing comes; what comes is answered at once."""
END_FETCH_MS: Final = 10
"""The same for who reads to an end: the wait is over where nothing comes, and it is there that a reader learns so."""
READER_KBYTES: Final = 16_384
"""What is fetched and not taken yet: a console that begins would hold 64 MB of letters beside what it makes of them."""


def reader_config(cluster: Cluster) -> LibrdkafkaConfig:
    """A consumer outside any group that reads assigned partitions to their end."""
    return {
        **_client(cluster),
        "group.id": cluster.physical("pairstream-readers"),  # librdkafka wants one; nothing is ever committed to it
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": END_FETCH_MS,
        "queued.max.messages.kbytes": READER_KBYTES,
        "fetch.queue.backoff.ms": END_FETCH_MS,  # a second of librdkafka's own would find the queue empty
    }


def follower_config(cluster: Cluster) -> LibrdkafkaConfig:
    """A reader that goes on for as long as its process lives: its fetches wait at the broker, and cost little there."""
    return {**reader_config(cluster), "fetch.wait.max.ms": IDLE_FETCH_MS}


def member_config(cluster: Cluster, group: str, instance: str) -> LibrdkafkaConfig:
    """A static member of a connector's group; `range` gives one member the same partition of every topic."""
    return {
        **_client(cluster),
        "group.id": cluster.physical(group),
        "group.instance.id": instance,
        "group.protocol": "classic",
        "partition.assignment.strategy": "range",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "session.timeout.ms": SESSION_TIMEOUT_MS,
        "heartbeat.interval.ms": HEARTBEAT_INTERVAL_MS,
        # a commit that a broker took and never answered holds up the next assignment: a minute by librdkafka's default
        "socket.timeout.ms": SESSION_TIMEOUT_MS,
        "fetch.wait.max.ms": IDLE_FETCH_MS,
        "queued.max.messages.kbytes": 32_768,
        "topic.metadata.refresh.interval.ms": METADATA_REFRESH_MS,
    }
