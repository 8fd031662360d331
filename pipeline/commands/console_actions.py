"""What the commands about the console do: serve it, make a link into it, end all sessions."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any, Final

from connectors.http.addresses import is_loopback
from connectors.kafka.producer import Along, Publisher, publish_now
from connectors.kafka.table import TableReader
from pipeline.bounded_http import ConnectionLimits
from pipeline.commands.audit_log import AuditLog
from pipeline.commands.changing import Change
from pipeline.commands.doctoring import AtHand, findings_of
from pipeline.commands.explain_desk import ExplainDesk
from pipeline.commands.letter_desk import LetterDesk
from pipeline.commands.letter_log import LetterLog
from pipeline.commands.options import Way
from pipeline.commands.output import say, say_object
from pipeline.commands.planning_desk import PlanningDesk
from pipeline.commands.replay_child import ReplayChildren
from pipeline.commands.session import audit, open_process, plain_errors, with_kafka
from pipeline.commands.sso_provider import Roads, provider_of
from pipeline.commands.standing_actions import gathered
from pipeline.config import Settings, SettingsInvalid
from pipeline.console.access import Access, new_link
from pipeline.console.app import build_console
from pipeline.console.asking import ASKED_BY, asked_from
from pipeline.console.desk import (
    AUDIT_KEPT_S,
    CHANGES_KEPT_S,
    DOCTOR_KEPT_S,
    HOUR_KEPT_S,
    LAG_KEPT_S,
    LETTERS_KEPT_S,
    About,
    Desk,
    Kept,
)
from pipeline.console.handles import KEY_BYTES, KEY_PURPOSE, Handles
from pipeline.console.letters import Indexing
from pipeline.console.pages.sso import Sso
from pipeline.console.planning import FieldsKept
from pipeline.console.protect import Place
from pipeline.counting import counted
from pipeline.full_sync.rows import runs_of
from pipeline.lag.hour_reading import HourReading
from pipeline.lag.looking import look
from pipeline.lag.reading import Brokers
from pipeline.local import endpoints
from pipeline.local.ports import free_port
from pipeline.local.welcome import FORM
from pipeline.memory import give_memory_back, search_seldom
from pipeline.operations.actor import who
from pipeline.operations.audit import Audit
from pipeline.operations.findings import Finding
from pipeline.operations.probing import PROBE_S
from pipeline.operations.retained_changes import retained_changes
from pipeline.operations.rotate import Seal, every_seal
from pipeline.process import Process, now_ms, run_until_signal
from pipeline.serving import serve
from pipeline.setting_words import shown, variable
from schemas.operating import ConsoleAccess, ConsoleRole
from schemas.topics import CONSOLE, INTEGRATIONS, LETTER_MARKS, REPLAYS, RUNS

log = logging.getLogger(__name__)
LIMITS: Final = ConnectionLimits(exchange_s=600.0, body_bytes=200_000)
"""A page's stream is an exchange too: it ends by itself before that."""


def serve_console() -> None:
    """The console, until a signal."""
    from pipeline.commands.role_actions import open_role

    with plain_errors():
        run_until_signal(run_console(open_role()))


async def run_console(process: Process) -> None:
    """Pages for people, by the operations that the commands use."""
    from pipeline.app import begin_vitals

    give_memory_back()
    search_seldom()
    port = process.settings.console_port or free_port()
    url = console_url(process.settings, port)
    process = await asyncio.to_thread(process.at_the_brokers)
    settings = process.settings
    tables = process.followed_tables(RUNS, LETTER_MARKS, CONSOLE, REPLAYS)
    publisher = Publisher(process.cluster, process.codec, along=audited(tables))
    access = Access(lambda: tables.table(CONSOLE), sending(publisher), now_ms)
    tables.subscribe(access.changed)
    await asyncio.to_thread(process.start, tables, records=True)
    replays, roads, place = ReplayChildren(), Roads(settings.api_proxy_url), Place.at(url)
    provider = provider_of(settings)
    sso = Sso(provider, access, place, roads.fetch) if provider is not None else None
    console = build_console(desk_of(process, url, tables, publisher, replays, access), access, place, sso)
    try:
        served = serve(console.app, settings.console_bind_host, port, LIMITS)
        async with process.health({}), served:
            log.info("the console answers at %s", url)
            vitals = begin_vitals(process, "console", publisher)
            try:
                await asyncio.Event().wait()
            finally:
                vitals.cancel()
                console.close()
    finally:
        await replays.close()
        await roads.close()
        await publisher.close()
        await asyncio.to_thread(tables.stop)


def sending(publisher: Publisher) -> Callable[[str, ConsoleAccess | None], Any]:
    """Writes rows of `sync.console`."""

    async def send(key: str, row: ConsoleAccess | None) -> None:
        if row is None:
            await publisher.send_bytes(CONSOLE, key, None)
        else:
            await publisher.send(CONSOLE, key, row)

    return send


def audited(tables: TableReader) -> Along:
    """What goes along with each record: that it was asked for here, by whoever is signed in."""
    place = asked_from()
    return lambda topic, key, record: Audit(tables.get, ASKED_BY.get(), place, now_ms).along(topic, key, record)


