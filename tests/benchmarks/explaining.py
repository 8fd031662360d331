"""How long `pairstream explain` takes, by how many objects there are: one changed last, one first, one never seen."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from pipeline.local.broker import BrokerSettings, LocalBroker
from schemas.records import Cause, StampedValue
from schemas.state import Candidate, ObjectState, PairState, Written
from schemas.topics import OBJECTS_STATE, PAIRS_STATE, changes_topic, object_key, pair_key
from schemas.values import SYSTEMS
from tests.benchmarks.filling import Filling
from tests.benchmarks.load import FIELDS_A_SIDE, INTEGRATION, change, configuration
from tests.benchmarks.throughput import PARTITIONS

OBJECTS = tuple(int(one) for one in os.environ.get("BENCH_EXPLAIN_OBJECTS", "50000,100000,200000").split(","))
TIMES = 5
MAPPING = "people"


@dataclass(frozen=True, slots=True)
class Explained:
    """Medians in seconds, the command's own start among them."""

    objects: int
    newest_s: float
    oldest_s: float
    never_s: float
    start_s: float  # of a command that reads nothing
    oldest_cpu_s: float  # of the processor, which says more than the clock beside other work
    start_cpu_s: float


def explaining(folder: Path) -> Iterator[Explained]:
    """Each size on topics of its own: rows and changes as the agents write them, then the command, several times."""
    with LocalBroker(BrokerSettings(folder / "broker")) as broker:
        for objects in OBJECTS:
            cluster = Cluster({"bootstrap.servers": broker.bootstrap_servers}, f"explain{objects}")
            Admin(cluster).apply_topics(PARTITIONS, 1)
            _fill(cluster, objects // 2)
            yield _measured(broker.bootstrap_servers, cluster.prefix, folder, objects)


def _measured(servers: str, prefix: str, folder: Path, objects: int) -> Explained:
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "PAIRSTREAM_PREFIX": prefix,
        "PAIRSTREAM_PARTITIONS": str(PARTITIONS),
        "PAIRSTREAM_STATE_DIR": str(folder / "state"),
    }

    def median(*words: str) -> tuple[float, float]:
        runs = [_took(environment, words) for _ in range(TIMES)]
        wall_s, cpu_s = (statistics.median(column) for column in zip(*runs, strict=True))
        return wall_s, cpu_s

    ids = {"newest": str(objects // 2 - 1), "oldest": "0", "never": "nobody"}
    took = {name: median("explain", "hubspot", "contacts", one) for name, one in ids.items()}
    (newest, _), (oldest, cpu), (never, _), (start, start_cpu) = *took.values(), median("explain", "--help")
    return Explained(objects, newest, oldest, never, start, cpu, start_cpu)


def _took(environment: dict[str, str], words: tuple[str, ...]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    argv, began = (sys.executable, "-m", "pipeline.cli", *words), time.monotonic()
    with subprocess.Popen(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        told = process.stdout.read() if process.stdout is not None else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    if process.returncode or (words[-1] == "0" and "paired by email" not in told):
        raise RuntimeError(f"not explained: {told}")
    return took, used.ru_utime + used.ru_stime


def _fill(cluster: Cluster, pairs: int) -> None:
    now = int(time.time() * 1000)
    with Filling(cluster) as filling:
        configuration(filling)
        for pair in range(pairs):
            email, sides = f"person{pair}@example.com", dict[str, Candidate]()
            for number, system in enumerate(SYSTEMS):
                event = change(system, pair, 2 * pair + number, now + pair)
                key = object_key(INTEGRATION, 1, system, event.object_type, str(pair))
                filling.put(changes_topic(system), key, event)
                filling.put(OBJECTS_STATE, key, ObjectState(1, True, event.at_ms, 0, event.fields, {MAPPING: email}))
                sides[system] = _candidate(event.fields, event.at_ms, event.caused_by)
            row = PairState(1, {str(pair): sides["hubspot"]}, {str(pair): sides["userflow"]})
            filling.put(PAIRS_STATE, pair_key(INTEGRATION, 1, MAPPING, email), row)


def _candidate(fields: Any, at_ms: int, cause: Cause | None) -> Candidate:
    """Its target fields as one write of ours left them."""
    left = StampedValue("value", at_ms, 0, ours=True)
    ours = {name: left if "_" in name else known for name, known in fields.items()}
    written = tuple(name for name in ours if "_" in name)
    assert len(written) == FIELDS_A_SIDE
    return Candidate(at_ms, 0, ours, (Written(written, at_ms, 0, None, cause),))
