"""Serves one vendor's simulator alone, until a signal."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.simulation import serve
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from pipeline.local.errors import LocalError


class SeedUnreadable(LocalError):
    """The seed file is no JSON of the shape that the simulator's docstring gives."""


async def serve_simulator(system: str, at: tuple[str, int], seed: Path | None, webhooks: str | None) -> None:
    """Serve at a host and port (0: a free one). Raises SeedUnreadable, or OSError for a port that is taken."""
    simulator: Any  # the two simulators share no public type but what `serve` asks for
    if system == "hubspot":
        simulator = HubSpotSimulator(HubSpotSettings(webhook_target_url=webhooks))
    else:
        simulator = UserflowSimulator(UserflowSettings())
    if seed is not None:
        try:
            simulator.load(json.loads(await asyncio.to_thread(seed.read_text, "utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise SeedUnreadable(f"{seed}: {error}. Fix: see the docstring of the {system} simulator.") from error
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(simulator, *at) as url:
        print(f"{system} simulator: {url} (control API below /_simulator)", flush=True)  # noqa: T201 - the command's answer
        await stop.wait()