def desk_of(
    process: Process, url: str, tables: TableReader, publisher: Publisher, replays: ReplayChildren, access: Access
) -> Desk:
    """The parts that pages take."""
    settings = process.settings
    brokers = Brokers(process.cluster, process.codec, process.admin(), now_ms)

    letters, planner = LetterDesk(process, tables, ASKED_BY.get), PlanningDesk(process, tables, publisher)
    letter_log, audit_log = LetterLog(process, tables, letters), AuditLog(process)

    def doctor() -> list[Finding]:
        at_hand = AtHand(letter_log.told, lambda: runs_of(tables.table(RUNS)).values())
        return list(findings_of(process, lambda: tables, PROBE_S, at_hand))

    about = About(
        where=settings.prefix or "Pairstream",
        version=metadata.version("pairstream"),
        receiver_url=_receiver_url(settings),
        full_sync_interval_s=settings.full_sync_interval_s,
        changes_retention_days=settings.changes_retention_days,
        partitions=settings.partitions,
        environment=environment_of(settings),
        example=_example(settings),
        url=url,
        sso=settings.console_oidc_issuer is not None,
        proposes=settings.console_mappings == "propose",
    )
    kept_ms = settings.changes_retention_days * 24 * 60 * 60 * 1000
    return Desk(
        tables,
        publisher,
        about,
        now_ms,
        Kept(lambda: look(brokers), LAG_KEPT_S),
        Kept(doctor, DOCTOR_KEPT_S),
        Kept(audit_log.entries, AUDIT_KEPT_S),
        letters,
        Kept(Indexing(letter_log.told, now_ms).look, LETTERS_KEPT_S),
        ExplainDesk(process, tables),
        Handles(process.box.derived(KEY_PURPOSE, KEY_BYTES)),
        planner,
        FieldsKept(planner),
        replays,
        lambda lag: gathered(process, tables, lag),
        access,
        Kept(lambda: retained_changes(brokers.admin, now_ms(), kept_ms), CHANGES_KEPT_S),
        Kept(HourReading(brokers).look, HOUR_KEPT_S),
        lambda: _seals(process, tables),
    )


def _seals(process: Process, tables: TableReader) -> tuple[int, list[Seal]] | None:
    box = process.box
    return None if process.keyless else (box.count, list(every_seal(tables.table(INTEGRATIONS), box)))


def _example(settings: Settings) -> Mapping[str, str]:
    """What opens the simulators, where both systems are simulated."""
    running = endpoints.read(settings.state_dir)
    simulated = running is not None and running.hubspot_simulator_url and running.userflow_simulator_url
    return FORM if simulated else {}


def environment_of(settings: Settings) -> list[tuple[str, str, str]]:
    """Every setting, its value with secrets masked, and its meaning."""
    fields = Settings.model_fields
    return [(variable(name), shown(getattr(settings, name)), fields[name].description or "") for name in fields]


def _receiver_url(settings: Settings) -> str:
    running = endpoints.read(settings.state_dir)
    if settings.public_url is None and running is not None:
        return running.receiver_url
    return settings.webhook_base_url


def console_url(settings: Settings, port: int) -> str:
    """Where browsers find it. Raises SettingsInvalid where a session would go over a network in clear, or nobody knows.

    Requests for any other host are refused: whoever binds more than this machine's own address has to say the name.
    """
    here = f"http://{_host(settings.console_bind_host)}"
    if settings.console_url is not None:
        url = settings.console_url
        if not url.startswith("https:") and not is_loopback(url):
            raise SettingsInvalid(
                f"PAIRSTREAM_CONSOLE_URL: sessions would go over the network in clear at `{url}`. "
                "Fix: put a proxy with TLS in front, and write its https:// address"
            )
        return url
    if not is_loopback(here):
        raise SettingsInvalid(
            f"PAIRSTREAM_CONSOLE_URL: not set, and PAIRSTREAM_CONSOLE_BIND_HOST={settings.console_bind_host} "
            "lets others reach the console. Fix: set the https:// address at which a proxy with TLS serves it"
        )
    return f"{here}:{port}"


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def console_link(settings: Settings, role: ConsoleRole = "admin") -> str:
    """A link that was just written to the brokers, for whoever runs this. Blocks."""
    running = endpoints.read(settings.state_dir)
    local = settings.console_url is None and running is not None and "console" in running.health_urls
    url = running.console_url if local and running is not None else console_url(settings, settings.console_port)
    process, made = Process.open(settings, makes_key=False), new_link(role, who(), now_ms())
    publish_now(process.cluster, process.codec, [(CONSOLE, made.key, made.row)])
    return made.url(url)


def print_link(role: ConsoleRole, shape: str) -> None:
    """A link on a line of its own."""
    with plain_errors():
        url = console_link(open_process().settings, role)
        say_object({"at_ms": now_ms(), "link": url, "role": role}) if shape == "json" else say(url)


def end_sessions(way: Way) -> None:
    """Delete every row of `sync.console`."""

    async def end(_: Process, publisher: Publisher, tables: TableReader) -> None:
        rows: Mapping[str, ConsoleAccess] = tables.table(CONSOLE)
        sessions = sum(row.kind == "session" for row in rows.values())
        told, change = counted(sessions, "session"), Change("console sign-out", way, sessions=sessions)
        change.agree(f"{told} would end; links and tokens that were made would open nothing any more", "End them all?")
        for key in rows:
            await publisher.send_bytes(CONSOLE, key, None)
        await publisher.send(*audit().deed("", "console sign-out", told))
        change.say(f"{told} ended; links and tokens that were made open nothing any more")
        change.end()

    with_kafka(end, topics=(CONSOLE,))
