"""Serves one vendor's simulator alone, until a signal."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from connectors.hubspot.simulator import HubSpotSettings, HubSpotSimulator
from connectors.simulation import serve
from connectors.userflow.simulator import UserflowSettings, UserflowSimulator
from pipeline.local.seed_file import FORMAT, SeedUnreadable, read_seed
from pipeline.local.simulator_store import SavedBeforeAnswered, SimulatorStore


async def serve_simulator(
    system: str, at: tuple[str, int], *, seed: Path | None, webhooks: str | None, store: Path | None
) -> None:
    """Serve at a host and port (0: a free one). Raises SeedUnreadable, StoreUnreadable or CannotListen.

    What `store` holds goes before `seed`.
    """
    simulator: Any  # the two simulators share no public type but what `serve` asks for
    if system == "hubspot":
        simulator = HubSpotSimulator(HubSpotSettings(webhook_target_url=webhooks))
    else:
        simulator = UserflowSimulator(UserflowSettings())
    kept = None if store is None else SimulatorStore(simulator, system, store)
    restored = kept is not None and kept.restore()
    if seed is not None and not restored:
        _load(simulator, system, seed)
    if kept is not None:
        await kept.save()
        simulator.app = SavedBeforeAnswered(simulator.app, kept)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(simulator, *at) as url:
        print(f"{system} simulator: {url} (control API below /_simulator)", flush=True)  # noqa: T201 - the command's answer
        await stop.wait()


def _load(simulator: Any, system: str, path: Path) -> None:
    seed = read_seed(system, path)
    try:
        simulator.load(seed)
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # a type or a record that is not there, say
        raise SeedUnreadable(f"{path}: {error}. {FORMAT}.") from error
