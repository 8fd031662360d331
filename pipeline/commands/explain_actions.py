"""What the command on one object does."""

import click

from pipeline.commands.explain_desk import ExplainDesk
from pipeline.commands.session import open_process, plain_errors, read_tables
from pipeline.operations import OperationRefused
from pipeline.operations.explain import explain
from pipeline.operations.object_report import Named
from pipeline.visible import visible_lines


def explain_object(named: Named, integration: str | None) -> None:
    """Print what is known of an object, in each integration that has its type."""
    with plain_errors():
        process = open_process()
        tables = read_tables(process)
        tables.stop()  # what it read stays
        desk = ExplainDesk(process, tables)
        asked = [name for name in desk.views() if integration in (None, name)]
        found = {name: about for name in asked if (about := desk.explained(name, named)) is not None}
        if not found:
            whose = f"integration {integration}" if integration else "connected integration"
            raise OperationRefused(f"no {whose} has a mapping for {named.object_type} of {named.system}")
        for name, about in found.items():
            click.echo(visible_lines(f"{name}, {named.system} {named.object_type} {named.object_id}"))
            for line in explain(about):
                click.echo(visible_lines(f"  {line}"))
