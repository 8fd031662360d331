"""Commands that run Pairstream or a part of it in this process; `role_actions` does the work."""

from pathlib import Path
from typing import Any, Final

import click

from pipeline.commands.command_line import command, group

SEED: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@group(examples=("pairstream run worker", "pairstream run connector hubspot"))
def run() -> None:
    """Run one role in this process."""


@run.command(examples=("pairstream run worker",))
def worker() -> None:
    """Join changes into pairs and derive patches."""
    from pipeline.commands.role_actions import work

    work()


@run.command(examples=("pairstream run connector hubspot",))
@click.argument("system", type=click.Choice(["hubspot", "userflow"]))
def connector(system: Any) -> None:
    """Read and write one system."""
    from pipeline.commands.role_actions import connect

    connect(system)


@run.command(examples=("pairstream run receiver",))
def receiver() -> None:
    """Take webhooks and store them."""
    from pipeline.commands.role_actions import receive

    receive()


@run.command(examples=("pairstream run scheduler",))
def scheduler() -> None:
    """Carry out what is asked of integrations."""
    from pipeline.commands.role_actions import schedule

    schedule()


@run.command(examples=("pairstream run console",))
def console() -> None:
    """Serve the console to browsers."""
    from pipeline.commands.console_actions import serve_console

    serve_console()


@command(
    examples=(
        "pairstream up --simulators",
        "pairstream up --simulators --hubspot-seed contacts.json",
        "pairstream up",
    )
)
@click.option("--simulators", is_flag=True, help="Serve both vendors' simulators too, and talk to them.")
@click.option("--hubspot-seed", type=SEED, help="JSON that HubSpot's simulator starts with; unset: the demo's.")
@click.option("--userflow-seed", type=SEED, help="JSON that Userflow's simulator starts with; unset: the demo's.")
def up(simulators: bool, hubspot_seed: Path | None, userflow_seed: Path | None) -> None:
    """Run everything on this machine until Ctrl-C."""
    if not simulators and (hubspot_seed or userflow_seed):
        raise click.UsageError("a seed file is what a simulator starts with. Fix: add --simulators.")
    from pipeline.commands.role_actions import run_everything

    run_everything(simulators, hubspot_seed, userflow_seed)


@command(examples=("pairstream demo",))
def demo() -> None:
    """Show the whole of it on this machine; ends by itself.

    Pairing, edits on both sides, latencies; about a minute.
    """
    from pipeline.commands.role_actions import show_demo

    show_demo()
