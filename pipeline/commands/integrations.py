"""Commands on integrations that are there: list, pause, resume, disconnect, full sync."""

from typing import Final

import click

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.app import Process, now_ms
from pipeline.commands.session import known, open_process, plain_errors, read_tables, with_kafka
from pipeline.operations import apply, full_sync
from pipeline.provisioning.state_machine import DISCONNECTED
from schemas.configuration import DesiredState
from schemas.topics import INTEGRATIONS, MAPPINGS

NONE_YET: Final = "no integration is connected: `pairstream apply FILE.yaml` connects one"


@click.group()
def integration() -> None:
    """Look at integrations, pause them, disconnect them."""


@integration.command("list")
def integration_list() -> None:
    """Every integration and its state."""
    with plain_errors():
        there = apply.every(read_tables(open_process()).table(INTEGRATIONS))
        for name, settings in there.items():
            refused = "; its last apply was refused" if settings.apply_state == "failed" else ""
            click.echo(f"{name}: {settings.state}, revision {settings.active_revision}{refused}")
        if not there:
            click.echo(NONE_YET)


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
        settings = known(tables.table(INTEGRATIONS), name)
        if settings.state == "disconnected":
            if state != "disconnected":
                raise apply.NotApplied(f"{name}: {DISCONNECTED}")
            click.echo(f"{name}: disconnected already")
            return
        request = apply.changed_state(settings, state, now_ms())
        await apply.ask(publisher, name, request)
        applied = await apply.wait_until_applied(tables, name, request, 30.0)
        click.echo(f"{name}: {applied.settings.state}")

    with_kafka(ask)


@click.group("full-sync")
def full_sync_group() -> None:
    """Bring everything in step, not only what changes."""


@full_sync_group.command("start")
@click.argument("name", required=False)
def full_sync_start(name: str | None) -> None:
    """Crawl both sides; pairs that are in step already cost no write."""

    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        parts = tables.table(INTEGRATIONS)
        connected = [one for one, found in apply.every(parts).items() if found.state != "disconnected"]
        if not name and not connected:
            raise full_sync.NotStarted(NONE_YET)
        for each in [name] if name else connected:
            settings, run_id = known(parts, each), full_sync.new_run_id(now_ms())
            requests = full_sync.crawls(each, settings, tables.table(MAPPINGS).values(), run_id, now_ms())
            await full_sync.start(publisher, each, requests)
            types = ", ".join(f"{system} {request.object_type}" for system, request in requests)
            click.echo(f"{each}: full sync {run_id} started: {types}")

    with_kafka(ask)
