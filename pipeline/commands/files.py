"""Commands on an integration file; `file_actions` does the work."""

from pathlib import Path
from typing import Final

import click

from pipeline.commands.command_line import command
from pipeline.commands.options import FORMAT, Number, Way, changes

SECONDS: Final = Number(min=0, min_open=True, max=86_400)
FILE: Final = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@command(examples=("pairstream validate acme.yaml", "pairstream validate acme.yaml --offline --strict"))
@FILE
@click.option("--offline", is_flag=True, help="Do not read variables that are set either.")
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
@click.option("--granted-later", is_flag=True, expose_value=False, help="Taken without it by now: of no effect.")
@FORMAT
def validate(file: Path, offline: bool, strict: bool, shape: str) -> None:
    """Check an integration file without touching anything.

    No ${NAME} needs to be set, so that pull requests are checked without secrets;
    the value of one that is set is checked too.
    """
    from pipeline.commands.file_actions import validate_file

    validate_file(file, offline=offline, strict=strict, shape=shape)


@command(examples=("pairstream schema", "pairstream schema --example"))
@click.option("--example", is_flag=True, help="A file to start from instead, with every key.")
def schema(example: bool) -> None:
    """Print the JSON schema of integration files.

    Saved as pairstream.schema.json, editors complete and check by it a file
    that begins with # yaml-language-server: $schema=pairstream.schema.json
    """
    from pipeline.commands.file_actions import print_example, print_schema

    print_example() if example else print_schema()


@command(
    examples=(
        "pairstream plan acme.yaml",
        "pairstream plan acme.yaml --format json --show-values",
        "pairstream plan acme.yaml --revision 4",
    )
)
@FILE
@FORMAT
@click.option("--show-values", is_flag=True, help="Show the values of sample differences; they are people's data.")
@click.option("--no-pairs", is_flag=True, help="Do not read the retained state.")
@click.option(
    "--timeout", "timeout_s", type=SECONDS, default=10.0, show_default=True, help="Seconds to wait for each connector."
)
@click.option("--revision", type=click.IntRange(min=1), help="Plan going back to this revision of its integration.")
def plan(file: Path, shape: str, show_values: bool, no_pairs: bool, timeout_s: float, revision: int | None) -> None:
    """Show what applying the file would do.

    Exits 0 for nothing, 2 for a change, 1 for a refusal.
    """
    from pipeline.commands.file_actions import show_plan

    show_plan(file, shape, show_values=show_values, pairs=not no_pairs, timeout_s=timeout_s, revision=revision)


@command(examples=("pairstream apply acme.yaml", "pairstream apply acme.yaml --yes --timeout 120"))
@FILE
@changes
@click.option("--no-wait", is_flag=True, help="Hand the request over and return.")
@click.option(
    "--timeout", "timeout_s", type=SECONDS, default=60.0, show_default=True, help="Seconds to wait for each step."
)
def apply(file: Path, way: Way, no_wait: bool, timeout_s: float) -> None:
    """Put an integration file in force.

    Shows what it would do, and asks. --dry-run is `plan`, and exits 0.
    """
    from pipeline.commands.file_actions import apply_file

    apply_file(file, way, wait=not no_wait, timeout_s=timeout_s)


@command(examples=("pairstream export acme", "pairstream export acme --out acme.yaml"))
@click.argument("name")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="A file to write instead.")
@FORMAT
def export(name: str, out: Path | None, shape: str) -> None:
    """Write the file in force, every secret as ${NAME}."""
    from pipeline.commands.file_actions import export_file

    if out is not None and shape == "json":
        raise click.UsageError("--out writes the file itself. Fix: leave out --out, or --format.")
    export_file(name, out, shape)


@command("hubspot-project", examples=("pairstream hubspot-project acme.yaml --out acme-hubspot",))
@FILE
@click.option("--out", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder.")
@FORMAT
def hubspot_project(file: Path, folder: Path, shape: str) -> None:
    """Write the HubSpot project of an integration.

    App, webhooks and event types; upload it with HubSpot's CLI.
    """
    from pipeline.commands.file_actions import write_project

    write_project(file, folder, shape)
