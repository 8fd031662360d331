"""Roles that come and go beside vendors that stay: for what changes between two starts of everything."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from pipeline.local.control import SimulatorControl
from pipeline.local.ports import free_port
from pipeline.local.stack import machine
from tests.e2e.looking import becomes_true
from tests.e2e.world import CREDENTIALS, World, environment_of
from tests.kafka import Kafka


@contextmanager
def vendor(name: str, port: int, *words: str) -> Iterator[None]:
    """A simulator that lives longer than the roles."""
    argv = (sys.executable, "-m", "pipeline.cli", "simulate", name, "--port", str(port), *words)
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(15)


class Installation:
    """One installation, whose roles are started with other settings each time."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], vendors: tuple[SimulatorControl, SimulatorControl]
    ):
        self._environment = environment
        self._vendors = vendors
        self._folder = folder
        self._made: dict[str, str] = {}

    @asynccontextmanager
    async def running(self, **settings: str) -> AsyncIterator[World]:
        """Every role, with these settings beside the others; commands work after its end too."""
        whole = machine({**self._environment, **settings}, simulators=False)
        stack = await asyncio.to_thread(whole.__enter__)
        try:
            cluster = Cluster({"bootstrap.servers": stack.endpoints.kafka_bootstrap_servers}, stack.settings.prefix)
            yield World(stack, *self._vendors, self._folder, cluster, Admin(cluster), self._made)
        finally:
            await asyncio.to_thread(whole.__exit__, None, None, None)


@asynccontextmanager
async def installation(folder: Path, kafka: Kafka) -> AsyncIterator[Installation]:
    """Both vendors, without limits, and no role yet."""
    ports = {"hubspot": free_port(), "userflow": free_port()}
    receiver = free_port()
    webhooks = f"http://127.0.0.1:{receiver}"
    urls = {system: f"http://127.0.0.1:{port}" for system, port in ports.items()}
    environment = {
        **environment_of(folder, kafka),
        **CREDENTIALS,
        "HUBSPOT_API_URL": urls["hubspot"],
        "USERFLOW_API_URL": urls["userflow"],
        "PAIRSTREAM_RECEIVER_PORT": str(receiver),
        "PAIRSTREAM_PUBLIC_URL": webhooks,
    }
    with ExitStack() as vendors:
        vendors.enter_context(vendor("hubspot", ports["hubspot"], "--webhooks", f"{webhooks}/webhooks/hubspot"))
        vendors.enter_context(vendor("userflow", ports["userflow"]))
        async with (
            SimulatorControl("hubspot", urls["hubspot"]) as hubspot,
            SimulatorControl("userflow", urls["userflow"]) as userflow,
        ):
            await answering(hubspot, userflow)
            yield Installation(folder, environment, (hubspot, userflow))


async def edit_all(it: World, word: str) -> None:
    """One edit of each object on either side, none waited for."""
    for contact, user in it.made.items():
        await it.hubspot.edit("contacts", contact, {"jobtitle": f"{word} {contact}"})
        await it.userflow.edit("users", user, {"plan": f"{word} {user}"})


async def delivered(it: World) -> None:
    """Every webhook was taken by the receiver."""

    async def none_waits() -> bool:
        pending = [(await system.deliveries())["pending"] for system in (it.hubspot, it.userflow)]
        return not any(pending)

    await becomes_true(none_waits, "webhooks are still under way", 60)


async def answering(hubspot: SimulatorControl, userflow: SimulatorControl) -> None:
    """Both vendors, without limits and soon to send a webhook again."""

    async def both() -> bool:
        try:
            for system in (hubspot, userflow):
                await system.set(webhook_backoff_ms=500)
            await hubspot.set(rate_limit=1_000_000, search_limit=None)
            await userflow.set(rate_per_s=None, max_in_flight=None)
        except httpx.TransportError:
            return False
        return True

    await becomes_true(both, "the vendors do not answer", 30)


async def in_step(it: World, word: str) -> None:
    await delivered(it)
    await it.converged()
    await it.idle()
    contacts = await it.hubspot.objects("contacts")
    assert {key: contacts[key]["jobtitle"] for key in it.made} == {key: f"{word} {key}" for key in it.made}
