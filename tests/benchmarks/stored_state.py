"""What comes of state that is there: a start, memory of two workers, a second one's arrival under live changes.

The rows are put into the state topics as agents write them, since half a million pairs take minutes to come about.
"""

import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import publisher_config, reader_config
from pipeline.local.broker import BrokerSettings, LocalBroker
from schemas.codec import Codec
from schemas.records import StampedValue
from schemas.registry import LocalRegistry
from schemas.state import Candidate, ObjectState, PairState
from schemas.topics import (
    HUBSPOT_FIELD_PATCHES,
    OBJECTS_STATE,
    PAIRS_STATE,
    USERFLOW_CHANGES,
    WORKER_GROUP,
    TopicAndPartition,
    object_key,
    pair_key,
)
from schemas.values import SYSTEMS
from tests.benchmarks.filling import Filling
from tests.benchmarks.load import INTEGRATION, change, configuration
from tests.benchmarks.processes import load, rss_mb
from tests.benchmarks.throughput import PARTITIONS, ROAD, start_worker

LIVE_PER_S: Final = 20.0
BEFORE_S: Final = 6.0
AFTER_S: Final = 25.0
TOUCHED: Final = 20_000  # changes before memory is looked at
LOOK_S: Final = 0.05
DEADLINE_S: Final = 240.0


@dataclass(frozen=True, slots=True)
class Started:
    """Seconds from the start to the first commit and until every partition was restored; memory of each worker."""

    first_after_s: float
    all_after_s: float
    rss_mb: Sequence[float]
    load: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """How long live changes waited when a second worker joined, against before."""

    longest_before_s: float
    longest_s: float
    lost: int
    load: float


def started(pairs: int, workers: int, store: str) -> Started:
    """Workers that start on the state of so many pairs, with a change of each of some waiting."""
    with _stored(pairs) as (cluster, folder), _running(cluster, folder, workers, store) as it:
        return it


def arrival(pairs: int) -> Arrival:
    """A second worker joins one that has the state of so many pairs, while live changes come."""
    with _stored(pairs) as (cluster, folder):
        admin, flow = Admin(cluster), LiveFlow(cluster, pairs)
        flow.send_some()
        processes = [start_worker(_servers(cluster), folder, 0)]
        try:
            _until(lambda: not admin.unread(WORKER_GROUP, ROAD) and _done(admin) > 0)
            with flow:
                time.sleep(BEFORE_S)
                joined = time.monotonic()
                processes.append(start_worker(_servers(cluster), folder, 1))
                time.sleep(AFTER_S)
            waits = flow.waits()
        finally:
            _stop(processes)
    before = [took for sent, took in waits if took is not None and sent + took < joined]
    after = [took for sent, took in waits if took is not None and sent + took >= joined]
    return Arrival(max(before), max(after), sum(took is None for _, took in waits), load())


@contextmanager
def _running(cluster: Cluster, folder: Path, workers: int, store: str) -> Iterator[Started]:
    admin, flow = Admin(cluster), LiveFlow(cluster, 8 * PARTITIONS)
    flow.send_some(8 * PARTITIONS)
    since = time.monotonic()
    processes = [start_worker(_servers(cluster), folder, n, PAIRSTREAM_STATE=store) for n in range(workers)]
    try:
        _until(lambda: _done(admin) > 0)
        first = time.monotonic() - since
        _until(lambda: not admin.unread(WORKER_GROUP, ROAD))
        every = time.monotonic() - since
        flow.send_some(TOUCHED)
        _until(lambda: not admin.unread(WORKER_GROUP, ROAD))
        yield Started(first, every, [rss_mb(one.pid) for one in processes], load())
    finally:
        _stop(processes)


