"""What `pairstream connect` does."""

from typing import Final

import click

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.session import known, with_kafka
from pipeline.local import endpoints
from pipeline.operations import apply, connect
from pipeline.process import Process, now_ms
from pipeline.provisioning.state_machine import UNDER_WAY
from schemas.integrations import settings_of
from schemas.topics import INTEGRATIONS

APPLIED_S: Final = 60.0


def connect_integration(name: str) -> None:
    """Print a link and wait until somebody came back by it; then for the apply that waited for it, if one did."""

    async def ask(process: Process, publisher: Publisher, tables: TableReader) -> None:
        account = known(tables.table(INTEGRATIONS), name).hubspot.account
        link = connect.new_link(name, tables.table(INTEGRATIONS), now_ms())
        url = link.url(_public_url(process))  # before an earlier link ends: there may be no address
        await connect.ask(publisher, name, link.record)
        click.echo(f"{name}: open this link within 10 minutes, and choose HubSpot account {account}:")
        click.echo(f"  {url}")
        answer = await connect.wait_until_connected(tables, name, link.record, now_ms)
        click.echo(f"{name}: connected to HubSpot account {answer.account}")
        await _applied(tables, name)

    with_kafka(ask)


async def _applied(tables: TableReader, name: str) -> None:
    """Wait for an apply that had to wait for the grant. Raises NotApplied."""
    parts = tables.table(INTEGRATIONS)
    settings, asked = settings_of(parts, name), parts[f"{name}/desired"].desired
    if settings is None or asked is None or settings.apply_state not in UNDER_WAY:
        return
    applied = await apply.wait_until_applied(tables, name, asked, APPLIED_S, granted=True)
    click.echo(f"{name}: in force as revision {applied.settings.revision}")
    click.echo(apply.what_follows(name, settings, applied.settings))


def _public_url(process: Process) -> str:
    """Where the receiver is reached: the setting, or that of a running `up`."""
    running = endpoints.read(process.settings.state_dir)
    if process.settings.public_url is None and running is not None:
        return running.receiver_url
    return process.settings.webhook_base_url
