"""The composition root: what each process is made of.

receiver -> <system>.notifications -> connector -> <system>.changes -> worker: OBJECTS -> sync.matches -> PAIRS
         -> <system>.field-patches -> connector -> the other system;  scheduler -> sync.integrations, sync.mappings

Each role imports its own parts when it runs: a role that has died is back sooner by the second that all parts take.
"""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

from connectors.clock import SystemClock
from connectors.http.server import CannotListen
from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.liveness import Liveness, look_at_member, look_at_store, look_at_worker
from pipeline.memory import give_memory_back, search_seldom
from pipeline.observability.vitals import VitalSigns
from pipeline.process import Process, leave_at_once, now_ms, stop_process
from pipeline.row_stores import row_stores
from schemas.topics import ERASURES, INTEGRATIONS, NOTICES, POSITIONS, RUNS, WORKER_GROUP
from schemas.values import System
from schemas.vitals import BudgetVitals, PlaceVitals

if TYPE_CHECKING:
    from pipeline.notices.telling import Notices

log = logging.getLogger(__name__)

STEP_THREADS: Final = 16


async def run_receiver(process: Process) -> None:
    """Takes webhooks: verified, stored, then answered."""
    from connectors.receiver import AdmissionLimits, ConsentPages, ConsentSettings, build_receiver
    from connectors.receiver.kafka_store import NOTIFICATIONS, KafkaStore
    from pipeline.bounded_http import ConnectionLimits
    from pipeline.consents import KafkaConsentDesk
    from pipeline.directory import ConfigurationDirectory
    from pipeline.serving import serve

    process = await asyncio.to_thread(process.at_the_brokers)
    settings = process.settings
    tables = process.followed_tables()
    directory = ConfigurationDirectory(lambda: tables.table(INTEGRATIONS), process.box.open)
    tables.subscribe(lambda *_: directory.configuration_changed())
    await asyncio.to_thread(process.start, tables, records=True)
    publisher = process.publisher(tables, settings.member_id("receiver"), unordered=NOTIFICATIONS.values())
    store = KafkaStore(publisher, process.admin().partitions, accepted=process.metrics.webhook_accepted)
    admission = AdmissionLimits(
        hubspot_body_bytes=settings.hubspot_webhook_bytes, userflow_body_bytes=settings.userflow_webhook_bytes
    )
    desk = KafkaConsentDesk(lambda: tables.table(INTEGRATIONS), process.box, publisher)
    at_hubspot = ConsentSettings(settings.webhook_base_url, settings.authorize_page, settings.hubspot_oauth_pkce)
    app = build_receiver(
        store,
        directory,
        public_url=settings.webhook_base_url,
        count=process.metrics.webhook,
        now_ms=now_ms,
        limits=admission,
        consents=ConsentPages(desk, at_hubspot, now_ms),
    )
    connections = ConnectionLimits(
        connections=settings.receiver_connections,
        exchange_s=2 * admission.answer_within_s,
        body_bytes=2 * max(settings.hubspot_webhook_bytes, settings.userflow_webhook_bytes),
    )
    public = serve(app, settings.bind_host, settings.receiver_port, connections)
    vitals = begin_vitals(process, "receiver", publisher)
    try:
        liveness = Liveness(look_at_store(process.admin(), store))
        liveness.start()
        async with process.health({"kafka": store.problem}, liveness.problem), public:
            await asyncio.Event().wait()
    finally:
        vitals.cancel()
        await publisher.close()
        await asyncio.to_thread(tables.stop)


