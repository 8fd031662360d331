"""Puts what a benchmark finds on the brokers there, as fast as they take it."""

from types import TracebackType
from typing import Any, Final

from confluent_kafka import Producer

from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import publisher_config
from schemas.codec import Codec
from schemas.registry import LocalRegistry

FLUSH_S: Final = 300.0


class Filling:
    """Takes topics by their names in code; raises RuntimeError at its end where the brokers have not taken all."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.codec = Codec(LocalRegistry())
        self._producer = Producer(publisher_config(cluster))

    def __enter__(self) -> "Filling":
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        left = self._producer.flush(FLUSH_S)
        if left and kind is None:
            raise RuntimeError(f"{left} records were not published")

    def put(self, topic: str, key: str, record: Any) -> None:
        """One record, by its key's partition."""
        name, value = self._cluster.physical(topic), self.codec.encode(topic, record)
        while True:
            try:
                self._producer.produce(name, key=key.encode(), value=value)
                return
            except BufferError:
                self._producer.poll(0.05)
