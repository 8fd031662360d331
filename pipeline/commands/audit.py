"""The command that tells who did what; `audit_actions` does the work."""

from typing import Any, Final

import click

from pipeline.commands.command_line import command
from pipeline.commands.options import FORMAT, SINCE, Word
from schemas.audit import ACTIONS

ACTION: Final = Word("action", ACTIONS)


@command(
    examples=(
        "pairstream audit acme --since 30d",
        "pairstream audit --action apply --format json",
        "pairstream audit acme --revision 4",
    )
)
@click.argument("name", required=False)
@SINCE
@click.option("--action", type=ACTION, metavar="ACTION", help="Only this, such as apply or pause.")
@click.option("--revision", type=click.IntRange(min=1), help="Print the integration file of that revision instead.")
@FORMAT
def audit(name: str | None, revision: int | None, **given: Any) -> None:
    """Who did what, when and from where, for 400 days.

    What people did by commands, and what the roles did because of it. Each
    revision's file is kept with it, secrets as ${NAME}.
    """
    from pipeline.commands.audit_actions import print_revision, tell

    if revision is None:
        return tell(name, shape=given["shape"], action=given["action"], since=given["since"])
    if name is None:
        raise click.UsageError("of which integration? Fix: name it.")
    return print_revision(name, revision, given["shape"])
