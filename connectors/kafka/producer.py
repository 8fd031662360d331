"""Publishing records: a coroutine that ends when the brokers have them."""

import asyncio
import threading
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import ANY_PARTITION, publisher_config
from schemas.codec import Codec

FLUSH_S = 10.0


class PublishFailed(RuntimeError):
    """The brokers did not take a record: nothing that led to it may be acknowledged."""


class Publisher:
    """An idempotent producer on an asyncio loop."""

    def __init__(self, cluster: Cluster, codec: Codec) -> None:
        self._cluster = cluster
        self._producer = Producer(publisher_config(cluster))
        self._codec = codec
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="publisher", daemon=True)
        self._poller.start()

    def send(
        self, topic: str, key: str, record: Any, partition: int | None = None
    ) -> "asyncio.Future[tuple[int, int]]":
        """Hand a record over; the future gives its partition and offset, or raises PublishFailed."""
        return self.send_bytes(topic, key, self._codec.encode(topic, record), partition)

    def send_bytes(
        self, topic: str, key: str, value: bytes | None, partition: int | None = None
    ) -> "asyncio.Future[tuple[int, int]]":
        """The same for bytes; a value of None is a tombstone on a compacted topic."""
        future: asyncio.Future[tuple[int, int]] = self._loop.create_future()

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._loop.call_soon_threadsafe(_resolve, future, error, message)

        physical, place = self._cluster.physical(topic), ANY_PARTITION if partition is None else partition
        while True:
            try:
                self._producer.produce(physical, key=key.encode(), value=value, on_delivery=delivered, partition=place)
            except BufferError:
                self._producer.poll(0.05)
                continue
            except KafkaException as error:
                raise PublishFailed(f"{physical}: {error.args[0].str()}") from error
            return future

    async def close(self) -> None:
        """Wait until everything handed over is with the brokers, then stop."""
        left = await asyncio.to_thread(self._producer.flush, FLUSH_S)
        self._stopped.set()
        await asyncio.to_thread(self._poller.join)
        if left:
            raise PublishFailed(f"{left} records were not delivered within {FLUSH_S:.0f} s")

    def _poll(self) -> None:
        while not self._stopped.is_set():
            self._producer.poll(0.1)


def _resolve(future: "asyncio.Future[tuple[int, int]]", error: KafkaError | None, message: Message) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(PublishFailed(f"{message.topic()}: {error.str()}"))
    else:
        future.set_result((message.partition() or 0, message.offset() or 0))
