"""The Faust app of a worker: it gives the agents their records and partitions, nothing else."""

import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faust
from faust.exceptions import ConsumerNotStarted
from faust.tables import TableManager

from connectors.kafka.cluster import Cluster
from pipeline.agents.consumer import BatchTransport
from pipeline.agents.loop import AgentLoop
from schemas.topics import WORKER_GROUP

SESSION_S: Final = 10.0
HEARTBEAT_S: Final = 0.5  # by which a worker learns that another one joins, which waits for it until then
COMMIT_INTERVAL_S: Final = 0.1  # what leads to nothing is free for bulk only then
STOP_WITHIN_S: Final = 4.0  # after a signal
BUFFERED_BATCHES: Final = 16
POLLED_RECORDS: Final = 5_000
FETCH_BYTES: Final = 4 * 1024 * 1024


class NoTables(TableManager):
    """Faust waits a second for tables to be declared before it subscribes; there are none."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: the topics it takes, and its loop."""

    name: str
    topics: Sequence[str]
    loop: AgentLoop[Any]


def credentials(client: Mapping[str, str]) -> Any:
    """What librdkafka's properties `security.*`, `sasl.*` and `ssl.*` are to Faust; None for plain text."""
    protocol = client.get("security.protocol", "PLAINTEXT")
    context = _ssl_context(client) if protocol.endswith("SSL") else None
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=client["sasl.username"],
            password=client["sasl.password"],
            mechanism=client["sasl.mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def _ssl_context(client: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=client.get("ssl.ca.location"))
    if "ssl.certificate.location" in client:
        context.load_cert_chain(
            client["ssl.certificate.location"], client.get("ssl.key.location"), client.get("ssl.key.password")
        )
    return context


def build_app(cluster: Cluster, ordinal: int, datadir: Path, agents: Sequence[Agent]) -> Any:
    """The Faust app, untyped by Faust; every default that is meant for development is set (faust.md, row 13)."""
    datadir.mkdir(parents=True, exist_ok=True)
    client = cluster.client
    app = faust.App(
        cluster.physical(WORKER_GROUP),
        broker=[f"kafka://{broker}" for broker in client["bootstrap.servers"].split(",")],
        broker_credentials=credentials(client),
        datadir=str(datadir),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"worker-{ordinal}",
        stream_wait_empty=True,
        stream_buffer_maxsize=BUFFERED_BATCHES,
        consumer_max_fetch_size=FETCH_BYTES,
        broker_max_poll_records=POLLED_RECORDS,
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_request_timeout=60.0,
        key_serializer="raw",
        value_serializer="raw",
        TableManager=NoTables,
    )
    app.transport = BatchTransport(app.conf.broker, app)
    for agent in agents:
        _add(app, agent, cluster)
    _release_on_revocation(app, agents, cluster)
    return app


class PromptWorker(faust.Worker):
    """Ends in time after a signal, whatever is under way: what was not acknowledged is handled again.

    Faust waits for every record that was taken, behind a restore of any size, and Python for every thread.
    """

    leave: Callable[[], None]

    def _on_sigint(self) -> None:
        self._leave_in_time()
        super()._on_sigint()

    def _on_sigterm(self) -> None:
        self._leave_in_time()
        super()._on_sigterm()

    def _leave_in_time(self) -> None:
        timer = threading.Timer(STOP_WITHIN_S, self.leave)
        timer.daemon = True
        timer.start()


def build_worker(app: Any, leave: Callable[[], None]) -> Any:
    """What runs the app on this thread until a signal; logging stays as `observability.logging` set it up.

    `leave` ends the process at once, and is called STOP_WITHIN_S after the signal unless the process has ended by then.

    Faust would put its own handlers in place of ours, which mask secrets, set their level, and move the cursor of a
    terminal that may be a file.
    """
    worker = PromptWorker(app, quiet=True, redirect_stdouts=False, override_logging=False)
    worker.leave = leave
    worker.spinner = None
    return worker


def assigned(app: Any, cluster: Cluster) -> set[tuple[str, int]]:
    """The topics and partitions that this worker is to handle; may be asked on any thread."""
    try:
        return {(cluster.logical(place.topic), place.partition) for place in app.consumer.assignment()}
    except ConsumerNotStarted:
        return set()


def _add(app: Any, agent: Agent, cluster: Cluster) -> None:
    topic = app.topic(
        *map(cluster.physical, agent.topics), key_serializer="raw", value_serializer="raw", internal=False
    )

    async def consume(stream: Any) -> None:
        await agent.loop.consume(stream)

    app.agent(topic, name=agent.name, concurrency=1)(consume)


def _release_on_revocation(app: Any, agents: Sequence[Agent], cluster: Cluster) -> None:
    by_topic: Mapping[str, list[AgentLoop[Any]]] = {
        topic: [agent.loop for agent in agents if topic in agent.topics]
        for topic in {name for agent in agents for name in agent.topics}
    }

    async def release(_: Any, revoked: Any, **__: Any) -> None:
        for place in revoked:
            for loop in by_topic.get(cluster.logical(place.topic), ()):
                await loop.release([place.partition])

    app.on_partitions_revoked.connect(release, weak=False)
