"""The command that explains an object or a pair; `explain_actions` does the work."""

from typing import Any

import click

from pipeline.commands.command_line import command
from pipeline.commands.lag import Duration
from pipeline.commands.options import STREAM


@command(
    "explain",
    examples=(
        "pairstream explain hubspot contacts 10600",
        "pairstream explain userflow users user-100 --integration acme",
        "pairstream explain acme contacts-users ada@example.com",
        "pairstream explain hubspot contacts 10600 --follow",
        "pairstream explain hubspot contacts 10999 --look",
    ),
)
@click.argument("system", metavar="SYSTEM|INTEGRATION")
@click.argument("object_type", metavar="TYPE|MAPPING")
@click.argument("object_id", metavar="ID|MATCH-VALUE")
@click.option("--integration", help="Whose object it is, where several integrations are connected.")
@click.option("--history", "most", type=click.IntRange(min=0), default=10, show_default=True, help="So many records.")
@click.option(
    "--history-within", "within_s", type=Duration(), default="600ms", show_default=True, help="How long to look back."
)
@click.option("--look", is_flag=True, help="Have its systems asked first, through their connectors.")
@click.option("--follow", is_flag=True, help="Go on with each record that concerns it, until Ctrl-C.")
@click.option("--show-values", "values", is_flag=True, help="People's values too, which are hidden else.")
@STREAM
def explain(**given: Any) -> None:
    """Tell why an object, or a pair, is as it is.

    Its pairs, how each of their fields stands and which change wrote it, what was
    written to a pair that turned out to be ambiguous, and what is retained of it.
    An object is named by its system, type and id; a pair by its integration,
    mapping and match value. Nothing is asked of a system unless --look says so.
    """
    from pipeline.commands.explain_actions import Asked, explain_one

    if given["follow"] and given["shape"] == "json":
        raise click.UsageError("--follow has no end. Fix: write --format jsonl.")
    explain_one(Asked(**given))
