"""What the command on one object does."""

import sys

import click

from pipeline.commands.explain_desk import ExplainDesk, Named
from pipeline.commands.session import open_process, plain_errors, read_tables
from pipeline.operations import OperationRefused
from pipeline.operations.explain import explain
from pipeline.visible import visible_lines


def explain_object(named: Named, integration: str | None) -> None:
    """Print what is known of an object, in each integration that has its type."""
    with plain_errors():
        process = open_process()
        tables = read_tables(process)
        try:
            desk = ExplainDesk(process, tables)
            views = {
                name: view
                for name, view in desk.views().items()
                if integration in (None, name) and view.of_type(named.system, named.object_type)
            }
        finally:
            tables.stop()
        if not views:
            whose = f"integration {integration}" if integration else "connected integration"
            raise OperationRefused(f"no {whose} has a mapping for {named.object_type} of {named.system}")
        for name, view in views.items():
            click.echo(visible_lines(f"{name}, {named.system} {named.object_type} {named.object_id}"), file=sys.stdout)
            for line in explain(desk.explained(name, view, named)):
                click.echo(visible_lines(f"  {line}"), file=sys.stdout)
