"""Commands about the agents' state; `state_actions` does the work."""

from pipeline.commands.command_line import group
from pipeline.commands.options import DRY_RUN, FORMAT, YES


@group("state", examples=("pairstream state rebuild --dry-run",))
def state() -> None:
    """What is known of objects and pairs."""


@state.command("rebuild", examples=("pairstream state rebuild --dry-run", "pairstream state rebuild --yes"))
@DRY_RUN
@YES
@FORMAT
def state_rebuild(dry_run: bool, yes: bool, shape: str) -> None:
    """Make the agents' state again from the records that are retained.

    Stop the workers first; other roles may run. The agents' own decisions are
    made over every change, activity and receipt they had handled; nothing is
    sent to the rim, no group's offsets move. What is older than the retention
    comes back by a full sync. Takes what is retained in memory.
    """
    from pipeline.commands.state_actions import rebuild

    rebuild(dry_run=dry_run, yes=yes, shape=shape)