class LiveFlow:
    """Changes of users at a steady pace, and when the patches that they lead to came out."""

    def __init__(self, cluster: Cluster, pairs: int) -> None:
        self._cluster = cluster
        self._pairs = pairs
        self._codec = Codec(LocalRegistry())
        self._producer = Producer(publisher_config(cluster))
        self._random = random.Random(1)
        self._number = 10**7
        self._sent: dict[str, float] = {}  # the value sent -> when
        self._seen: dict[str, float] = {}
        self._begins: Mapping[TopicAndPartition, int] = {}
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def send_some(self, number: int = 1) -> None:
        for _ in range(number):
            self._send()
        if self._producer.flush(60):
            raise RuntimeError("the changes were not published")

    def __enter__(self) -> "LiveFlow":
        # taken before the first change: a reader that looks for the end by itself may find it behind the first patches
        self._begins = Admin(self._cluster).end_offsets([HUBSPOT_FIELD_PATCHES])
        self._threads = [threading.Thread(target=one) for one in (self._watch, self._go_on)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def waits(self) -> list[tuple[float, float | None]]:
        """When each was sent, and how long it took; None: nothing came of it."""
        return [(at, self._seen[one] - at if one in self._seen else None) for one, at in self._sent.items()]

    def _send(self) -> str:
        self._number += 1
        pair = self._random.randrange(self._pairs)
        now_ms = int(time.time() * 1000)
        event = change("userflow", pair, self._number, now_ms)
        key = object_key(INTEGRATION, 1, "userflow", "users", str(pair))
        self._producer.produce(USERFLOW_CHANGES, key=key.encode(), value=self._codec.encode(USERFLOW_CHANGES, event))
        self._producer.poll(0)
        return f"value {self._number}"

    def _go_on(self) -> None:
        while not self._ended.wait(1 / LIVE_PER_S):
            at = time.monotonic()
            self._sent[self._send()] = at
        self._producer.flush(60)

    def _watch(self) -> None:
        consumer = Consumer(reader_config(self._cluster))
        consumer.assign([TopicPartition(topic, number, at) for (topic, number), at in self._begins.items()])
        until = float("inf")
        while time.monotonic() < until:
            for message in consumer.consume(100, LOOK_S):
                if message.error() is None:
                    patch = self._codec.decode(HUBSPOT_FIELD_PATCHES, message.value() or b"")
                    for value in patch.fields.values():
                        self._seen.setdefault(str(value), time.monotonic())
            if self._ended.is_set() and until == float("inf"):
                until = time.monotonic() + 5.0  # what was sent last comes out too
        consumer.close()


@contextmanager
def _stored(pairs: int) -> Iterator[tuple[Cluster, Path]]:
    """A broker whose state topics hold so many pairs."""
    with (
        tempfile.TemporaryDirectory(prefix="pairstream-bench-") as name,
        LocalBroker(BrokerSettings(Path(name) / "broker")) as broker,
    ):
        cluster = Cluster({"bootstrap.servers": broker.bootstrap_servers})
        Admin(cluster).apply_topics(PARTITIONS, 1)
        with Filling(cluster) as filling:
            configuration(filling)
            for topic, key, row in _rows(pairs):
                filling.put(topic, key, row)
        yield cluster, Path(name)


def _rows(pairs: int) -> Iterator[tuple[str, str, Any]]:
    """Three rows a pair: its two objects, and itself with the fields of both."""
    at_ms = int(time.time() * 1000) - 10**6
    for pair in range(pairs):
        email, sides = f"person{pair}@example.com", {}
        for number, system in enumerate(SYSTEMS):
            event = change(system, pair, 2 * pair + number, at_ms)
            fields = {name: StampedValue(value.value, at_ms) for name, value in event.fields.items()}
            row = ObjectState(1, True, at_ms, 0, fields, {"people": email})
            yield OBJECTS_STATE, object_key(INTEGRATION, 1, system, event.object_type, event.object_id), row
            sides[system] = {event.object_id: Candidate(at_ms, 0, fields)}
        yield PAIRS_STATE, pair_key(INTEGRATION, 1, "people", email), PairState(1, sides["hubspot"], sides["userflow"])


def _done(admin: Admin) -> int:
    return sum(admin.committed(WORKER_GROUP, ROAD[:2]).values())


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(f"the workers were not through after {DEADLINE_S:.0f} s")
        time.sleep(LOOK_S)


def _servers(cluster: Cluster) -> str:
    return str(cluster.client["bootstrap.servers"])


def _stop(processes: "Sequence[subprocess.Popen[bytes]]") -> None:
    for one in processes:
        one.terminate()
    for one in processes:
        one.wait(60)
