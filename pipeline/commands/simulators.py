"""Commands on the vendors' simulators; `simulator_actions` does the work."""

from pathlib import Path

import click

from pipeline.commands.command_line import group


@group(
    examples=(
        "pairstream simulate userflow --port 9002",
        'pairstream simulate edit hubspot contacts 1150 jobtitle="Head of Data"',
        "pairstream simulate show userflow users user-150",
    )
)
def simulate() -> None:
    """Serve one vendor's simulator; edit and show its records."""


@simulate.command(examples=("pairstream simulate hubspot --port 9001 --seed contacts.json",))
@click.option("--port", type=click.IntRange(0, 65_535), required=True, help="0 picks a free one.")
@click.option("--seed", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON to start with.")
@click.option("--webhooks", help="Where it sends its webhooks.")
@click.option("--store", type=click.Path(dir_okay=False, path_type=Path), help="A file that keeps what it holds.")
def hubspot(port: int, seed: Path | None, webhooks: str | None, store: Path | None) -> None:
    """Serve HubSpot's simulator alone."""
    from pipeline.commands.simulator_actions import serve_alone

    serve_alone("hubspot", port, seed, webhooks, store)


@simulate.command(examples=("pairstream simulate userflow --port 9002 --seed users.json",))
@click.option("--port", type=click.IntRange(0, 65_535), required=True, help="0 picks a free one.")
@click.option("--seed", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON to start with.")
@click.option("--store", type=click.Path(dir_okay=False, path_type=Path), help="A file that keeps what it holds.")
def userflow(port: int, seed: Path | None, store: Path | None) -> None:
    """Serve Userflow's simulator alone.

    `apply` subscribes to its webhooks.
    """
    from pipeline.commands.simulator_actions import serve_alone

    serve_alone("userflow", port, seed, None, store)


@simulate.command(
    examples=(
        'pairstream simulate edit hubspot contacts 1150 jobtitle="Head of Data"',
        "pairstream simulate edit userflow users user-150 plan=enterprise seats:=12",
    )
)
@click.argument("system", type=click.Choice(["hubspot", "userflow"]))
@click.argument("object_type")
@click.argument("object_id")
@click.argument("fields", nargs=-1, required=True)
def edit(system: str, object_type: str, object_id: str, fields: tuple[str, ...]) -> None:
    """Edit a record of the running `up` as a person would.

    FIELDS are name=text, or name:=JSON for numbers, booleans, lists and null.
    """
    from pipeline.commands.simulator_actions import edit_record

    edit_record(system, object_type, object_id, fields)


@simulate.command(
    examples=("pairstream simulate show hubspot contacts 1150", "pairstream simulate show userflow users user-150")
)
@click.argument("system", type=click.Choice(["hubspot", "userflow"]))
@click.argument("object_type")
@click.argument("object_id")
def show(system: str, object_type: str, object_id: str) -> None:
    """Print a record's fields as the simulated vendor stores them."""
    from pipeline.commands.simulator_actions import show_record

    show_record(system, object_type, object_id)
