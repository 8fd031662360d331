"""The Kafka that tests run against: one option, four kinds, the same object.

`--kafka=local` (default)   one Apache Kafka per session as a child process, in a temporary directory
`--kafka=mock`              librdkafka's mock cluster inside the test process: starts at once, but it
                            creates topics on first use only (a create-topics call hangs), finds no offsets by time,
                            describes no groups, compacts nothing, and keeps about 5 MB per partition
`--kafka=containers`        the image apache/kafka by testcontainers, where a Docker engine answers
`--kafka=HOST:PORT`         a Kafka that already runs; tests leave their topics behind
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from confluent_kafka.admin import AdminClient

from pipeline.local.broker import BrokerSettings, LocalBroker

Kind = Literal["local", "mock", "containers", "remote"]
CONTAINER_IMAGE = "apache/kafka:4.1.0"


class KafkaUnavailable(Exception):
    """The Kafka asked for by --kafka cannot be had here; the message says why."""


@dataclass(frozen=True)
class Kafka:
    bootstrap_servers: str
    kind: Kind


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


@contextmanager
def local() -> Iterator[Kafka]:
    with (
        tempfile.TemporaryDirectory(prefix="pairstream-kafka-") as directory,
        LocalBroker(BrokerSettings(Path(directory))) as broker,
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
    _require_docker_engine()
    from testcontainers.kafka import KafkaContainer

    with KafkaContainer(CONTAINER_IMAGE).with_kraft() as container:
        yield Kafka(container.get_bootstrap_server(), "containers")


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
