"""Processes and the broker are killed during edits on both sides: nothing is lost, made, or written in vain."""

import asyncio
import random
import time

import pytest

from tests.e2e.world import measured
from tests.faults.flow import AFTER_FAULTS_S, EDITS, PACE_S, ROUNDS, Flow, kill

pytestmark = pytest.mark.asyncio(loop_scope="package")

ROLES = ("worker", "hubspot-connector", "userflow-connector", "receiver")
KILL_EVERY_S = EDITS * PACE_S / (ROUNDS * len(ROLES))
RESTARTED_S = 20.0
EDITS_AROUND_BROKER = 100
BROKER_AWAY_S = 5.0


async def test_no_kill_loses_or_makes_anything(flow: Flow) -> None:
    chance = random.Random(7)
    order = [role for _ in range(ROUNDS) for role in ROLES]
    chance.shuffle(order)
    edits = asyncio.create_task(flow.run(EDITS))
    for role in order:
        await asyncio.sleep(chance.uniform(0, 2 * KILL_EVERY_S))
        await kill(flow.world, role)
    await edits
    await flow.nothing_is_wrong()
    replayed = await flow.replay_writes_nothing()
    await flow.nothing_is_wrong()
    measured(f"{len(order)} kills during {EDITS} edits; {replayed} changes replayed without a write")


async def test_a_killed_worker_is_back_soon(flow: Flow) -> None:
    took = []
    for number in range(ROUNDS):
        await kill(flow.world, "worker")
        took.append(await flow.visible_after(to_userflow=number % 2 == 0))
    await flow.nothing_is_wrong()
    measured("restart to first record: " + ", ".join(f"{seconds:.1f} s" for seconds in took))
    assert max(took) < RESTARTED_S


@pytest.mark.long
@pytest.mark.kills_its_broker
async def test_a_killed_broker_costs_only_time(flow: Flow) -> None:
    supervisor, broker = flow.world.machine.supervisor, flow.world.machine.broker
    assert broker is not None
    before = {role: supervisor.restarts(role) for role in ROLES}
    edits = asyncio.create_task(flow.run(EDITS_AROUND_BROKER))
    await asyncio.sleep(EDITS_AROUND_BROKER * PACE_S / 4)
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(BROKER_AWAY_S)
    await asyncio.to_thread(broker.start)
    started = time.monotonic()
    await edits
    await flow.world.converged(AFTER_FAULTS_S)
    took = time.monotonic() - started
    await flow.nothing_is_wrong()
    visible = [await flow.visible_after(to_userflow=number % 2 == 0) for number in range(4)]
    restarts = {role: supervisor.restarts(role) - number for role, number in before.items()}
    measured(f"broker back: all in step after {took:.1f} s, then {max(visible):.1f} s per edit; restarts: {restarts}")
