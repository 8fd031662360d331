"""Brokers that stand still and go on: every role is back at work by itself, whatever became of its membership.

How soon is measured and told, not judged: a member that does not join again is replaced after 20 s (decision 0056).
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.world import measured
from tests.faults.flow import PACE_S, Flow, flowing

# alone: seconds are measured, and on a machine that is busy a process's restart takes many (decision 0056)
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.alone]

PAIRS = 10
EDITS = 20


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def flow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Flow]:
    """A pipeline with a broker of its own."""
    async with flowing(tmp_path_factory.mktemp("world"), PAIRS) as running:
        yield running


@pytest.mark.parametrize("seconds", [10, 15, 30, 90])
async def test_every_role_is_back_at_work_after_a_pause_of_the_broker(flow: Flow, seconds: int) -> None:
    it, broker = flow.world, flow.world.machine.broker
    assert broker is not None, "this test stops a broker, so it must have one of its own"
    edits = asyncio.create_task(flow.run(EDITS))
    await asyncio.sleep(EDITS * PACE_S / 2)  # the roles have work in their hands
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        await edits
        await asyncio.sleep(seconds)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    # there and back: receiver, both connectors and the worker have handled an edit made after the pause
    arrived = await asyncio.gather(*(flow.visible_after(to_userflow=to_userflow) for to_userflow in (True, False)))
    started = time.monotonic()
    await it.command("integration", "pause", "acme")  # the scheduler
    await it.command("integration", "resume", "acme")
    carried_out = time.monotonic() - started
    measured(
        f"broker paused for {seconds} s: an edit after it took {arrived[0]:.1f} s to Userflow, {arrived[1]:.1f} s to "
        f"HubSpot; pause and resume took {carried_out:.1f} s"
    )
    await flow.nothing_is_wrong()