def run_worker(process: Process) -> None:
    """OBJECTS and PAIRS in one Faust worker."""
    from connectors.kafka.groups import ConsumerGroup
    from connectors.kafka.state_log import CompactedStateLog
    from connectors.kafka.topology import handled_group, transactional_ids
    from pipeline.agents import objects, pairs
    from pipeline.agents.configuration import Configuration
    from pipeline.agents.loop import AgentLoop
    from pipeline.agents.step import StepDeps
    from pipeline.agents.watchdog import watch
    from pipeline.agents.worker import Agent, assigned, build_app, build_worker

    give_memory_back()
    state_topics = {objects.NAME: objects.STATE_TOPIC, pairs.Pairs.name: pairs.STATE_TOPIC}
    process = process.at_the_brokers()
    settings = process.settings
    configuration = Configuration()
    tables = process.followed_tables()
    tables.subscribe(configuration.apply)
    process.start(tables, records=True)

    worker_group = ConsumerGroup(process.cluster, WORKER_GROUP)
    handled = {stage: ConsumerGroup(process.cluster, handled_group(stage)) for stage in state_topics}

    def open_log(stage: str, partition: int) -> CompactedStateLog:
        name = f"{transactional_ids(stage)}{partition}"
        return CompactedStateLog(
            process.cluster, process.codec, handled[stage], name, topic=state_topics[stage], partition=partition
        )

    def acknowledged(partition: int, topics: Sequence[str]) -> Mapping[str, int]:
        found = worker_group.committed((topic, partition) for topic in topics)
        return {topic: offset for (topic, _), offset in found.items()}

    lost = process.lost_records(tables)
    process.watch_topics(lost).start()
    deps = StepDeps(
        decode=process.codec.decode,
        logical=process.cluster.logical,
        open_log=open_log,
        wait_for=configuration.wait_for,
        metrics=process.metrics,
        executor=ThreadPoolExecutor(STEP_THREADS, "step"),
        now_ms=now_ms,
        stop_process=stop_process,
        lost=lost.report,
        acknowledged=acknowledged,
        open_rows=row_stores(settings, process.admin(), state_topics),
        traced=process.traced(),
    )
    hold_ms, interval_ms = settings.event_hold_s * 1000, settings.lookup_interval_s * 1000
    agents = [
        Agent(objects.NAME, objects.TOPICS, AgentLoop(objects.Objects(configuration.view, now_ms, hold_ms), deps)),
        Agent(
            pairs.Pairs.name,
            pairs.TOPICS,
            AgentLoop(pairs.Pairs(configuration.view, now_ms, hold_ms, interval_ms), deps),
        ),
    ]
    search_seldom()
    app = build_app(
        process.cluster, settings.ordinal, settings.state_dir / "faust" / settings.member_id("worker"), agents
    )
    admin, topics = process.admin(), sorted({topic for agent in agents for topic in agent.topics})

    look = look_at_worker(
        admin,
        topics,
        lambda: assigned(app, process.cluster),
        lambda partition: tuple(agent.loop.reached(partition) for agent in agents),
        should_own=process.should_own,
    )

    def watching() -> None:
        try:
            watch(look, stop_process, time.sleep)
        except Exception as error:  # noqa: BLE001 - a watchdog that died would watch nothing
            stop_process(f"watchdog: {type(error).__name__}: {error}")

    _serve_health_aside(process, lambda: (place for agent in agents for place in agent.loop.places()))
    threading.Thread(target=watching, name="watchdog", daemon=True).start()
    build_worker(app, leave_at_once).execute_from_commandline()


