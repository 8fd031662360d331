"""A slow look is made once for all who ask; a little old answer is given while a newer one is looked for."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from connectors.kafka.groups import BrokersUnreachable
from pipeline.console.desk import Kept
from pipeline.lag.judging import Lag
from schemas.runs import FullSyncRun, RunProgress
from schemas.topics import RUNS
from tests.unit.pipeline.console.fixtures import in_memory
from tests.unit.pipeline.console.test_pages import lag


async def settled() -> None:
    """Until looks on threads had their turn."""
    for _ in range(50):
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: None)


async def test_whoever_asks_a_little_later_is_not_kept_waiting() -> None:
    looks: list[int] = []

    def look() -> int:
        looks.append(len(looks))
        return len(looks)

    kept = Kept(look, 0.05)
    assert await asyncio.gather(*(kept.get() for _ in range(20))) == [1] * 20
    kept._at -= 0.06  # older than it is kept
    assert await kept.get() == 1
    await settled()
    assert await kept.get() == 2
    kept._at -= 10.0  # too old
    assert await kept.get() == 3
    kept.forget()
    assert await kept.get() == 4 == len(looks)


async def test_a_look_that_fails_is_told_to_whoever_asks_next() -> None:
    fails = [False]

    def look() -> int:
        if fails[0]:
            raise ConnectionError("no broker")
        return 7

    kept = Kept(look, 0.05)
    assert kept.soon() is None
    await settled()
    assert kept.soon() == 7
    fails[0] = True
    kept._at -= 0.06
    assert await kept.get() == 7
    await settled()
    with pytest.raises(ConnectionError):
        await kept.get()


async def test_who_will_not_wait_longer_is_told_so_at_once_while_one_look_goes_on() -> None:
    goes_on, looks = threading.Event(), list[int]()

    def look() -> int:
        looks.append(1)
        goes_on.wait(30)
        return len(looks)

    kept = Kept(look, 60.0)
    with pytest.raises(TimeoutError):
        await kept.within(0.05)
    kept._answer, kept._at = 0, time.monotonic()  # a little old answer is none once the brokers are silent
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await kept.within(0.05)
    goes_on.set()
    await settled()
    assert await kept.within(30.0) == 1 == len(looks)


async def test_a_look_that_fails_is_told_to_whoever_waits_and_to_nobody_else() -> None:
    def look() -> int:
        raise ConnectionError("no broker")

    kept = Kept(look, 60.0)
    told = await asyncio.gather(*(kept.within(30.0) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [ConnectionError] * 3


async def test_tries_are_looks_however_many_wait_for_each() -> None:
    away = [True]

    def look() -> Lag:
        if away[0]:
            raise BrokersUnreachable("no answer")
        return lag()

    it = in_memory(look)
    for _ in range(3):
        assert await asyncio.gather(*(it.desk.lag() for _ in range(7))) == [None] * 7
    number, since_ms = it.desk.tried()
    assert number == 3 and 0 <= it.now_ms[0] - since_ms < 60_000
    away[0] = False
    assert await it.desk.lag() is not None
    assert it.desk.tried()[0] == 0


def test_full_syncs_are_put_together_once_until_one_changes() -> None:
    it = in_memory()
    run = RunProgress("0000000000001-a", "acme", "run", "completed", 1, 2)
    it.tables.put(RUNS, run.run_id, replace(run, full_sync=FullSyncRun()))
    other = replace(run, run_id="0000000000002-b", integration="globex", full_sync=FullSyncRun())
    it.tables.put(RUNS, other.run_id, other)
    first = it.desk.runs_of("acme")
    assert [one.run_id for one in first] == [run.run_id]
    assert [one.run_id for one in it.desk.runs] == [run.run_id, other.run_id]
    assert it.desk.runs_of("acme") is first and it.desk.runs_of("nobody") == ()
    it.tables.put(RUNS, f"{run.run_id}/hubspot.contacts", run)
    (told,) = it.desk.runs_of("acme")
    assert set(told.parts) == {"hubspot.contacts"}
