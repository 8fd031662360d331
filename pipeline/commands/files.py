"""Commands on an integration file; `file_actions` does the work."""

from pathlib import Path
from typing import Final

import click

from pipeline.commands.command_line import command

FILE: Final = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@command(examples=("pairstream validate acme.yaml",))
@FILE
def validate(file: Path) -> None:
    """Check an integration file without touching anything."""
    from pipeline.commands.file_actions import validate_file

    validate_file(file)


@command(
    examples=(
        "pairstream plan acme.yaml",
        "pairstream plan acme.yaml --format json --show-values",
    )
)
@FILE
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--show-values", is_flag=True, help="Show the values of sample differences; they are people's data.")
@click.option("--no-pairs", is_flag=True, help="Do not read the retained state.")
@click.option("--timeout", "timeout_s", default=10.0, show_default=True, help="Seconds to wait for each connector.")
def plan(file: Path, shape: str, show_values: bool, no_pairs: bool, timeout_s: float) -> None:
    """Show what applying the file would do.

    Exits 0 for nothing, 2 for a change, 1 for a refusal.
    """
    from pipeline.commands.file_actions import show_plan

    show_plan(file, shape, show_values=show_values, pairs=not no_pairs, timeout_s=timeout_s)


@command(examples=("pairstream apply acme.yaml", "pairstream apply acme.yaml --yes --timeout 120"))
@FILE
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-wait", is_flag=True, help="Hand the request over and return.")
@click.option("--timeout", "timeout_s", default=60.0, show_default=True, help="Seconds to wait for it to be in force.")
def apply(file: Path, yes: bool, no_wait: bool, timeout_s: float) -> None:
    """Put an integration file in force.

    Shows what it would do, and asks.
    """
    from pipeline.commands.file_actions import apply_file

    apply_file(file, ask_first=not yes, within_s=None if no_wait else timeout_s)


@command(examples=("pairstream export acme", "pairstream export acme --out acme.yaml"))
@click.argument("name")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="A file to write instead.")
def export(name: str, out: Path | None) -> None:
    """Write the file in force, every secret as ${NAME}."""
    from pipeline.commands.file_actions import export_file

    export_file(name, out)


@command("hubspot-project", examples=("pairstream hubspot-project acme.yaml --out acme-hubspot",))
@FILE
@click.option("--out", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder.")
def hubspot_project(file: Path, folder: Path) -> None:
    """Write the HubSpot project of an integration.

    App, webhooks and event types; upload it with HubSpot's CLI.
    """
    from pipeline.commands.file_actions import write_project

    write_project(file, folder)
