"""What commands that read topics to their ends take, by how many dead letters there are."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from pipeline.local.broker import BrokerSettings, LocalBroker
from tests.benchmarks.refusals import MAPPING, fill, name_of
from tests.benchmarks.throughput import PARTITIONS

LETTERS: Final = tuple(int(one) for one in os.environ.get("BENCH_COMMANDS_LETTERS", "1000,100000").split(","))
INTEGRATIONS_THERE: Final = 50
TIMES: Final = 5
ASKED: Final[Mapping[str, tuple[str, ...]]] = {
    "integration list": ("integration", "list"),
    "full-sync status": ("full-sync", "status"),
    "lag": ("lag",),
    "explain": ("explain", name_of(7), MAPPING, "person7@example.com"),
    "doctor": ("doctor", "--probe-within", "0s"),
    "dead-letters list": ("dead-letters", "list"),
}


@dataclass(frozen=True, slots=True)
class Took:
    """Medians of one command: seconds from its call to its end, and of the processor."""

    letters: int
    command: str
    wall_s: float
    cpu_s: float


def commands(folder: Path) -> Iterator[Took]:
    """Each number of letters on topics of its own; every command in turn, several times."""
    with LocalBroker(BrokerSettings(folder / "broker")) as broker:
        for letters in LETTERS:
            cluster = Cluster({"bootstrap.servers": broker.bootstrap_servers}, f"commands{letters}")
            Admin(cluster).apply_topics(PARTITIONS, 1)
            fill(cluster, INTEGRATIONS_THERE, letters)
            yield from measured(broker.bootstrap_servers, cluster.prefix, folder, letters)


def measured(servers: str, prefix: str, folder: Path, letters: int) -> Iterator[Took]:
    """Every command on one installation."""
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "PAIRSTREAM_PREFIX": prefix,
        "PAIRSTREAM_PARTITIONS": str(PARTITIONS),
        "PAIRSTREAM_STATE_DIR": str(folder / "state"),
    }
    for command, words in ASKED.items():
        runs = [_run(environment, words) for _ in range(TIMES)]
        wall_s, cpu_s = (statistics.median(column) for column in zip(*runs, strict=True))
        yield Took(letters, command, wall_s, cpu_s)


def _run(environment: Mapping[str, str], words: tuple[str, ...]) -> tuple[float, float]:
    argv, began = (sys.executable, "-m", "pipeline.cli", *words), time.monotonic()
    process = subprocess.Popen(argv, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with process:
        told = process.stdout.read() if process.stdout is not None else ""
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    if process.returncode not in _expected(words) or "Traceback" in told:
        raise RuntimeError(f"{' '.join(words)}: exit {process.returncode}: {told}")
    return took, _cpu_s(used)


def _expected(words: tuple[str, ...]) -> tuple[int, ...]:
    """Doctor finds something wrong: no role runs, and letters are open."""
    return (1,) if words[0] == "doctor" else (0,)


def _cpu_s(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


def section(folder: Path) -> str:
    """The section of the page of results."""
    lines = [
        "## Commands that read topics to their ends",
        "",
        f"{INTEGRATIONS_THERE} integrations, {PARTITIONS} partitions, no role running; medians of {TIMES},",
        "from the call to its end. Half of a second is Python's own start.",
        "",
        "| dead letters | command | took | CPU |",
        "|---|---|---|---|",
    ]
    for one in commands(folder):
        cost = f"{one.wall_s:.2f} s | {one.cpu_s:.2f} s"
        lines.append(f"| {one.letters:,} | `pairstream {one.command}` | {cost} |")
    return "\n".join(lines) + "\n"
