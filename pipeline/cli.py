"""The commands: each reads its input, calls one operation, and says in plain words what came of it."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from connectors.kafka.admin import BrokersUnreachable
from connectors.kafka.publisher import Publisher, PublishFailed
from connectors.kafka.tables import TableIncomplete, TableReader
from pipeline.app import Process, now_ms, run_connector, run_receiver, run_scheduler, run_until_signal, run_worker
from pipeline.config import Misconfigured, load_settings
from pipeline.local.errors import LocalError
from pipeline.mappings.file import load
from pipeline.mappings.model import IntegrationFile
from pipeline.mappings.problems import render
from pipeline.observability.logging import set_up
from pipeline.operations import applying, full_sync
from pipeline.operations.doctor import examine
from pipeline.secrets import KeyFileUnsafe, NoKeyFits
from schemas.configuration import DesiredState, IntegrationPart
from schemas.registry import LocalRegistry, RemoteRegistry, UnknownSchema
from schemas.topics import INTEGRATIONS, MAPPINGS, TOPICS

REFUSED: Final = 1
EXPECTED_ERRORS: Final = (
    Misconfigured,
    LocalError,
    BrokersUnreachable,
    TableIncomplete,
    PublishFailed,
    UnknownSchema,
    applying.NotApplied,
    full_sync.NotStarted,
    NoKeyFits,
    KeyFileUnsafe,
)


@contextmanager
def plain_errors() -> Iterator[None]:
    """An error with a remedy is a message and exit code 1; any other is a bug and keeps its traceback."""
    try:
        yield
    except EXPECTED_ERRORS as error:
        click.echo(str(error), err=True)
        sys.exit(REFUSED)


@click.group()
def main() -> None:
    """Keeps HubSpot and Userflow in step."""


@main.group()
def run() -> None:
    """Run one role in this process."""


def _process() -> Process:
    settings = load_settings(os.environ)
    set_up(settings.log_format, settings.log_level, hide=settings.secret_keys)
    return Process.open(settings)


@run.command()
def worker() -> None:
    """Join changes into pairs and derive patches."""
    with plain_errors():
        run_worker(_process())


@run.command()
@click.argument("system", type=click.Choice(["hubspot", "userflow"]))
def connector(system: Any) -> None:
    """Read and write one system."""
    with plain_errors():
        run_until_signal(run_connector(_process(), system))


@run.command()
def receiver() -> None:
    """Take webhooks and store them."""
    with plain_errors():
        run_until_signal(run_receiver(_process()))


@run.command()
def scheduler() -> None:
    """Carry out what is asked of integrations."""
    with plain_errors():
        run_until_signal(run_scheduler(_process()))


@main.command()
@click.option("--simulators", is_flag=True, help="Serve both vendors' simulators too, and talk to them.")
@click.option("--hubspot-seed", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--userflow-seed", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def up(simulators: bool, hubspot_seed: Path | None, userflow_seed: Path | None) -> None:
    """Run everything on this machine until Ctrl-C."""
    from pipeline.local.machine import Seeds, machine  # only `up` and `demo` need the local broker

    with plain_errors():
        seeds = Seeds(hubspot_seed, userflow_seed)
        with machine(os.environ, simulators=simulators, seeds=seeds, terminal=sys.stderr) as running:
            where = running.endpoints
            click.echo(f"brokers: {where.kafka_bootstrap_servers}")
            click.echo(f"receiver: {where.receiver_url}")
            if simulators:
                click.echo(f"HubSpot simulator: {where.hubspot_simulator_url}")
                click.echo(f"Userflow simulator: {where.userflow_simulator_url}")
            click.echo("ready; Ctrl-C stops everything", err=True)
            asyncio.run(running.supervisor.run_until_stopped())


@main.command()
def demo() -> None:
    """Show the whole of it on this machine: pairing, edits on both sides, latencies; ends by itself."""
    from pipeline.local.demo import run_demo  # only `demo` needs it

    with plain_errors():
        sys.exit(run_demo(os.environ))


@main.command()
@click.argument("system", type=click.Choice(["hubspot", "userflow"]))
@click.option("--port", type=int, required=True, help="0 picks a free one.")
@click.option("--seed", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON to start with.")
@click.option("--webhooks", help="Where the simulator of HubSpot sends its webhooks.")
def simulate(system: str, port: int, seed: Path | None, webhooks: str | None) -> None:
    """Serve one vendor's simulator alone."""
    from pipeline.local.simulate import serve_simulator  # production code never imports simulators

    with plain_errors():
        asyncio.run(serve_simulator(system, port, seed, webhooks))


