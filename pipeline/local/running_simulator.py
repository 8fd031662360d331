"""A person's work in the simulators of the running `up`, refusals as sentences."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

from pipeline.local import endpoints
from pipeline.local.control import SimulatorControl
from pipeline.local.errors import LocalError

T = TypeVar("T")


class NoSimulator(LocalError):
    """No simulator runs here, or it does not answer."""


class EditRefused(LocalError):
    """The simulated vendor refuses what a person asked of it."""


def edit(state_dir: Path, system: str, object_type: str, object_id: str, fields: Mapping[str, Any]) -> None:
    """Edit a record. Raises NoSimulator or EditRefused."""
    asyncio.run(_on(state_dir, system, lambda control: control.edit(object_type, object_id, fields)))


def fields_of(state_dir: Path, system: str, object_type: str, object_id: str) -> Mapping[str, Any]:
    """A record's fields as the vendor stores them. Raises NoSimulator or EditRefused."""
    return asyncio.run(_on(state_dir, system, lambda control: control.fields(object_type, object_id)))


async def _on(state_dir: Path, system: str, work: Callable[[SimulatorControl], Awaitable[T]]) -> T:
    running = endpoints.read(state_dir)
    url = None if running is None else running.simulator_url(system)
    if url is None:
        raise NoSimulator(f"no simulator of {system} runs here. Fix: start `pairstream up --simulators` first.")
    async with SimulatorControl(system, url) as control:
        try:
            return await work(control)
        except httpx.HTTPStatusError as error:
            raise EditRefused(f"{system}: {_reason(error.response)}") from None
        except httpx.HTTPError as error:
            raise NoSimulator(f"{url} does not answer ({type(error).__name__}). Fix: start `up` again.") from None


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
