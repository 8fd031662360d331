"""Commands about the installation: its topics, and what is wrong with it; `installation_actions` does the work."""

from typing import Final

import click

from pipeline.commands.command_line import command, group

REPLICATION: Final = click.option(
    "--replication", type=click.IntRange(min=1), help="Replicas of each topic; unset: the brokers' default."
)


@group(examples=("pairstream topics apply", "pairstream topics check"))
def topics() -> None:
    """Make and check the topics."""


@topics.command("apply", examples=("pairstream topics apply", "pairstream topics apply --replication 3"))
@REPLICATION
def topics_apply(replication: int | None) -> None:
    """Make missing topics and mend their settings."""
    from pipeline.commands.installation_actions import apply_topics

    apply_topics(replication)


@topics.command("check", examples=("pairstream topics check", "pairstream topics check --replication 3"))
@REPLICATION
def topics_check(replication: int | None) -> None:
    """Say where topics differ from the table; exits 1 where they do."""
    from pipeline.commands.installation_actions import check_topics

    check_topics(replication)


@group(examples=("pairstream secrets rotate",))
def secrets() -> None:
    """The secrets that are kept sealed on the brokers."""


@secrets.command("rotate", examples=("pairstream secrets rotate",))
def secrets_rotate() -> None:
    """Seal every secret again with the newest key.

    The newest is the first in PAIRSTREAM_SECRET_KEY, for this command as for the
    roles. Afterwards no other key is needed. May be repeated.
    """
    from pipeline.commands.installation_actions import rotate_secrets

    rotate_secrets()


@command(examples=("pairstream doctor",))
def doctor() -> None:
    """Say what is wrong here, in the order in which to mend it."""
    from pipeline.commands.installation_actions import examine_installation

    examine_installation()
