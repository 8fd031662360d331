"""What the commands on integrations do: list, pause, resume, disconnect, full sync."""

from typing import Final, Literal

import click

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.session import confirm, known, with_kafka
from pipeline.operations import apply
from pipeline.process import Process, now_ms
from pipeline.provisioning.remedies import withdrawal
from pipeline.provisioning.state_machine import DISCONNECTED
from schemas.topics import INTEGRATIONS

WITHDRAWN_S: Final = 10.0


def disconnect(name: str, *, ask_first: bool) -> None:
    """Stop at once and forget the credentials; values that were written stay."""

    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        settings = known(tables.table(INTEGRATIONS), name)
        if settings.state == "disconnected":
            click.echo(f"{name}: disconnected already")
            return
        if ask_first:
            confirm(f"Disconnect {name}, and forget its credentials and what is known of its objects?")
        request = apply.changed_state(settings, "disconnected", now_ms())
        await apply.ask(publisher, name, request)
        applied = await apply.wait_until_applied(tables, name, request, 30.0)
        click.echo(f"{name}: {applied.settings.state}: no request leaves any more")
        told = await apply.wait_until_withdrawn(tables, name, settings.connection, WITHDRAWN_S)
        for system, outcome in told.items():
            click.echo(f"{name}: {withdrawal(system, outcome)}")
        click.echo(f"{name}: what was known of its objects is forgotten; values that were written stay")

    with_kafka(ask)


def change_state(name: str, state: Literal["active", "paused"]) -> None:
    """Ask for another state and wait until it is in force."""

    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        settings = known(tables.table(INTEGRATIONS), name)
        if settings.state == "disconnected":
            raise apply.NotApplied(f"{name}: {DISCONNECTED}")
        request = apply.changed_state(settings, state, now_ms())
        await apply.ask(publisher, name, request)
        applied = await apply.wait_until_applied(tables, name, request, 30.0)
        click.echo(f"{name}: {applied.settings.state}")

    with_kafka(ask)


def forget(name: str) -> None:
    """Delete the request of a disconnected integration; the scheduler then deletes the rest."""

    async def ask(_: Process, publisher: Publisher, tables: TableReader) -> None:
        if known(tables.table(INTEGRATIONS), name).state != "disconnected":
            raise apply.NotApplied(f"{name} is connected. Fix: `pairstream integration disconnect {name}` first")
        await apply.forget(publisher, tables, name, 30.0)
        click.echo(f"{name}: forgotten")

    with_kafka(ask)
