"""Commands about the console; `console_actions` does the work."""

from typing import Any

import click

from pipeline.commands.command_line import group
from pipeline.commands.options import FORMAT, Way, changes


@group("console", examples=("pairstream console link", "pairstream console sign-out"))
def console() -> None:
    """Let people into the console, or end their sessions."""


@console.command(examples=("pairstream console link", "pairstream console link --role viewer"))
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator", "admin"]),
    default="admin",
    show_default=True,
    help="What it permits.",
)
@FORMAT
def link(role: Any, shape: str) -> None:
    """Print a link that signs in once, within 10 minutes."""
    from pipeline.commands.console_actions import print_link

    print_link(role, shape)


@console.command("sign-out", examples=("pairstream console sign-out",))
@changes
def sign_out(way: Way) -> None:
    """End every session, link and token."""
    from pipeline.commands.console_actions import end_sessions

    end_sessions(way)
