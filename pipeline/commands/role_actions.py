"""What the commands that run Pairstream or a part of it do."""

import asyncio
import logging
import os
import sys
import time
from pathlib import Path

import click

from pipeline.app import run_connector, run_receiver, run_scheduler, run_worker
from pipeline.commands.command_line import clean_up_on_ctrl_c
from pipeline.commands.session import open_process, plain_errors
from pipeline.config import load_settings
from pipeline.process import Process, run_until_signal
from pipeline.state_dir import PRIVATE_UMASK
from schemas.codec import CODEC, SLOWER
from schemas.values import System

log = logging.getLogger(__name__)


def open_role() -> Process:
    """What a role makes on disk is for its owner only."""
    clean_up_on_ctrl_c()
    os.umask(PRIVATE_UMASK)
    if CODEC != "compiled":
        log.warning("%s", SLOWER)
    return open_process(makes_key=True, lasts=True)


def work() -> None:
    """The worker, until a signal."""
    with plain_errors():
        run_worker(open_role())


def connect(system: System) -> None:
    """One system's connector, until a signal."""
    with plain_errors():
        run_until_signal(run_connector(open_role(), system))


def receive() -> None:
    """The receiver, until a signal."""
    with plain_errors():
        run_until_signal(run_receiver(open_role()))


def schedule() -> None:
    """The scheduler, until a signal."""
    with plain_errors():
        run_until_signal(run_scheduler(open_role()))


def run_everything(simulators: bool, hubspot_seed: Path | None, userflow_seed: Path | None) -> None:
    """`up`: every process of one machine, until a signal."""
    from pipeline.commands.console_actions import console_link
    from pipeline.local import welcome  # only `up` and `demo` need these
    from pipeline.local.seed_file import read_seed, shipped
    from pipeline.local.stack import Seeds, machine

    clean_up_on_ctrl_c()
    with plain_errors():
        started = time.monotonic()
        seeds = Seeds(hubspot_seed or shipped("hubspot"), userflow_seed or shipped("userflow"))
        if simulators:
            for system, path in (("hubspot", seeds.hubspot), ("userflow", seeds.userflow)):
                read_seed(system, path or shipped(system))  # a mistake in it is said before anything starts
        with machine(
            os.environ,
            simulators=simulators,
            console=True,
            seeds=seeds,
            keep_stores=True,
            say=click.echo,
            terminal=sys.stderr,
        ) as running:
            state_dir, default = running.settings.state_dir, load_settings(_without_state_dir()).state_dir
            click.echo(f"ready after {time.monotonic() - started:.1f} s; Ctrl-C stops everything\n")
            lines = welcome.listening(running.endpoints, state_dir / "logs")
            lines += welcome.console(console_link(running.settings))
            lines += welcome.next_steps(
                welcome.program(),
                state_dir if state_dir != default else None,
                simulators=simulators,
                demo_data=hubspot_seed is None and userflow_seed is None,
            )
            click.echo("\n".join(lines))
            asyncio.run(running.supervisor.run_until_stopped())


def _without_state_dir() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith("XDG_")}


def show_demo() -> None:
    """`demo`: exits 0 if every value is right in the end."""
    from pipeline.local.demo import run_demo  # only `demo` needs it

    clean_up_on_ctrl_c()
    with plain_errors():
        sys.exit(run_demo(os.environ))
