"""Commands on integrations that are there; `integration_actions` does the work."""

import click

from pipeline.commands.command_line import command, group
from pipeline.commands.options import FORMAT, Way, changes


@group(examples=("pairstream integration list", "pairstream integration pause acme"))
def integration() -> None:
    """Look at integrations, pause them, disconnect them."""


@integration.command("list", examples=("pairstream integration list", "pairstream integration list --format json"))
@FORMAT
def integration_list(shape: str) -> None:
    """Every integration: its state, its pairs, how far behind."""
    from pipeline.commands.standing_actions import list_integrations

    list_integrations(shape)


@integration.command("show", examples=("pairstream integration show acme",))
@click.argument("name")
@FORMAT
def integration_show(name: str, shape: str) -> None:
    """How one stands, and what there is to do.

    Pairs are those that the last full sync that completed has counted.
    """
    from pipeline.commands.standing_actions import show_integration

    show_integration(name, shape)


@integration.command(
    "pause",
    examples=(
        "pairstream integration pause acme",
        'pairstream integration pause acme --reason "CRM clean-up"',
    ),
)
@click.argument("name")
@click.option("--reason", default="", help="Why, for others to read: 200 characters at most.")
@changes
def integration_pause(name: str, reason: str, way: Way) -> None:
    """Stop writing; what happens meanwhile is derived on resume.

    The reason is told wherever the pause is: by `integration show` and `list`,
    `doctor`, `audit` and in the console.
    """
    from pipeline.commands.integration_actions import change_state

    change_state(name, "paused", way, reason)


@integration.command("resume", examples=("pairstream integration resume acme",))
@click.argument("name")
@changes
def integration_resume(name: str, way: Way) -> None:
    """Go on writing."""
    from pipeline.commands.integration_actions import change_state

    change_state(name, "active", way)


@integration.command(
    "disconnect",
    examples=("pairstream integration disconnect acme", "pairstream integration disconnect acme --yes"),
)
@click.argument("name")
@changes
def integration_disconnect(name: str, way: Way) -> None:
    """Stop at once and forget the credentials.

    Values that were written stay.
    """
    from pipeline.commands.integration_actions import disconnect

    disconnect(name, way)


@integration.command(
    "forget", examples=("pairstream integration forget acme", "pairstream integration forget acme --dry-run")
)
@click.argument("name")
@changes
def integration_forget(name: str, way: Way) -> None:
    """Leave nothing of an integration that is disconnected.

    One that was never connected, because its first apply was refused, is forgotten the same way.
    """
    from pipeline.commands.integration_actions import forget

    forget(name, way)


@command(examples=("pairstream connect acme",))
@click.argument("name")
@changes
def connect(name: str, way: Way) -> None:
    """Let somebody grant access to HubSpot in a browser.

    Prints a link that opens once, for 10 minutes, and waits for what becomes of
    it. For files with oauth; a refresh_token in the file is not needed.
    """
    from pipeline.commands.connect_actions import connect_integration

    connect_integration(name, way)
