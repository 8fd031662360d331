"""What a worker's state costs: memory, CPU, a restart until its first record, and the time it takes to stop."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Producer

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.settings import publisher_config
from pipeline.local.broker import BrokerSettings, LocalBroker
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import USERFLOW_CHANGES, WORKER_GROUP, object_key
from tests.benchmarks.load import INTEGRATION, change, publish
from tests.benchmarks.throughput import PARTITIONS, ROAD, start_worker

PAIRS = int(os.environ.get("BENCH_STATE_PAIRS", "100000"))
LOOK_S = 0.1
DEADLINE_S = 900.0
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class StateCost:
    """Memory in MB, times in seconds; CPU in seconds for each 1,000 changes."""

    cpu_per_1000: float
    filled_mb: float
    first_after_s: float
    restarted_mb: float
    stopped_after_s: float


def state_cost() -> StateCost:
    """Fill the state of one worker, stop it, start it again, and hand it one more change of every partition."""
    with (
        tempfile.TemporaryDirectory(prefix="pairstream-bench-") as name,
        LocalBroker(BrokerSettings(Path(name) / "broker")) as broker,
    ):
        cluster, folder = Cluster({"bootstrap.servers": broker.bootstrap_servers}), Path(name)
        admin = Admin(cluster)
        admin.apply_topics(PARTITIONS, 1)
        publish(broker.bootstrap_servers, 2 * PAIRS, PAIRS)
        worker = start_worker(broker.bootstrap_servers, folder, 0)
        try:
            _idle(admin)
            cpu_s, filled_mb = _cpu_s(worker.pid), _rss_mb(worker.pid)
        finally:
            _stop(worker)
        _one_more(cluster)
        before = sum(admin.committed(WORKER_GROUP, ROAD[:2]).values())
        started = time.monotonic()
        worker = start_worker(broker.bootstrap_servers, folder, 0)
        try:
            _until(lambda: sum(admin.committed(WORKER_GROUP, ROAD[:2]).values()) > before)
            first_after_s = time.monotonic() - started
            _idle(admin)
            restarted_mb = _rss_mb(worker.pid)
        finally:
            stopped_after_s = _stop(worker)
        return StateCost(cpu_s / (2 * PAIRS / 1000), filled_mb, first_after_s, restarted_mb, stopped_after_s)


def _one_more(cluster: Cluster) -> None:
    """A change of one user in each of some partitions, which waits for the worker that starts."""
    producer, codec, now = Producer(publisher_config(cluster)), Codec(LocalRegistry()), int(time.time() * 1000)
    for pair in range(8 * PARTITIONS):
        event = change("userflow", pair, 10**6 + pair, now + 10**6)
        key = object_key(INTEGRATION, 1, "userflow", "users", str(pair))
        producer.produce(USERFLOW_CHANGES, key=key.encode(), value=codec.encode(USERFLOW_CHANGES, event))
    if producer.flush(60):
        raise RuntimeError("the changes were not published")


def _idle(admin: Admin) -> None:
    _until(lambda: sum(admin.committed(WORKER_GROUP, ROAD[:2]).values()) > 0 and not admin.unread(WORKER_GROUP, ROAD))


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(f"the worker was not through after {DEADLINE_S:.0f} s")
        time.sleep(LOOK_S)


def _stop(worker: "subprocess.Popen[bytes]") -> float:
    asked = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    worker.wait(60)
    return time.monotonic() - asked


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
