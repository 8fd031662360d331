"""What every process is made of: settings, brokers, codec, the seal for secrets, metrics; and how one stops itself."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from connectors.contract.errors import Misconfigured
from connectors.http.addresses import is_loopback
from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher, PublishFailed, publish_now
from connectors.kafka.reaching import check_reached
from connectors.kafka.table import TableReader
from connectors.kafka.topic_watch import TopicWatch
from pipeline.config import Settings, SettingsInvalid
from pipeline.exit_codes import STOPPED_BY_ITSELF
from pipeline.local import endpoints
from pipeline.observability.health import Check, build_health, serve_health
from pipeline.observability.metrics import Metrics
from pipeline.observability.tracing import NoTracing, open_tracing
from pipeline.operations import installation
from pipeline.operations.actor import machine
from pipeline.operations.audit import Audit
from pipeline.operations.lost_records import LostRecords
from pipeline.operations.moved_topics import refuse_beside
from pipeline.secrets import NoKeyFits, PublicBox, SecretBox, load_key, load_or_make_key, make_key
from schemas.codec import CODEC, Codec
from schemas.configuration import INSTALLATION, SchemaIds
from schemas.records import DeadLetter
from schemas.registry import LocalRegistry, RemoteRegistry, SchemaRegistry
from schemas.topics import INTEGRATIONS, MAPPINGS, TOPICS
from schemas.traces import Handled

log = logging.getLogger(__name__)

COMMAND_LOOK_S = 0.02
"""Of tables that are let go a moment later: whoever waits for a command waits for its tables to stop."""


@dataclass(frozen=True, slots=True)
class Process:
    """The parts of every process: settings, brokers, codec, the seal for secrets, metrics."""

    settings: Settings
    cluster: Cluster
    codec: Codec
    box: SecretBox
    metrics: Metrics
    keyless: bool = False  # the box holds a key that nobody else has: it opens nothing

    @classmethod
    def open(cls, settings: Settings, *, makes_key: bool = True) -> "Process":
        """Raises SettingsInvalid where there are no brokers.

        Without `makes_key` nothing is written: what has no key yet is looked at with one that opens nothing.
        """
        running = endpoints.read(settings.state_dir)
        client = settings.kafka_client_config(running.kafka_bootstrap_servers if running else None)
        cluster = Cluster(client, settings.prefix, traces=settings.traces != "off")
        keys = settings.secret_keys or _kept_key(settings.state_dir, makes_key and settings.public_key is None)
        metrics = Metrics(CollectorRegistry(), settings.prefix)
        metrics.codec(CODEC)
        metrics.running(metadata.version("pairstream"))
        return cls(
            settings, cluster, Codec(_registry(settings, cluster)), SecretBox(keys or [make_key()]), metrics, not keys
        )

    def seal(self, text: str, place: str) -> bytes:
        """A secret of a command, sealed so that the installation's roles open it. Raises SettingsInvalid."""
        public = self.settings.public_key
        if public is None and self.keyless:
            raise SettingsInvalid(
                "PAIRSTREAM_SECRET_KEY: not set, and there is no key here: no role would open what is sealed. Fix: "
                "set it as the roles have it, or PAIRSTREAM_PUBLIC_KEY to what `pairstream secrets public-key` prints"
            )
        if public is not None and self.settings.secret_keys and public not in self.box.public_keys:
            raise SettingsInvalid(
                "PAIRSTREAM_PUBLIC_KEY is of none of the keys in PAIRSTREAM_SECRET_KEY. Fix: unset it, or set what "
                "`pairstream secrets public-key` prints"
            )
        return PublicBox(public or self.box.public_keys[0]).seal(text, place)

    def unseal(self, sealed: bytes, place: str) -> str:
        """A secret from Kafka. Raises Misconfigured where no key opens it: the integration waits, others go on."""
        try:
            return self.box.open(sealed, place)
        except NoKeyFits as error:
            raise Misconfigured("pairstream_secret_key_does_not_open_it") from error

    def renewed_seal(self, sealed: bytes, place: str) -> bytes:
        """The same secret sealed with the newest key. Raises Misconfigured where no key opens it."""
        try:
            return self.box.renewed(sealed, place)
        except NoKeyFits as error:
            raise Misconfigured("pairstream_secret_key_does_not_open_it") from error

    def at_the_brokers(self) -> "Process":
        """The same with the brokers' limit for a message as it is now. Blocks. Raises BrokersUnreachable."""
        return replace(self, cluster=replace(self.cluster, max_message_bytes=self.admin().message_limit()))

    def check_reached(self) -> None:
        """Raises BrokersUnreachable where nobody listens at KAFKA_BOOTSTRAP_SERVERS. Blocks for some seconds at most.

        The local broker of an `up` that runs is waited for: it is started again where it died.
        """
        if self.settings.kafka_bootstrap_servers is not None:
            check_reached(self.cluster)

    def admin(self) -> Admin:
        return Admin(self.cluster)

    def registry(self) -> SchemaRegistry:
        """A registry that has asked nothing yet, for a command that examines it."""
        return _registry(self.settings, self.cluster)

    def tables(self, *more: str) -> TableReader:
        """Configuration, and more topics, as tables not yet started, for a command that looks at them for a while."""
        return TableReader(self.cluster, self.codec, (INTEGRATIONS, MAPPINGS, *more), look_s=COMMAND_LOOK_S)

    def followed_tables(self, *more: str) -> TableReader:
        """The same for a role, of more topics too; its process ends when they can no longer be followed."""

        def failed(error: BaseException) -> None:
            stop_process(f"configuration is no longer followed: {type(error).__name__}: {error}")

        return TableReader(self.cluster, self.codec, (INTEGRATIONS, MAPPINGS, *more), failed)

    def start(self, tables: TableReader, *, records: bool) -> TableReader:
        """Read the tables to their end; blocks. Raises TableIncomplete, and SettingsDiffer before anything is written.

        `records`: the installation's facts are recorded where nobody has yet, for this process is about to write.
        It raises RepartitionRefused then, where keys would not be on the partitions that this process looks at.
        """
        if records:
            self.check_partitions()
        tables.start()
        recorded = tables.get(INTEGRATIONS, INSTALLATION)
        installation.check(recorded, self.schema_ids)
        if records and recorded is None and not tables.unreadable:
            codec, fact = installation.recording(self.schema_ids, self.settings.schemas_up_to)
            publish_now(self.cluster, codec, [fact])
        return tables

    def check_partitions(self) -> None:
        """Raises RepartitionRefused where this process would look for keys where they are not. Blocks."""
        refuse_beside(self.admin().partitions(), self.settings.partitions)

    @property
    def schema_ids(self) -> SchemaIds:
        """Where this process takes schema ids from."""
        return "registry" if self.settings.schema_registry_url else "packaged"

    def lost_records(self, tables: TableReader) -> LostRecords:
        """Reports records deleted before this process read them, and requests the full sync that heals the loss."""
        return LostRecords(
            lambda: tables.table(INTEGRATIONS),
            lambda messages: publish_now(self.cluster, self.codec, messages, buried=self._buried),
            self.metrics.records_lost,
            partitions=self.settings.partitions,
            now_ms=now_ms,
        )

    def watch_topics(self, lost: LostRecords) -> TopicWatch:
        """Ends this process when one of its topics is deleted or recreated; not yet started."""

        def changed(topics: Collection[str]) -> None:
            try:
                lost.report_made_anew(topics)
            except PublishFailed as error:  # the dead letters' own topic may be among them
                log.error("%s; run `pairstream full-sync start` for each integration", error)
            stop_process(f"{', '.join(topics)} was deleted or made anew: run `pairstream topics check`; starting again")

        return TopicWatch(self.admin(), TOPICS, changed)

    def publisher(
        self, tables: TableReader | None = None, by: str = "", place: str = "", *, unordered: Collection[str] = ()
    ) -> Publisher:
        """To be made on a running loop; with tables, what it changes is audited, done by whoever is named."""
        if tables is None:
            return Publisher(self.cluster, self.codec, buried=self._buried, unordered=unordered)
        audit = Audit(tables.get, by, place or machine(), now_ms)
        return Publisher(self.cluster, self.codec, buried=self._buried, along=audit.along, unordered=unordered)

    def _buried(self, letter: DeadLetter) -> None:
        self.metrics.dead_letter(letter.stage, letter.reason)

    def traced(self) -> Handled | None:
        """What is told of each record that ends, where spans are wanted. Raises SettingsInvalid without the SDK."""
        if self.settings.traces == "off":
            return None
        try:
            return open_tracing(metadata.version("pairstream"), self.settings.prefix).handled
        except NoTracing as error:
            raise SettingsInvalid(f"{error}.") from error

    @property
    def should_own(self) -> bool:
        """Whether there is a partition for this process: one beyond their number waits for another to end."""
        return self.settings.ordinal < self.settings.partitions

    def health(
        self, checks: Mapping[str, Check], moves: Callable[[], str | None] = lambda: None
    ) -> AbstractAsyncContextManager[str]:
        """Liveness, readiness and metrics on this process's own port; `moves` says what stands still for good."""
        app = build_health(checks, self.metrics, moves=moves)
        return serve_health(app, self.settings.bind_host, self.settings.health_port)


