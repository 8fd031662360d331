"""What `pairstream connect` does."""

from dataclasses import replace
from typing import Final

import click

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.changing import Change
from pipeline.commands.options import Way
from pipeline.commands.session import known, with_kafka
from pipeline.local import endpoints
from pipeline.operations import apply, connect
from pipeline.process import Process, now_ms
from schemas.configuration import UNDER_WAY
from schemas.integrations import settings_of, to_connect
from schemas.topics import INTEGRATIONS

APPLIED_S: Final = 60.0


def connect_integration(name: str, way: Way) -> None:
    """Print a link and wait until somebody came back by it; then for the apply that waited for it, if one did."""

    async def ask(process: Process, publisher: Publisher, tables: TableReader) -> None:
        parts = tables.table(INTEGRATIONS)
        account = to_connect(parts, name, known(parts, name)).hubspot.account
        link = connect.new_link(name, tables.table(INTEGRATIONS), now_ms())
        url = link.url(_public_url(process))  # before an earlier link ends: there may be no address
        change = Change("connect", way, integration=name, account=account, link=None, revision=None)
        change.agree(
            f"{name}: a link would be made by which somebody grants access to HubSpot account {account}; an earlier "
            "link opens nothing any more",
            "Make the link?",
        )
        await connect.ask(publisher, name, link.record)
        told = (f"{name}: open this link within 10 minutes, and choose HubSpot account {account}:", f"  {url}")
        for line in told:  # whoever waits for the object has to open it first
            change.say(line) if way.shape == "text" else click.echo(line, err=True)
        answer = await connect.wait_until_connected(tables, name, link.record, now_ms)
        change.say(f"{name}: connected to HubSpot account {answer.account}")
        change.end(account=answer.account, link=url, revision=await _applied(tables, name, change))

    with_kafka(ask)


async def _applied(tables: TableReader, name: str, change: Change) -> int | None:
    """The revision of an apply that had to wait for the grant, once it is in force. Raises NotApplied."""
    parts = tables.table(INTEGRATIONS)
    settings, asked = settings_of(parts, name), parts[f"{name}/desired"].desired
    if settings is None or asked is None or settings.apply_state not in UNDER_WAY:
        return None
    # a pause that came meanwhile holds at once, and the apply that waited for the grant goes on
    waited_for = replace(asked, state_only=False)
    applied = await apply.wait_until_applied(tables, name, waited_for, APPLIED_S, granted=True)
    change.say(f"{name}: in force as revision {applied.settings.revision}")
    change.say(apply.what_follows(name, settings, applied.settings))
    return applied.settings.revision


def _public_url(process: Process) -> str:
    """Where the receiver is reached: the setting, or that of a running `up`."""
    running = endpoints.read(process.settings.state_dir)
    if process.settings.public_url is None and running is not None:
        return running.receiver_url
    return process.settings.webhook_base_url
