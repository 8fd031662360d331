"""The Kafka that tests run against: one option, four kinds, the same object.

`--kafka=local` (default)   one Apache Kafka for the session and all its workers, in a temporary directory
`--kafka=mock`              librdkafka's mock cluster inside the test process: starts at once, but it
                            creates topics on first use only (a create-topics call hangs), finds no offsets by time,
                            describes no groups, compacts nothing, and keeps about 5 MB per partition
`--kafka=containers`        the image apache/kafka by testcontainers, where a Docker engine answers
`--kafka=HOST:PORT`         a Kafka that already runs; tests leave their topics behind
"""

import os
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from connectors.kafka.cluster import Cluster
from pipeline.local.broker import BrokerSettings, LocalBroker
from pipeline.local.errors import LocalError
from pipeline.local.ports import free_port

Kind = Literal["local", "mock", "containers", "remote"]
CONTAINER_IMAGE = "apache/kafka:4.3.1"
_CONTAINER_DEADLINE_S = 60.0


class KafkaUnavailable(Exception):
    """The Kafka asked for by --kafka cannot be had here; the message says why."""


@dataclass(frozen=True)
class Kafka:
    bootstrap_servers: str
    kind: Kind

    def cluster(self, prefix: str = "") -> Cluster:
        """These brokers for an installation of that prefix."""
        return Cluster({"bootstrap.servers": self.bootstrap_servers}, prefix)


def parse_option(value: str) -> Kind:
    """The kind that the value of --kafka asks for; raises ValueError for anything else."""
    named: dict[str, Kind] = {"local": "local", "mock": "mock", "containers": "containers"}
    if value in named:
        return named[value]
    if re.fullmatch(r"[^:\s]+:\d+(,[^:\s]+:\d+)*", value):
        return "remote"
    raise ValueError(f"--kafka={value}: expected local, mock, containers or HOST:PORT")


@contextmanager
def provide(option: str) -> Iterator[Kafka]:
    """A Kafka of the kind asked for; raises KafkaUnavailable if this machine has none."""
    kind = parse_option(option)
    if kind == "local":
        with local() as kafka:
            yield kafka
    elif kind == "mock":
        with mock() as kafka:
            yield kafka
    elif kind == "containers":
        with containers() as kafka:
            yield kafka
    else:
        yield Kafka(option, kind)


class SharedKafka:
    """One Kafka for all workers of pytest-xdist, started in their controller when the first of them asks for it."""

    def __init__(self, option: str) -> None:
        self._option = option
        self._running = ExitStack()
        self._provided: Kafka | str | None = None
        self._listener = Listener(family="AF_UNIX")
        threading.Thread(target=self._answer, name="shared kafka", daemon=True).start()

    @property
    def address(self) -> str:
        """What `shared` is given."""
        return str(self._listener.address)

    def close(self) -> None:
        self._running.close()
        self._listener.close()

    def _answer(self) -> None:
        while True:
            with self._listener.accept() as worker:
                if self._provided is None:
                    self._provided = self._start()
                worker.send(self._provided)

    def _start(self) -> Kafka | str:
        try:
            return self._running.enter_context(provide(self._option))
        except (KafkaUnavailable, LocalError) as error:
            return str(error)


def shared(address: str) -> Kafka:
    """The Kafka that the controller at that address started; raises KafkaUnavailable with its reason."""
    with Client(address, family="AF_UNIX") as controller:
        found: Kafka | str = controller.recv()
    if isinstance(found, str):
        raise KafkaUnavailable(found)
    return found


def fresh_prefix() -> str:
    """A prefix that no other test has: topics, groups and ids of its own on a broker that many share."""
    return f"test-{uuid.uuid4().hex[:12]}"


@contextmanager
def local() -> Iterator[Kafka]:
    with (
        tempfile.TemporaryDirectory(prefix="pairstream-kafka-") as directory,
        LocalBroker(BrokerSettings(Path(directory), brief=True)) as broker,
    ):
        yield Kafka(broker.bootstrap_servers, "local")


@contextmanager
def mock() -> Iterator[Kafka]:
    """librdkafka's mock cluster lives as long as the client that asked for it."""
    owner = AdminClient({"test.mock.num.brokers": 1, "bootstrap.servers": "unused"})
    broker = next(iter(owner.list_topics(timeout=10).brokers.values()))
    yield Kafka(f"{broker.host}:{broker.port}", "mock")


@contextmanager
def containers() -> Iterator[Kafka]:
    """The image that docker-compose.yml uses. testcontainers' own Kafka class is made for Confluent's images only."""
    _require_docker_engine()
    from testcontainers.core.container import DockerContainer

    # The broker must know the host's port before it starts, so the port is chosen here and not by Docker.
    port = free_port()
    container = DockerContainer(CONTAINER_IMAGE).with_bind_ports(9092, port)
    for name, value in _container_settings(port).items():
        container.with_env(name, value)
    with container:
        bootstrap_servers = f"127.0.0.1:{port}"
        _wait_until_it_answers(bootstrap_servers)
        yield Kafka(bootstrap_servers, "containers")


def _container_settings(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": "HOST://:9092,CONTROLLER://:9093,INSIDE://:9094",
        "KAFKA_ADVERTISED_LISTENERS": f"HOST://127.0.0.1:{port},INSIDE://localhost:9094",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "HOST:PLAINTEXT,CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
        **dict.fromkeys(_ONE_BROKER, "1"),
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
    }


_ONE_BROKER = (
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR",
)


def _wait_until_it_answers(bootstrap_servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    deadline = time.monotonic() + _CONTAINER_DEADLINE_S
    while True:
        try:
            admin.list_topics(timeout=1)
            return
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise KafkaUnavailable(f"{CONTAINER_IMAGE} did not answer: {error}") from error


def _require_docker_engine() -> None:
    import docker  # type: ignore[import-untyped]  # comes with testcontainers, has no types

    try:
        docker.from_env(timeout=5).ping()
    except docker.errors.DockerException as error:
        host = os.environ.get("DOCKER_HOST", "the default socket")
        raise KafkaUnavailable(
            f"--kafka=containers needs a Docker engine, and none answers at {host} ({error}). "
            "Use --kafka=local, or --kafka=HOST:PORT for a Kafka that already runs."
        ) from error
