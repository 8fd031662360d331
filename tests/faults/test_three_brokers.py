"""Three replicated brokers, one of them killed and back again and again during edits: nothing is lost or stuck."""

import asyncio
import datetime as dt
import os
import random
import statistics
from pathlib import Path

import pytest

from connectors.clock import set_within
from tests.benchmarks.results import RESULTS, THREE_BROKERS, with_section
from tests.brokers import BROKERS, Brokers, three_brokers
from tests.e2e.world import measured
from tests.faults.flow import AFTER_FAULTS_S, ROUNDS, Flow, flowing
from tests.kafka import Kafka

pytestmark = pytest.mark.by_hand

EDITS = 500 * ROUNDS
KILL_EVERY_S = 20.0
AWAY_S = 5.0
PROBE_EVERY_S = 0.5
ROLES = ("worker", "hubspot-connector", "userflow-connector", "receiver", "scheduler")


async def test_a_broker_that_comes_and_goes_loses_and_stops_nothing(tmp_path: Path) -> None:
    with three_brokers(tmp_path / "brokers") as brokers:
        kafka = Kafka(brokers.bootstrap_servers, "remote")
        async with flowing(tmp_path / "world", kafka=kafka) as flow:
            took, done = list[float](), asyncio.Event()
            beside = asyncio.gather(_probe(flow, took, done), _kill_in_turn(brokers, done))
            await flow.run(EDITS)
            done.set()
            await beside
            await flow.nothing_is_wrong()
            restarts = {role: flow.world.machine.supervisor.restarts(role) for role in ROLES}
            hundredths = statistics.quantiles(took, n=100, method="inclusive")
            told = (
                f"{flow.made} edits on three brokers, one killed every {KILL_EVERY_S:.0f} s and back {AWAY_S:.0f} s "
                f"later; {len(took)} waited for: p50 {hundredths[49]:.2f} s, p99 {hundredths[98]:.2f} s, "
                f"longest {max(took):.2f} s"
            )
            measured(f"{told}; {restarts=}")
            if os.environ.get("PAIRSTREAM_WRITE_RESULTS"):
                day = dt.date.today().isoformat()
                section = f"{THREE_BROKERS}\n\nReplication 3, min.insync 2, {day}: {told}.\n"
                RESULTS.write_text(with_section(RESULTS.read_text(), section))


async def _probe(flow: Flow, took: list[float], done: asyncio.Event) -> None:
    """Edits whose arrival is waited for, in both directions."""
    while not done.is_set():
        took.append(await flow.visible_after(to_userflow=len(took) % 2 == 0, within_s=AFTER_FAULTS_S))
        await set_within(done, PROBE_EVERY_S)


async def _kill_in_turn(brokers: Brokers, done: asyncio.Event) -> None:
    chance = random.Random(3)
    while not done.is_set():
        victim = brokers.members[chance.randrange(BROKERS)]
        await asyncio.to_thread(victim.kill)
        await set_within(done, AWAY_S)
        await asyncio.to_thread(victim.start)
        await set_within(done, KILL_EVERY_S - AWAY_S)
