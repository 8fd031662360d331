"""What the commands on simulators do."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.commands.command_line import clean_up_on_ctrl_c
from pipeline.commands.session import plain_errors
from pipeline.config import load_settings
from pipeline.local import running_simulator
from pipeline.local.simulate import serve_simulator


def serve_alone(system: str, port: int, seed: Path | None, webhooks: str | None, store: Path | None) -> None:
    """Serve one simulator until a signal."""
    clean_up_on_ctrl_c()
    with plain_errors():
        host = load_settings(os.environ).bind_host
        asyncio.run(serve_simulator(system, (host, port), seed=seed, webhooks=webhooks, store=store))


def edit_record(system: str, object_type: str, object_id: str, given: Sequence[str]) -> None:
    """Edit a record of the running `up` as a person would."""
    fields = dict(map(_field, given))
    with plain_errors():
        running_simulator.edit(load_settings(os.environ).state_dir, system, object_type, object_id, fields)
        click.echo(f"{system} {object_type} {object_id}: {', '.join(fields)} edited")


def show_record(system: str, object_type: str, object_id: str) -> None:
    """Print a record's fields, one a line."""
    with plain_errors():
        found = running_simulator.fields_of(load_settings(os.environ).state_dir, system, object_type, object_id)
        for name, value in sorted(found.items()):
            click.echo(f"{name}: {value if isinstance(value, str) else json.dumps(value)}")


def _field(given: str) -> tuple[str, Any]:
    """`name=text` or `name:=JSON`."""
    name, equals, text = given.partition("=")
    if not equals or not name.rstrip(":"):
        raise click.UsageError(f"`{given}` is no name=value, for example jobtitle=Engineer")
    if not name.endswith(":"):
        return name, text
    try:
        return name[:-1], json.loads(text)
    except ValueError:
        raise click.UsageError(f"`{given}`: what follows := is no JSON, for example seats:=12") from None