@main.group()
def topics() -> None:
    """Make and check the topics."""


@topics.command("apply")
@click.option("--replication", default=1, show_default=True, help="Replicas of each new topic.")
def topics_apply(replication: int) -> None:
    """Make missing topics and mend their settings."""
    with plain_errors():
        process = _process()
        settings = process.settings
        done = process.admin().apply_topics(settings.partitions, replication, settings.changes_retention_days)
        for line in done or [f"all {len(TOPICS)} topics are as they should be"]:
            click.echo(line)
        left = process.admin().check_topics(settings.partitions, settings.changes_retention_days)
        _exit_with([f"{problem.topic} {problem.message}" for problem in left])


@topics.command("check")
def topics_check() -> None:
    """Say where topics differ from the table; exits 1 where they do."""
    with plain_errors():
        process = _process()
        settings = process.settings
        found = process.admin().check_topics(settings.partitions, settings.changes_retention_days)
        _exit_with([f"{problem.topic} {problem.message}" for problem in found])
        click.echo(f"all {len(TOPICS)} topics are as they should be")


def _exit_with(problems: list[str]) -> None:
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        sys.exit(REFUSED)


@main.command()
def doctor() -> None:
    """Say what is wrong with this installation, in the order in which to mend it."""
    with plain_errors():
        process = _process()
        url = process.settings.schema_registry_url
        wrong = False
        for finding in examine(
            process.admin(),
            RemoteRegistry(url) if url else LocalRegistry(),
            lambda: _read_tables(process).table(INTEGRATIONS),
            partitions=process.settings.partitions,
            changes_retention_days=process.settings.changes_retention_days,
            opens=process.box.can_open,
        ):
            click.echo(f"{finding.verdict:<8} {finding.what}: {finding.detail}")
            wrong = wrong or finding.verdict == "wrong"
        sys.exit(REFUSED if wrong else 0)


def _read_tables(process: Process) -> TableReader:
    tables = process.tables(lambda: None)
    tables.start()
    return tables


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def validate(file: Path) -> None:
    """Check an integration file without touching anything."""
    read_file(file)
    click.echo(f"{file}: fine as far as a file can tell; `pairstream apply` checks it against both systems")


