"""A real Apache Kafka on this machine: one broker in KRaft combined mode as a child process."""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.local.errors import DirectoryInUse, StartFailed
from pipeline.local.jars import fetch, find_java
from pipeline.local.orphan_guard import GRACE_S, OrphanGuard
from pipeline.local.ports import LOOPBACK, free_port, is_free
from pipeline.local.process import ChildProcess
from pipeline.local.readiness import wait_until

POM = Path(__file__).with_name("pom.xml")
START_DEADLINE_S = 120.0
STOP_DEADLINE_S = 10.0
# The broker of a supervisor that was just killed is given this long to be gone.
IN_USE_DEADLINE_S = GRACE_S + 2.0

# One broker is one cluster for ever: the id must be the same each time the directory is used.
_CLUSTER_ID = "cGFpcnN0cmVhbS1sb2NhbA"
_JVM = ("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-Dorg.apache.logging.log4j.level=WARN")
_BRIEF_JVM = ("-XX:TieredStopAtLevel=1",)  # compiled once and quickly: 5 s of CPU until it answers, not 9 s
_FORMAT_JVM = (*_BRIEF_JVM, "-XX:+UseSerialGC")

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={log_dir}
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
# One broker: nothing can be replicated, and few partitions start faster than the default 50.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
min.insync.replicas=1
default.replication.factor=1
# Groups start at once and lose a dead member soon.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# After a kill the broker waits for its own old session (default 9 s) before it may register again.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
# A transaction left open by a killed producer holds up read_committed readers only shortly.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
# The default (128 MB) does not fit the small heap.
log.cleaner.dedupe.buffer.size=16777216
"""


@dataclass(frozen=True)
class BrokerSettings:
    """`directory` keeps data, ports and log between runs; port 0 means the one used before, else a free one.

    A `brief` broker starts with half the CPU and is slower under load: for what ends within minutes.
    `properties` are lines of server.properties that win over ours.
    """

    directory: Path
    port: int = 0
    brief: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ports:
    broker: int
    controller: int


def server_properties(log_dir: Path, ports: Ports) -> str:
    """The text of server.properties."""
    return _PROPERTIES.format(host=LOOPBACK, port=ports.broker, controller_port=ports.controller, log_dir=log_dir)


def choose_ports(wanted: int, remembered: Ports | None) -> Ports:
    """The port asked for, else the one used before if it is free (clients reconnect), else a free one."""
    broker = wanted or (remembered.broker if remembered and is_free(remembered.broker) else free_port())
    if remembered and remembered.controller != broker and is_free(remembered.controller):
        return Ports(broker, remembered.controller)
    controller = free_port()
    while controller == broker:
        controller = free_port()
    return Ports(broker, controller)


class LocalBroker:
    """Kafka in a directory. Raises JavaMissing, FetchFailed, DirectoryInUse or StartFailed from `start`."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._dir = settings.directory.absolute()
        self._wanted_port = settings.port
        self._jvm = (*_JVM, *_BRIEF_JVM) if settings.brief else _JVM
        self._properties = settings.properties
        self._ports: Ports | None = None
        self._process: ChildProcess | None = None
        self._guard: OrphanGuard | None = None
        self._lock: IO[str] | None = None

    @property
    def bootstrap_servers(self) -> str:
        if self._ports is None:
            raise RuntimeError("the broker was not started")
        return f"{LOOPBACK}:{self._ports.broker}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the broker is not running")
        return self._process.pid

    @property
    def log(self) -> Path:
        return self._dir / "broker.log"

    @property
    def died(self) -> bool:
        """Whether it ended though it was not stopped or killed here."""
        process = self._process
        return process is not None and process.ended() is not None

    def start(self) -> None:
        """Start and wait until it answers. Fetches Kafka first if it is not in the cache."""
        java, jars = find_java(os.environ), fetch(POM, "copy-dependencies")
        self._dir.mkdir(parents=True, exist_ok=True)
        self._lock = _lock_directory(self._dir)
        try:
            self._run(java, jars)
            self._wait_until_ready()
        except BaseException:
            # Whatever interrupted the start, KeyboardInterrupt too, must not leave a broker behind.
            self.kill()
            raise

    def stop(self) -> None:
        """SIGTERM, SIGKILL after ten seconds. The data stays. Does nothing if it is not running."""
        if self._process is not None:
            self._process.stop(STOP_DEADLINE_S)
        self._forget_process()

    def kill(self) -> None:
        """SIGKILL: what a crash does. `start` again continues with the same data and port."""
        if self._process is not None:
            self._process.kill()
        self._forget_process()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, java: str, jars: Path) -> None:
        assert self._lock is not None
        # started again by this process, clients know the port: while somebody else has it, the start fails
        wanted, remembered = self._ports.broker if self._ports else self._wanted_port, _read_ports(self._dir)
        self._ports = choose_ports(wanted, remembered)
        if self._ports != remembered:
            _write_ports(self._dir, self._ports)
        properties = self._dir / "server.properties"
        more = "".join(f"{name}={value}\n" for name, value in self._properties.items())
        properties.write_text(server_properties(self._dir / "data", self._ports) + more)
        classpath = str(jars / "*")
        if not (self._dir / "data" / "meta.properties").exists():
            self._format(java, classpath, properties)
        self._guard = OrphanGuard()
        argv = [java, *self._jvm, "-cp", classpath, "kafka.Kafka", str(properties)]
        # The broker inherits the lock, so the directory stays taken until it is gone, even if this process dies first.
        self._process = ChildProcess(argv, log=self.log, guard=self._guard, pass_fds=(self._lock.fileno(),))
        _write_pid(self._lock, self._process.pid)

    def _format(self, java: str, classpath: str, properties: Path) -> None:
        argv = [java, *_FORMAT_JVM, "-cp", classpath, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        argv += ["--cluster-id", _CLUSTER_ID, "--config", str(properties)]
        result = subprocess.run(argv, capture_output=True, text=True, timeout=START_DEADLINE_S)
        if result.returncode != 0:
            raise StartFailed(f"Kafka could not format {self._dir}:\n{result.stdout}{result.stderr}")

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        # log_level 0: refused connections are what we expect while it starts.
        quiet = {"log_level": 0, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200}
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, **quiet})
        failure = wait_until(lambda: _answers(admin), self._process, START_DEADLINE_S)
        if failure:
            raise StartFailed(f"Kafka {failure}; the end of {self.log}:\n{self._process.last_lines()}")

    def _forget_process(self) -> None:
        self._process = None
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _answers(admin: AdminClient) -> bool:
    try:
        return bool(admin.list_topics(timeout=0.5).brokers)
    except KafkaException:
        return False


def _lock_directory(directory: Path) -> IO[str]:
    """Take the directory for this broker; raises DirectoryInUse naming the pid of the one that has it."""
    lock = (directory / "broker.pid").open("a+")
    deadline = time.monotonic() + IN_USE_DEADLINE_S
    while not (taken := _try_lock(lock)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if not taken:
        lock.seek(0)
        pid = lock.read().strip()
        lock.close()
        whose, end = (f"(pid {pid}) still works", f"end it (`kill {pid}`)") if pid else ("is just starting", "end it")
        raise DirectoryInUse(
            f"A local Kafka broker {whose} in {directory}: use that one, {end}, or choose another PAIRSTREAM_STATE_DIR."
        )
    lock.truncate(0)
    return lock


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_pid(lock: IO[str], pid: int) -> None:
    lock.write(str(pid))
    lock.flush()


def _read_ports(directory: Path) -> Ports | None:
    try:
        stored = json.loads((directory / "ports.json").read_text())
        return Ports(int(stored["broker"]), int(stored["controller"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # lost or damaged: new ports are as good, only running clients notice


def _write_ports(directory: Path, ports: Ports) -> None:
    (directory / "ports.json").write_text(json.dumps({"broker": ports.broker, "controller": ports.controller}))