def _registry(settings: Settings, cluster: Cluster) -> SchemaRegistry:
    url = settings.schema_registry_url
    if url is None:
        return LocalRegistry(written_up_to=settings.schemas_up_to)
    proxy_url = None if is_loopback(url) else settings.schema_registry_proxy_url
    return RemoteRegistry(url, cluster.physical, proxy_url=proxy_url)


def _kept_key(state_dir: Path, makes_key: bool) -> tuple[str, ...]:
    key = load_or_make_key(state_dir) if makes_key else load_key(state_dir)
    return () if key is None else (key,)


def now_ms() -> int:
    """Our clock, for latency and letters only: never for freshness."""
    return time.time_ns() // 1_000_000


def leave_at_once() -> None:
    """End as asked, without waiting any longer: what was not acknowledged is handled again."""
    log.warning("a step was still under way at the end of the time to stop; its records are handled again")
    _flush()
    os._exit(0)


def stop_process(message: str) -> None:
    """End at once, nothing acknowledged: the restart handles the records again."""
    log.critical("%s", message)
    _flush()
    os._exit(STOPPED_BY_ITSELF)


def _flush() -> None:
    """Write what is left to be written; an output that takes no more keeps no process from its end."""
    logging.shutdown()
    with suppress(OSError):
        sys.stdout.flush()


def run_until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run a role until SIGTERM or SIGINT, then let calls in flight end."""

    async def main() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            log.info("stopped")

    asyncio.run(main())
