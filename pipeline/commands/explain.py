"""The command that explains an object; `explain_actions` does the work."""

import click

from pipeline.commands.command_line import command


@command(
    "explain",
    examples=(
        "pairstream explain hubspot contacts 10600",
        "pairstream explain userflow users user-100 --integration acme",
    ),
)
@click.argument("system", type=click.Choice(["hubspot", "userflow"]))
@click.argument("object_type", metavar="TYPE")
@click.argument("object_id", metavar="ID")
@click.option("--integration", help="Whose object it is, where several integrations are connected.")
def explain(system: str, object_type: str, object_id: str, integration: str | None) -> None:
    """Tell why an object is as it is.

    Its pairs, how each of their fields stands, and what was written to a pair
    that turned out to be ambiguous. Shows no values.
    """
    from pipeline.commands.explain_actions import explain_object
    from pipeline.operations.object_report import Named

    named = Named("hubspot" if system == "hubspot" else "userflow", object_type, object_id)
    explain_object(named, integration)