def read_file(path: Path) -> IntegrationFile:
    """The integration file, or every problem with its line and exit code 1."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        click.echo(f"{path}: not UTF-8 text (byte {error.start}). Fix: save it as UTF-8.", err=True)
        sys.exit(REFUSED)
    found = load(text, str(path), os.environ)
    if isinstance(found, IntegrationFile):
        return found
    click.echo(render(found), err=True)
    sys.exit(REFUSED)


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-wait", is_flag=True, help="Hand the request over and return.")
@click.option("--timeout", "timeout_s", default=60.0, show_default=True, help="Seconds to wait for it to be in force.")
def apply(file: Path, yes: bool, no_wait: bool, timeout_s: float) -> None:
    """Put an integration file in force."""
    integration_file = read_file(file)
    name = integration_file.integration
    if not yes:
        click.confirm(f"Put integration {name} with {len(integration_file.mappings)} mappings in force?", abort=True)

    async def ask(process: Process, publisher: Publisher, tables: TableReader) -> None:
        for part in applying.without_effect(integration_file):
            click.echo(f"note: {part} has no effect yet", err=True)
        request = applying.desired(integration_file, process.box.seal, now_ms())
        await applying.ask(publisher, name, request)
        if no_wait:
            click.echo(f"{name}: asked; `pairstream doctor` tells how it stands")
            return
        try:
            applied = await applying.wait_until_applied(tables, name, request, timeout_s)
        except applying.NotApplied as error:
            parts = tables.table(INTEGRATIONS)
            raise applying.NotApplied(applying.refusal(str(error), integration_file, parts)) from None
        made = len(applied.settings.create)
        click.echo(f"{name}: in force as revision {applied.settings.revision} after {applied.seconds:.1f} s")
        if made:
            click.echo(f"{made} HubSpot fields were created")
        click.echo(f"run `pairstream full-sync start {name}` to bring what exists in step")

    _with_kafka(ask)


def _with_kafka(work: Callable[[Process, Publisher, TableReader], Awaitable[None]]) -> None:
    """Run something that publishes and reads configuration, with plain errors."""

    async def inside(process: Process) -> None:
        tables = process.tables(lambda: None)
        await asyncio.to_thread(tables.start)
        publisher = Publisher(process.client, process.codec)
        try:
            await work(process, publisher, tables)
        finally:
            await publisher.close()
            await asyncio.to_thread(tables.stop)

    with plain_errors():
        asyncio.run(inside(_process()))


@main.group()
def integration() -> None:
    """Look at integrations, pause them, disconnect them."""


@integration.command("list")
def integration_list() -> None:
    """Every integration and its state."""
    with plain_errors():
        for key, part in sorted(_read_tables(_process()).table(INTEGRATIONS).items()):
            if part.settings is not None and key.endswith("/settings"):
                click.echo(f"{part.integration}: {part.settings.state}, revision {part.settings.active_revision}")


@integration.command("pause")
@click.argument("name")
def integration_pause(name: str) -> None:
    """Stop writing; what happens meanwhile is derived on resume."""
    _change_state(name, "paused")


@integration.command("resume")
@click.argument("name")
def integration_resume(name: str) -> None:
    """Go on writing."""
    _change_state(name, "active")


@integration.command("disconnect")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def integration_disconnect(name: str, yes: bool) -> None:
    """Stop at once and forget the credentials; values that were written stay."""
    if not yes:
        click.confirm(f"Disconnect {name}?", abort=True)
    _change_state(name, "disconnected")


def _change_state(name: str, state: DesiredState) -> None:
    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        settings = _known(tables.table(INTEGRATIONS), name)
        request = applying.changed_state(settings, state, now_ms())
        await applying.ask(publisher, name, request)
        applied = await applying.wait_until_applied(tables, name, request, 30.0)
        click.echo(f"{name}: {applied.settings.state}")

    _with_kafka(ask)


def _known(parts: Mapping[str, IntegrationPart], name: str) -> Any:
    settings = applying.settings_of(parts, name)
    if settings is None:
        names = sorted({part.integration for part in parts.values() if part.settings is not None})
        raise applying.NotApplied(f"no integration {name}; there are: {', '.join(names) or 'none'}")
    return settings


@main.group("full-sync")
def full_sync_group() -> None:
    """Bring everything in step, not only what changes."""


@full_sync_group.command("start")
@click.argument("name", required=False)
def full_sync_start(name: str | None) -> None:
    """Crawl both sides; pairs that are in step already cost no write."""

    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        parts = tables.table(INTEGRATIONS)
        for each in [name] if name else sorted({part.integration for part in parts.values() if part.settings}):
            settings, run_id = _known(parts, each), full_sync.new_run_id(now_ms())
            requests = full_sync.crawls(each, settings, tables.table(MAPPINGS).values(), run_id, now_ms())
            await full_sync.start(publisher, each, requests)
            types = ", ".join(f"{system} {request.object_type}" for system, request in requests)
            click.echo(f"{each}: full sync {run_id} started: {types}")

    _with_kafka(ask)


if __name__ == "__main__":
    main()
