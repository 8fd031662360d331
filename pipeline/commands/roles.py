"""Commands that run Pairstream or a part of it in this process."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.app import run_connector, run_receiver, run_scheduler, run_until_signal, run_worker
from pipeline.commands.session import open_process, plain_errors
from pipeline.config import load_settings


@click.group()
def run() -> None:
    """Run one role in this process."""


@run.command()
def worker() -> None:
    """Join changes into pairs and derive patches."""
    with plain_errors():
        run_worker(open_process())


@run.command()
@click.argument("system", type=click.Choice(["hubspot", "userflow"]))
def connector(system: Any) -> None:
    """Read and write one system."""
    with plain_errors():
        run_until_signal(run_connector(open_process(), system))


@run.command()
def receiver() -> None:
    """Take webhooks and store them."""
    with plain_errors():
        run_until_signal(run_receiver(open_process()))


@run.command()
def scheduler() -> None:
    """Carry out what is asked of integrations."""
    with plain_errors():
        run_until_signal(run_scheduler(open_process()))


@click.command()
@click.option("--simulators", is_flag=True, help="Serve both vendors' simulators too, and talk to them.")
@click.option("--hubspot-seed", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--userflow-seed", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def up(simulators: bool, hubspot_seed: Path | None, userflow_seed: Path | None) -> None:
    """Run everything on this machine until Ctrl-C."""
    from pipeline.local.stack import Seeds, machine  # only `up` and `demo` need the local broker

    with plain_errors():
        seeds = Seeds(hubspot_seed, userflow_seed)
        with machine(os.environ, simulators=simulators, seeds=seeds, terminal=sys.stderr) as running:
            where = running.endpoints
            click.echo(f"brokers: {where.kafka_bootstrap_servers}")
            click.echo(f"receiver: {where.receiver_url}")
            if simulators:
                click.echo(f"HubSpot simulator: {where.hubspot_simulator_url}")
                click.echo(f"Userflow simulator: {where.userflow_simulator_url}")
            click.echo("ready; Ctrl-C stops everything", err=True)
            asyncio.run(running.supervisor.run_until_stopped())


@click.command()
def demo() -> None:
    """Show the whole of it on this machine: pairing, edits on both sides, latencies; ends by itself."""
    from pipeline.local.demo import run_demo  # only `demo` needs it

    with plain_errors():
        sys.exit(run_demo(os.environ))


@click.command()
@click.argument("system", type=click.Choice(["hubspot", "userflow"]))
@click.option("--port", type=int, required=True, help="0 picks a free one.")
@click.option("--seed", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON to start with.")
@click.option("--webhooks", help="Where the simulator of HubSpot sends its webhooks.")
def simulate(system: str, port: int, seed: Path | None, webhooks: str | None) -> None:
    """Serve one vendor's simulator alone."""
    from pipeline.local.simulate import serve_simulator  # production code never imports simulators

    with plain_errors():
        host = load_settings(os.environ).bind_host
        asyncio.run(serve_simulator(system, (host, port), seed, webhooks))
