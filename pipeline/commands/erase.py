"""The command that erases a record; `erase_actions` does the work."""

import click

from pipeline.commands.command_line import command
from pipeline.commands.options import Way, changes


@command(
    "erase",
    examples=(
        "pairstream erase hubspot contacts 10600",
        "pairstream erase hubspot contacts 10600 --integration acme --yes",
    ),
)
@click.argument("system", type=click.Choice(["hubspot"]))
@click.argument("object_type", metavar="TYPE")
@click.argument("object_id", metavar="ID")
@click.option("--integration", help="Whose record it is, where several integrations are connected.")
@changes
def erase(system: str, object_type: str, object_id: str, integration: str | None, way: Way) -> None:
    """Erase a HubSpot record and its pair here.

    State and topics are rid of it; what HubSpot and Userflow hold stays there. The
    same happens by itself when HubSpot tells of a privacy deletion.
    """
    from pipeline.commands.erase_actions import erase_object

    erase_object(object_type, object_id, integration=integration, way=way)
