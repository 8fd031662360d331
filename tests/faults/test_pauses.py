"""A process that slept through its session while another took over changes nothing when it wakes."""

import asyncio
import os
import signal
import time

import pytest

from pipeline.local.errors import NotRunning
from tests.e2e.world import World, eventually, measured
from tests.faults.flow import AFTER_FAULTS_S, PACE_S, ROUNDS, Flow, kill, second

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.long]

EDITS_ASLEEP = 40
ASLEEP_S = 3.0 * ROUNDS  # the long form: half a minute
AWAKE_S = 8.0  # longer than the connectors' wait after sleep: what one wants to do wrong it has done by then


@pytest.mark.parametrize(
    ("role", "words"), [("worker", ("worker",)), ("userflow-connector", ("connector", "userflow"))]
)
async def test_a_woken_process_changes_nothing(flow: Flow, role: str, words: tuple[str, ...]) -> None:
    it = flow.world
    edits = asyncio.create_task(flow.run(EDITS_ASLEEP))
    await asyncio.sleep(EDITS_ASLEEP * PACE_S / 2)
    asleep = await kill(it, role, signal.SIGSTOP)  # with work in its hands
    awake_at = time.monotonic() + ASLEEP_S
    with second(it, *words):
        try:
            await edits
            # what the sleeper had goes to the other when its session is over
            await it.converged(AFTER_FAULTS_S)
            taken_over = [await flow.visible_after(to_userflow=number % 2 == 0) for number in range(4)]
            await flow.run(max(0, int((awake_at - time.monotonic()) / PACE_S)))
        finally:
            os.kill(asleep, signal.SIGCONT)
        await flow.run(EDITS_ASLEEP)
        await flow.nothing_is_wrong()
        writes = await it.writes()
        fate = await _fate(flow, role, asleep)
        await flow.nothing_is_wrong()
        assert await it.writes() == writes
        back = [await flow.visible_after(to_userflow=number % 2 == 0) for number in range(4)]
    await flow.nothing_is_wrong()
    measured(f"{role}: {fate}; asleep, edits took {_seconds(taken_over)}; awake again, {_seconds(back)}")


async def _fate(flow: Flow, role: str, pid: int) -> str:
    """What became of the sleeper: it works on in its group, or it ended itself and was started again."""

    async def now() -> int | None:
        return _pid(flow.world, role)

    running = await eventually(now, lambda found: found is not None, AFTER_FAULTS_S)
    assert running is not None
    await asyncio.sleep(AWAKE_S)
    return "rejoined" if _pid(flow.world, role) == pid else "ended itself and was started again"


def _pid(it: World, role: str) -> int | None:
    try:
        return it.machine.supervisor.pid_of(role)
    except NotRunning:
        return None


def _seconds(took: list[float]) -> str:
    return ", ".join(f"{one:.1f} s" for one in took)
