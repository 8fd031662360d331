"""Commands on full syncs; `full_sync_actions` does the work."""

from typing import Any

import click

from pipeline.commands.command_line import group
from pipeline.commands.options import FORMAT, SECONDS, STREAM, Way, changes, changing

WITHIN = click.option("--timeout", "within_s", type=SECONDS, help="Give up after so many seconds.")


@group("full-sync", examples=("pairstream full-sync start acme --wait", "pairstream full-sync status"))
def full_sync_group() -> None:
    """Bring everything in step, not only what changes."""


@full_sync_group.command(
    "start",
    examples=("pairstream full-sync start", "pairstream full-sync start acme --mapping contacts-users --wait"),
)
@click.argument("name", required=False)
@click.option("--mapping", "mappings", multiple=True, help="Only this mapping; may be given again.")
@click.option("--wait", is_flag=True, help="Show it until it ends, like `watch`.")
@click.option("--supersede", is_flag=True, help="End the run under way and begin anew.")
@click.option("--ask", "asks", is_flag=True, help="Count first, and write once `full-sync confirm` lets it.")
@click.option(
    "--rate", "most_per_s", type=click.IntRange(min=1), metavar="N", help="Write at most N fields a second in all."
)
@WITHIN
@changing(STREAM)
def full_sync_start(way: Way, **given: Any) -> None:
    """Read both sides, then write what differs.

    Without NAME: of every integration. Pairs that are in step already cost no
    write. One run at a time goes on for each integration.
    """
    from pipeline.commands.full_sync_actions import start

    if given["within_s"] is not None and not given["wait"]:
        raise click.UsageError("--timeout is how long to wait. Fix: add --wait.")
    if way.shape == "jsonl" and not given["wait"]:
        raise click.UsageError("an object a line is for what goes on. Fix: add --wait, or write --format json.")
    start(**given, way=way)


@full_sync_group.command(
    "status", examples=("pairstream full-sync status", "pairstream full-sync status acme --format json")
)
@click.argument("name", required=False)
@FORMAT
def full_sync_status(name: str | None, shape: str) -> None:
    """The run under way, or the last one; of each integration."""
    from pipeline.commands.full_sync_actions import status

    status(name, shape)


@full_sync_group.command("watch", examples=("pairstream full-sync watch acme",))
@click.argument("name", required=False)
@WITHIN
@STREAM
def full_sync_watch(name: str | None, within_s: float | None, shape: str) -> None:
    """Show a run until it ends.

    Exits 0 if it completed, 1 if not. Where another run does what it was asked for,
    it goes on with that one.
    """
    from pipeline.commands.full_sync_actions import watch

    watch(name, within_s, shape)


def _stopping(word: str, *, hidden: bool) -> None:
    @full_sync_group.command(word, examples=(f"pairstream full-sync {word} acme",), hidden=hidden)
    @click.argument("name")
    @changes
    def full_sync_stop(name: str, way: Way) -> None:
        """End the run under way.

        Before it writes, nothing was written. What it wrote by then stays.
        """
        from pipeline.commands.full_sync_actions import stop

        stop(name, way)


for _word, _hidden in (("stop", False), ("cancel", True)):
    _stopping(_word, hidden=_hidden)


@full_sync_group.command("history", examples=("pairstream full-sync history acme",))
@click.argument("name")
@FORMAT
def full_sync_history(name: str, shape: str) -> None:
    """The last runs, newest first."""
    from pipeline.commands.full_sync_actions import history

    history(name, shape)


@full_sync_group.command("confirm", examples=("pairstream full-sync confirm acme",))
@click.argument("name")
@changes
def full_sync_confirm(name: str, way: Way) -> None:
    """Let a run write that waits to be let.

    `start --ask` makes a run ask; PAIRSTREAM_FULL_SYNC_MOST_EMPTIED bounds what one
    may empty without.
    """
    from pipeline.commands.full_sync_actions import confirm

    confirm(name, way)
