"""The command line: every command reads its input, calls one operation, and says in plain words what came of it."""

from typing import Final

import click

from pipeline.commands import (
    audit,
    console,
    dead_letters,
    erase,
    explain,
    files,
    full_syncs,
    installation,
    integrations,
    lag,
    replays,
    roles,
    simulators,
    state,
)
from pipeline.commands.command_line import WIDTH, Program

COMMANDS: Final[tuple[click.Command, ...]] = (
    roles.demo,
    roles.up,
    roles.run,
    simulators.simulate,
    files.validate,
    files.schema,
    files.plan,
    files.apply,
    files.export,
    files.hubspot_project,
    integrations.integration,
    integrations.connect,
    full_syncs.full_sync_group,
    erase.erase,
    explain.explain,
    dead_letters.dead_letters,
    lag.lag,
    replays.replay,
    state.state,
    audit.audit,
    console.console,
    installation.topics,
    installation.secrets,
    installation.doctor,
)


@click.group(
    cls=Program,
    examples=("pairstream demo", "pairstream up --simulators", "pairstream apply acme.yaml"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
)
def main() -> None:
    """Keeps HubSpot and Userflow in step."""


for command in COMMANDS:
    main.add_command(command)


if __name__ == "__main__":
    main()
