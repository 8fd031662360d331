"""A second worker comes and goes during edits, by its own will and by force: nothing is lost."""

import asyncio
import signal

import pytest

from tests.e2e.world import measured
from tests.faults.flow import PACE_S, ROUNDS, Flow, second

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.long]

JOINS = 2 * ROUNDS
STAYS_S = 6.0
EDITS_PER_STAY = int(STAYS_S / PACE_S)


async def test_joins_and_leaves_lose_nothing(flow: Flow) -> None:
    for number in range(JOINS):
        with second(flow.world, "worker") as process:
            await flow.run(EDITS_PER_STAY)
            assert process.poll() is None
            if number % 2:
                process.send_signal(signal.SIGKILL)
                await asyncio.to_thread(process.wait)
        await flow.run(EDITS_PER_STAY // 4)
    await flow.nothing_is_wrong()
    replayed = await flow.replay_writes_nothing()
    await flow.nothing_is_wrong()
    measured(f"{JOINS} joins and leaves during {flow.made} edits; {replayed} changes replayed without a write")
