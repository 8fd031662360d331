"""The command line: every command reads its input, calls one operation, and says in plain words what came of it."""

from typing import Final

import click

from pipeline.commands import files, installation, integrations, roles

COMMANDS: Final[tuple[click.Command, ...]] = (
    roles.demo,
    roles.up,
    roles.run,
    roles.simulate,
    files.validate,
    files.plan,
    files.apply,
    files.export,
    files.hubspot_project,
    integrations.integration,
    integrations.full_sync_group,
    installation.topics,
    installation.doctor,
)


@click.group()
def main() -> None:
    """Keeps HubSpot and Userflow in step."""


for command in COMMANDS:
    main.add_command(command)


if __name__ == "__main__":
    main()
