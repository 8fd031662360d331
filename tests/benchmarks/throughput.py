"""Changes a second through OBJECTS and PAIRS, with one worker and with two, and a bare loop as the limit."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import publisher_config, reader_config
from pipeline.local.broker import BrokerSettings, LocalBroker
from schemas.codec import Codec
from schemas.records import FieldPatch
from schemas.registry import LocalRegistry
from schemas.topics import (
    HUBSPOT_CHANGES,
    HUBSPOT_FIELD_PATCHES,
    MATCHES,
    STATE_COMMANDS,
    USERFLOW_CHANGES,
    WORKER_GROUP,
)
from tests.benchmarks.load import publish

CHANGES = int(os.environ.get("BENCH_CHANGES", "100000"))
PAIRS = int(os.environ.get("BENCH_PAIRS", "20000"))
PARTITIONS = 4
ROAD = (HUBSPOT_CHANGES, USERFLOW_CHANGES, MATCHES, STATE_COMMANDS)
LOOK_S = 0.5
DEADLINE_S = 300.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """Changes a second from the first committed offset to the last, and seconds from start to that first one."""

    changes_per_s: float
    first_after_s: float


@contextmanager
def loaded_broker() -> Iterator[str]:
    """A fresh broker that holds the load; gives its address."""
    with (
        tempfile.TemporaryDirectory(prefix="pairstream-bench-") as folder,
        LocalBroker(BrokerSettings(Path(folder))) as broker,
    ):
        Admin(Cluster({"bootstrap.servers": broker.bootstrap_servers})).apply_topics(PARTITIONS, 1)
        publish(broker.bootstrap_servers, CHANGES, PAIRS)
        yield broker.bootstrap_servers


def workers(number: int) -> Throughput:
    """Start that many worker processes on the load and wait until nothing is left before their group."""
    with loaded_broker() as servers, tempfile.TemporaryDirectory(prefix="pairstream-bench-") as folder:
        started = time.monotonic()
        processes = [start_worker(servers, Path(folder), ordinal) for ordinal in range(number)]
        try:
            return _watched(Admin(Cluster({"bootstrap.servers": servers})), started)
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


def start_worker(servers: str, folder: Path, ordinal: int, **more: str) -> "subprocess.Popen[bytes]":
    """A worker process on those brokers, with more settings where they are given; its log is in the folder."""
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "PAIRSTREAM_STATE_DIR": str(folder),
        "PAIRSTREAM_ORDINAL": str(ordinal),
        **more,
    }
    log = (folder / f"worker-{ordinal}.log").open("wb")
    return subprocess.Popen([sys.executable, "-m", "pipeline.cli", "run", "worker"], env=environment, stderr=log)


def _watched(admin: Admin, started: float) -> Throughput:
    """The rate between the first offset that was committed and the moment when nothing was left."""
    first: tuple[float, int] | None = None
    while time.monotonic() - started < DEADLINE_S:
        time.sleep(LOOK_S)
        done = sum(admin.committed(WORKER_GROUP, ROAD[:2]).values())
        if first is None and done > 0:
            first = (time.monotonic(), done)
        if first is not None and done >= CHANGES and not admin.unread(WORKER_GROUP, ROAD):
            return Throughput((CHANGES - first[1]) / (time.monotonic() - first[0]), first[0] - started)
    raise RuntimeError(f"the load was not through after {DEADLINE_S:.0f} s")


def bare_loop() -> float:
    """The limit: read, decode, keep in a dict, encode a patch, publish; no join, no transaction, no group."""
    with loaded_broker() as servers:
        codec, cluster = Codec(LocalRegistry()), Cluster({"bootstrap.servers": servers})
        consumer, producer = Consumer(reader_config(cluster)), Producer(publisher_config(cluster))
        topics = (HUBSPOT_CHANGES, USERFLOW_CHANGES)
        consumer.assign([TopicPartition(topic, number, 0) for topic in topics for number in range(PARTITIONS)])
        known: dict[str, object] = {}
        seen, started = 0, 0.0
        while seen < CHANGES:
            for message in consumer.consume(500, 1.0):
                if message.error() is not None:
                    continue
                started = started or time.monotonic()
                event = codec.decode(message.topic() or "", message.value() or b"")
                known[event.object_id] = event.fields
                patch = FieldPatch(
                    "bench", 1, 1, "people", event.object_id, "hubspot", "contacts", event.object_id,
                    {name: value.value for name, value in event.fields.items()},
                )  # fmt: skip
                _produce(producer, codec.encode(HUBSPOT_FIELD_PATCHES, patch))
                seen += 1
        producer.flush(60)
        elapsed = time.monotonic() - started
        consumer.close()
        return CHANGES / elapsed


def _produce(producer: Producer, value: bytes) -> None:
    while True:
        try:
            producer.produce(HUBSPOT_FIELD_PATCHES, key=b"bench", value=value)
            return
        except BufferError:
            producer.poll(0.1)
