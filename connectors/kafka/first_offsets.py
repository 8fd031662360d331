"""What retention has left of partitions, asked by a thread that must not stand still."""

import logging
import threading
import time
from collections.abc import Collection
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined] # it does not list what it exports

from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import SILENT
from schemas.topics import TopicAndPartition

log = logging.getLogger(__name__)

ANSWER_WITHIN_S: Final = 1.0


class FirstOffsets:
    """Asks for the first offset that each partition still holds; for one thread alone."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._admin: AdminClient | None = None

    def of(self, places: Collection[TopicAndPartition]) -> dict[TopicAndPartition, int]:
        """The first offsets, as far as the brokers tell them in time.

        Not asked by a consumer: a broker answers the requests of one connection in turn, so each question would wait
        for a fetch that waits for records, half a second. Each partition is asked for by a request of its own: one that
        is away, or whose leader is not known, holds up no other.
        """
        if self._admin is None:
            self._admin = AdminClient({**self._cluster.client, "log_level": SILENT})
        earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        found, until = dict[TopicAndPartition, int](), time.monotonic() + ANSWER_WITHIN_S
        asked: dict[TopicAndPartition, Any] = {}
        for place in places:
            wanted = TopicPartition(*place)
            asked[place] = self._admin.list_offsets({wanted: earliest}, request_timeout=ANSWER_WITHIN_S)[wanted]
        why = ""
        for place, answer in asked.items():
            try:
                found[place] = answer.result(max(until - time.monotonic(), 0)).offset
            except (KafkaException, FutureTimeout) as error:
                why = error.args[0].str() if isinstance(error, KafkaException) else "no answer"
        if why:
            left = len(asked) - len(found)
            log.info("whether records of %d of %d partitions were lost is asked again: %s", left, len(asked), why)
            self._begin_anew()
        return found

    def _begin_anew(self) -> None:
        """A client goes on naming the leaders of before a broker was restarted; its end waits for its threads."""
        admin, self._admin = [self._admin], None
        threading.Thread(target=admin.clear, name="end of a client", daemon=True).start()
