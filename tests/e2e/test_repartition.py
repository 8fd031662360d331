"""From 4 to 12 partitions and back: edits before, between and after arrive, each once; state deleted and rebuilt."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka.admin import AdminClient

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from pipeline.local.control import SimulatorControl
from pipeline.local.ports import free_port
from pipeline.local.stack import machine
from schemas.state import ObjectState, PairState
from schemas.topics import OBJECTS_STATE, PAIRS_STATE
from tests.e2e.looking import becomes_true
from tests.e2e.world import CREDENTIALS, World, environment_of, forget, measured
from tests.kafka import Kafka

PAIRS: Final = 30
STATE: Final = (OBJECTS_STATE, PAIRS_STATE)


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
    """Roles that come and go beside vendors that stay."""

    def __init__(self, folder: Path, kafka: Kafka) -> None:
        self.ports = {"hubspot": free_port(), "userflow": free_port()}
        receiver = free_port()
        self.webhooks = f"http://127.0.0.1:{receiver}"
        self.urls = {system: f"http://127.0.0.1:{port}" for system, port in self.ports.items()}
        self.environment = {
            **environment_of(folder, kafka),
            **CREDENTIALS,
            "HUBSPOT_API_URL": self.urls["hubspot"],
            "USERFLOW_API_URL": self.urls["userflow"],
            "PAIRSTREAM_RECEIVER_PORT": str(receiver),
            "PAIRSTREAM_PUBLIC_URL": self.webhooks,
        }
        self.made: dict[str, str] = {}
        self._folder = folder

    @asynccontextmanager
    async def running(
        self, partitions: int, hubspot: SimulatorControl, userflow: SimulatorControl
    ) -> AsyncIterator[World]:
        """Every role with that many partitions; commands work after its end too."""
        self.environment["PAIRSTREAM_PARTITIONS"] = str(partitions)
        whole = machine(self.environment, simulators=False)
        stack = await asyncio.to_thread(whole.__enter__)
        try:
            servers, prefix = stack.endpoints.kafka_bootstrap_servers, stack.settings.prefix
            cluster = Cluster({"bootstrap.servers": servers}, prefix)
            yield World(stack, hubspot, userflow, self._folder, cluster, Admin(cluster), self.made)
        finally:
            await asyncio.to_thread(whole.__exit__, None, None, None)


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


def state(it: World) -> dict[str, dict[str, ObjectState | PairState]]:
    """Both agents' rows, without the times of our own clock at which something was asked."""
    return {topic: {key: _timeless(row) for key, row in it.rows(topic).items()} for topic in STATE}


def _timeless(row: ObjectState | PairState) -> ObjectState | PairState:
    if isinstance(row, ObjectState):
        return row
    return replace(row, looked_up_ms=0, asked=dict.fromkeys(row.asked, 0))


@pytest.mark.long  # four starts of every role
async def test_from_four_to_twelve_and_back_nothing_is_lost_or_written_twice(tmp_path: Path, kafka: Kafka) -> None:
    it = Installation(tmp_path, kafka)
    with ExitStack() as vendors:
        vendors.enter_context(vendor("hubspot", it.ports["hubspot"], "--webhooks", f"{it.webhooks}/webhooks/hubspot"))
        vendors.enter_context(vendor("userflow", it.ports["userflow"]))
        async with (
            SimulatorControl("hubspot", it.urls["hubspot"]) as hubspot,
            SimulatorControl("userflow", it.urls["userflow"]) as userflow,
        ):
            await answering(hubspot, userflow)
            async with it.running(4, hubspot, userflow) as four:
                for number in range(PAIRS):
                    await four.pair(number)
                await four.apply()
                await four.full_sync()
                await four.converged()
                await four.idle()
                before = await four.writes()
                assert "stop it" in await four.command("topics", "repartition", "12", "--yes", expect=1)
                await edit_all(four, "before")
            await repartitioned(four, 12)
            await edit_all(four, "between")
            async with it.running(12, hubspot, userflow) as twelve:
                await edit_all(twelve, "after")
                await in_step(twelve, "after")
                await edit_all(twelve, "and back")
            await repartitioned(twelve, 4)
            async with it.running(4, hubspot, userflow) as back:
                await in_step(back, "and back")
                after = await back.writes()
                assert after["userflow"] - before["userflow"] <= 4 * PAIRS, "each edit is written once at most"
                assert after["hubspot"] - before["hubspot"] <= 4 * PAIRS
                assert await back.dead_letters() == [] and await back.created_by_api() == 0
            await rebuilt(back)
            async with it.running(4, hubspot, userflow) as last:
                await last.full_sync()
                assert await last.writes() == after
                await edit_all(last, "rebuilt")
                await in_step(last, "rebuilt")
    await asyncio.to_thread(forget, last.cluster)


async def answering(hubspot: SimulatorControl, userflow: SimulatorControl) -> None:
    """Both vendors, without limits and soon to send a webhook again."""

    async def both() -> bool:
        try:
            for system in (hubspot, userflow):
                await system.set(webhook_backoff_ms=500)
            await hubspot.set(rate_limit=1_000_000, search_limit=None)
            await userflow.set(rate_per_s=None, max_in_flight=None)
        except OSError:
            return False
        return True

    await becomes_true(both, "the vendors do not answer", 30)


async def repartitioned(it: World, number: int) -> None:
    told = await it.command("topics", "repartition", str(number), "--yes")
    measured(told.splitlines()[-2])
    refused = await it.command("apply", str(it.folder / "integration.yaml"), "--yes", expect=1)
    assert f"topics have {number} partitions" in refused


async def in_step(it: World, word: str) -> None:
    await delivered(it)
    await it.converged()
    await it.idle()
    contacts = await it.hubspot.objects("contacts")
    assert {key: contacts[key]["jobtitle"] for key in it.made} == {key: f"{word} {key}" for key in it.made}


async def rebuilt(it: World) -> None:
    """State deleted and rebuilt equals the state before."""
    before = await asyncio.to_thread(state, it)
    assert len(before[OBJECTS_STATE]) == 2 * PAIRS and len(before[PAIRS_STATE]) == PAIRS
    admin = AdminClient(dict(it.cluster.client))
    for deleted in admin.delete_topics([it.cluster.physical(topic) for topic in STATE], operation_timeout=15).values():
        deleted.result(15)
    await it.command("topics", "apply", PAIRSTREAM_PARTITIONS="4")
    told = await it.command("state", "rebuild", "--yes", PAIRSTREAM_PARTITIONS="4")
    measured(told.splitlines()[0])
    assert await asyncio.to_thread(state, it) == before