async def run_connector(process: Process, system: System) -> None:
    """One system's source and sink."""
    from connectors.registry import SYSTEMS
    from connectors.runtime.backpressure import BulkCredit, Downstream
    from connectors.runtime.deps import ConnectorDeps
    from connectors.runtime.runner import Runner
    from pipeline.operations.reconnect import ask_after_reconnect

    process = await asyncio.to_thread(process.at_the_brokers)
    settings, loop = process.settings, asyncio.get_running_loop()
    tables = process.followed_tables(RUNS, POSITIONS)
    lost = process.lost_records(tables)
    admin, publisher = process.admin(), process.publisher(tables, settings.member_id(f"{system}-connector"))
    credit = BulkCredit(
        Downstream(admin, tuple(SYSTEMS)).look,
        settings.bulk_credit,
        partial(process.metrics.bulk_outstanding, system),
    )
    runner = Runner(
        SYSTEMS[system].traits,
        ConnectorDeps(
            cluster=process.cluster,
            codec=process.codec,
            publisher=publisher,
            tables=tables,
            ordinal=settings.ordinal,
            partitions=settings.partitions,
            open_account=SYSTEMS[system].open_account,
            exchange_code=SYSTEMS[system].exchange_code,
            unseal=process.unseal,
            seal=process.box.seal,
            key_id=process.box.key_id,
            renew_seal=process.renewed_seal,
            read_to_end=partial(asyncio.to_thread, tables.read_to_end, INTEGRATIONS),
            api_url=settings.hubspot_api_url if system == "hubspot" else settings.userflow_api_url,
            api_version=settings.hubspot_api_version,
            longest_wait_s=settings.longest_wait_s,
            proxy_url=settings.api_proxy_url,
            webhook_base_url=settings.webhook_base_url,
            feeds=settings.feeds,
            traced=process.traced(),
            clock=SystemClock(),
            uniform=random.Random().uniform,
            now_ms=now_ms,
            count=process.metrics.outcome,
            metrics=process.metrics,
            bulk_credit=credit.take,
            stop_process=stop_process,
            reconnected=partial(ask_after_reconnect, publisher, tables, now_ms),
            lost=lost.report,
        ),
    )

    def changed(topic: str, *_: object) -> None:
        if topic not in (RUNS, POSITIONS):  # read where a part of a run or a feed is at work, by key
            loop.call_soon_threadsafe(runner.configuration_changed)

    tables.subscribe(changed)
    await asyncio.to_thread(process.start, tables, records=True)
    (await asyncio.to_thread(process.watch_topics, lost)).start()
    checks = {"membership": lambda: None if runner.owned else "no partitions are assigned"}
    measuring = asyncio.create_task(credit.measure_on(), name="bulk outstanding")
    measuring.add_done_callback(_only_cancelled)
    vitals = begin_vitals(process, system, publisher, runner.places, runner.budgets)
    try:
        liveness = Liveness(look_at_member(admin, lambda: runner.member, should_own=process.should_own))
        liveness.start()
        async with process.health(checks, liveness.problem):
            await runner.run()
    finally:
        measuring.cancel()
        vitals.cancel()
        await publisher.close()
        await asyncio.to_thread(tables.stop)


def _only_cancelled(task: "asyncio.Task[None]") -> None:
    """For a task that lives as long as its process: its error ends the process."""
    if not task.cancelled():
        stop_process(f"{task.get_name()}: {type(task.exception()).__name__}: {task.exception()}")


