"""Commands that publish retained records again; `replay_actions` does the work."""

from typing import Any

import click

from pipeline.commands.command_line import group
from pipeline.commands.options import DRY_RUN, FORMAT, FROM, TO, YES, Way, changes


def _choice(command: Any) -> Any:
    """What is to be published again."""
    for option in (
        click.option("--activity", is_flag=True, help="Timeline events too; each shows at most once."),
        click.option(
            "--object", "wanted", nargs=3, metavar="SYSTEM TYPE ID", help="Only this object: hubspot contacts 10600."
        ),
        click.option("--mapping", help="Only objects of this mapping's types."),
        click.option(
            "--from-topic",
            "topics",
            multiple=True,
            metavar="TOPIC",
            help="Instead of both systems' changes; repeatable. Notifications are translated again.",
        ),
        TO,
        FROM,
    ):
        command = option(command)
    return command


@group("replay", examples=("pairstream replay plan acme --from -24h", "pairstream replay status"))
def replay() -> None:
    """Handle retained records once more."""


@replay.command(
    "plan",
    examples=(
        "pairstream replay plan acme --from 2026-11-25T00:00Z --to 2026-11-26T00:00Z",
        "pairstream replay plan acme --mapping contacts-users --format json",
        "pairstream replay plan acme.yaml --from -24h",
    ),
)
@click.argument("name", metavar="NAME|FILE")
@_choice
@FORMAT
def replay_plan(name: str, shape: str, **given: Any) -> None:
    """Tell exactly what a replay would write.

    The agents' own decisions are made over what is known now; nothing is
    published. Of a file: by its mappings, which need not be in force. Exits 2
    where it would write something.
    """
    from pipeline.commands.replay_actions import plan_replay

    plan_replay(_asked(name, given), shape)


@replay.command(
    "run",
    examples=(
        "pairstream replay run acme --from -24h",
        "pairstream replay run acme --object hubspot contacts 10600 --yes",
        "pairstream replay run --resume 1795700000000-7c1e",
    ),
)
@click.argument("name", required=False)
@_choice
@click.option("--resume", metavar="REPLAY", help="Go on with one that was interrupted, where it stood.")
@DRY_RUN
@YES
@FORMAT
def replay_run(name: str | None, resume: str | None, dry_run: bool, yes: bool, shape: str, **given: Any) -> None:
    """Publish retained records again, as bulk behind live changes.

    Old values keep their old stamps, so nothing new is overwritten. No group's
    offsets move.
    """
    from pipeline.commands.replay_actions import resume_replay, run_replay

    if (name is None) == (resume is None):
        raise click.UsageError("which one? Fix: name the integration, or --resume a replay.")
    if resume is not None:
        if any(given.values()):
            raise click.UsageError("an interrupted replay goes on as it began. Fix: leave out what chooses records.")
        return resume_replay(resume, dry_run=dry_run, yes=yes, shape=shape)
    return run_replay(_asked(name or "", given), dry_run=dry_run, yes=yes, shape=shape)


@replay.command("status", examples=("pairstream replay status", "pairstream replay status --format json"))
@click.argument("name", required=False)
@FORMAT
def replay_status(name: str | None, shape: str) -> None:
    """The replays of the last 30 days, newest first."""
    from pipeline.commands.replay_actions import status

    status(name, shape)


@replay.command("cancel", examples=("pairstream replay cancel 1795700000000-7c1e",))
@click.argument("replay_id", metavar="REPLAY")
@changes
def replay_cancel(replay_id: str, way: Way) -> None:
    """End a replay, wherever it runs. What it published stays."""
    from pipeline.commands.replay_actions import cancel

    cancel(replay_id, way)


def _asked(name: str, given: dict[str, Any]) -> Any:
    """What is asked for. Raises UsageError where an object is of no system."""
    from pipeline.commands.replay_desk import Asked

    wanted = given.pop("wanted")
    if wanted and wanted[0] not in ("hubspot", "userflow"):
        raise click.UsageError(f"{wanted[0]} is no system. Fix: write hubspot or userflow.")
    if wanted and given["mapping"]:
        raise click.UsageError("an object is of all its mappings. Fix: leave out --mapping or --object.")
    return Asked(name, wanted=wanted or None, **given)