async def run_scheduler(process: Process) -> None:
    """Carries out the changes requested of integrations, and their full syncs."""
    from connectors.hubspot.protocol.notifications import without_object as hubspot_without
    from connectors.userflow.protocol.webhooks import without_object as userflow_without
    from pipeline.erasure.eraser import Eraser, EraserDeps
    from pipeline.full_sync.coordinator import FullSyncs, FullSyncSettings
    from pipeline.full_sync.road import Road
    from pipeline.lag.reading import Brokers
    from pipeline.lag_export import LagExport
    from pipeline.scheduler import Scheduler

    process = await asyncio.to_thread(process.at_the_brokers)
    settings, loop = process.settings, asyncio.get_running_loop()
    tables = process.followed_tables(RUNS, ERASURES, NOTICES)
    publisher = process.publisher(tables, settings.member_id("scheduler"))

    def failed(error: BaseException) -> None:
        stop_process(f"scheduler: {type(error).__name__}: {error}")

    scheduler = Scheduler(
        process.cluster,
        settings.ordinal,
        partitions=settings.partitions,
        tables=tables,
        publisher=publisher,
        failed=failed,
        box=process.box,
    )
    full_syncs = FullSyncs(
        tables,
        publisher,
        Road(process.admin(), process.codec.decode),
        FullSyncSettings(settings.partitions, settings.full_sync_interval_s, settings.full_sync_most_emptied),
        active=lambda: scheduler.active,
        now_ms=now_ms,
        codec=process.codec,
    )

    def changed(topic: str, *_: object) -> None:
        loop.call_soon_threadsafe(full_syncs.changed if topic == RUNS else scheduler.configuration_changed)

    tables.subscribe(changed)
    await asyncio.to_thread(process.start, tables, records=True)
    eraser = Eraser(
        EraserDeps(
            cluster=process.cluster,
            codec=process.codec,
            publisher=publisher,
            erasures=tables,
            redact={"hubspot": hubspot_without, "userflow": userflow_without},
            partitions=settings.partitions,
            active=lambda: scheduler.active,
            now_ms=now_ms,
        )
    )
    brokers = Brokers(process.cluster, process.codec, process.admin(), now_ms)
    notices = _notices(process, tables, publisher, lambda: scheduler.active)
    export = LagExport(
        brokers,
        tables,
        process.metrics.replace,
        lambda: scheduler.active,
        settings.changes_retention_days,
        (lambda _: None) if notices is None else notices.looked,
    )
    aside = [
        asyncio.create_task(full_syncs.run(), name="full syncs"),
        asyncio.create_task(eraser.run(), name="erasures"),
        begin_vitals(process, "scheduler", publisher),
        asyncio.create_task(export.run(), name="lag"),
        *([] if notices is None else [asyncio.create_task(notices.run(), name="notices")]),
    ]
    for task in aside:
        task.add_done_callback(_only_cancelled)
    try:
        look = look_at_member(process.admin(), lambda: scheduler.member, should_own=process.should_own)
        liveness = Liveness(look)
        liveness.start()
        async with process.health({}, liveness.problem):
            await scheduler.run()
    finally:
        for task in aside:
            task.cancel()
        await asyncio.wait(aside)
        await publisher.close()
        await asyncio.to_thread(tables.stop)


def _notices(
    process: Process, tables: TableReader, publisher: Publisher, active: Callable[[], bool]
) -> "Notices | None":
    """What tells of changes of state, where somebody wants to know."""
    from pipeline.notices.telling import NoticeRoad, Notices

    settings = process.settings
    if settings.notify_url is None or settings.notify_secret is None:
        return None
    url, secret = settings.notify_url.get_secret_value(), settings.notify_secret.get_secret_value()
    return Notices(
        tables,
        publisher,
        NoticeRoad.to(url, secret, settings.prefix, settings.api_proxy_url),
        active=active,
        now_ms=now_ms,
        uniform=random.Random().uniform,
        count=process.metrics.notice,
    )


def begin_vitals(
    process: Process,
    role: str,
    publisher: Publisher,
    places: Callable[[], Iterable[PlaceVitals]] = tuple,
    budgets: Callable[[], Iterable[BudgetVitals]] = tuple,
) -> "asyncio.Task[None]":
    """Writes this process's vital signs until cancelled."""
    signs = VitalSigns(process.settings.member_id(role), role, process.metrics, now_ms, places, budgets)
    task = asyncio.create_task(signs.write_on(publisher.send), name="vital signs")
    task.add_done_callback(_only_cancelled)
    return task


def _serve_health_aside(process: Process, places: Callable[[], Iterable[PlaceVitals]]) -> None:
    """The worker's health and vital signs on a thread and loop of their own: Faust owns the main one."""

    async def forever() -> None:
        vitals = begin_vitals(process, "worker", process.publisher(), places)
        try:
            async with process.health({}):
                await vitals
        except CannotListen as error:
            stop_process(str(error))

    threading.Thread(target=lambda: asyncio.run(forever()), name="health", daemon=True).start()
