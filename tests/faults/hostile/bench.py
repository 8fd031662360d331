"""Both real connectors in this process with an honest integration and hostile ones, and what went wrong with them."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from connectors.clock import SystemClock
from connectors.contract.account import Account, Opening
from connectors.kafka.cluster import Cluster
from connectors.registry import SYSTEMS
from connectors.runtime import runner as runner_module
from connectors.runtime.deps import ConnectorDeps
from connectors.runtime.runner import Runner
from schemas.codec import Codec
from schemas.records import ChangeEvent
from schemas.registry import LocalRegistry
from schemas.topics import DEAD_LETTERS, RECEIPTS
from schemas.values import System
from tests.faults.hostile.broker import PARTITIONS, Broker, Member
from tests.faults.hostile.customer import PEOPLE, PLAN, TITLE, TYPES, Customer, customer, now_ms
from tests.unit.connectors.runtime.runners import Measured

HONEST: Final = "honest"
TICK_S: Final = 0.02
WORKS_S: Final = 30.0
LONGEST_WAIT_S: Final = 1  # PAIRSTREAM_LONGEST_WAIT_S
BETWEEN_EDITS_S: Final = 0.2
WAYS: Final[tuple[tuple[System, str, System, str], ...]] = (
    ("hubspot", "jobtitle", "userflow", TITLE),
    ("userflow", "plan", "hubspot", PLAN),
)


@dataclass
class OwnTime:
    """The time that passes for this process: what others of a busy machine kept the loop from running is taken off.

    The loop is late by its own work, which counts as processor time of its thread, or by other processes, which does
    not. Only the second is taken off: a loop that our own code holds up stays late.
    """

    starved_s: float = 0.0

    def now(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic() - self.starved_s

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            wall, used = time.monotonic(), time.thread_time()
            await asyncio.sleep(TICK_S)
            late_s = time.monotonic() - wall - TICK_S
            self.starved_s += max(0.0, late_s - (time.thread_time() - used))


@dataclass
class Bench:
    """The running connectors; `faults` holds a sentence for each invariant that was broken."""

    broker: Broker
    customers: dict[str, Customer] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    arrivals_s: list[float] = field(default_factory=list)  # how long honest edits took
    time: OwnTime = field(default_factory=OwnTime)
    measured: dict[System, Measured] = field(default_factory=lambda: {system: Measured() for system in SYSTEMS})
    _patches: set[asyncio.Task[None]] = field(default_factory=set)

    async def within(self, seconds: float, good: Callable[[], bool]) -> bool:
        """Whether it came about within so many seconds of our own time."""
        until = self.time.now() + seconds
        while not good():
            if self.time.now() > until:
                return False
            await asyncio.sleep(TICK_S / 2)
        return True

    def closed(self, name: str) -> bool:
        """Whether both connectors have let go of a disconnected integration."""
        return not any(name in measured.statuses for measured in self.measured.values())

    def heard(self, topic: str, record: Any) -> None:
        """Do the worker's part for the honest integration: what an owner holds goes to the other side."""
        if not isinstance(record, ChangeEvent) or record.integration != HONEST:
            return
        for owner, source, target, written in WAYS:
            if record.system == owner and source in record.fields:
                people = self.customers[HONEST].people
                number = people[owner].index(record.object_id)
                value = str(record.fields[source].value)
                patch = self.customers[HONEST].patch(target, people[target][number], written, value)
                task = asyncio.create_task(patch)
                self._patches.add(task)
                task.add_done_callback(self._patches.discard)

    async def edits(self, within_s: float) -> None:
        """Honest edits in both directions one after the other, until cancelled."""
        for number in itertools.count():
            await self.edit(number, within_s)
            await asyncio.sleep(BETWEEN_EDITS_S)

    async def edit(self, number: int, within_s: float) -> None:
        """One honest edit of a person, and how long the other side was without it."""
        honest, value, began = self.customers[HONEST], f"edit {number}", self.time.now()
        owner, source, target, written = WAYS[number % len(WAYS)]
        person = number // len(WAYS) % PEOPLE
        sources, targets = honest.simulators[owner], honest.simulators[target]
        kind, id = TYPES[target][0], honest.people[target][person]
        sources.edit_object(TYPES[owner][0], honest.people[owner][person], {source: value})
        arrived = await self.within(
            within_s, lambda: targets.read_object(kind, id)[targets.FIELDS].get(written) == value
        )
        self.arrivals_s.append(self.time.now() - began)
        if not arrived:
            self.faults.append(f"honest edit {number} did not reach {target} within {within_s} s")


@asynccontextmanager
async def bench(patched: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Both connectors, and the honest integration known to work; at the end no task is left."""
    before, runners = asyncio.all_tasks(), list[Runner]()

    def changed() -> None:
        for runner in runners:
            runner.configuration_changed()

    it = Bench(Broker(lambda topic, record: it.heard(topic, record), changed))
    asyncio.get_running_loop().set_exception_handler(lambda _, context: it.faults.append(f"unhandled: {context}"))

    def member(*arguments: Any, **options: Any) -> Member:
        it.broker.members.append(Member(*arguments, **options))
        return it.broker.members[-1]

    patched.setattr(runner_module, "GroupMember", member)
    for system in SYSTEMS:
        runners.append(Runner(SYSTEMS[system].traits, _deps(it, system)))
    async with customer(it.broker, HONEST) as honest:
        it.customers[HONEST] = honest
        await honest.configure()
        running = [asyncio.create_task(one.run()) for one in runners]
        watching = asyncio.create_task(it.time.watch())
        try:
            await it.edit(0, WORKS_S)
            it.arrivals_s.clear()
            yield it
        finally:
            ended = [task for task in running if task.done()]
            for task in (*running, watching):
                task.cancel()
            await asyncio.gather(*running, watching, return_exceptions=True)
    it.faults += [f"a connector ended: {task}" for task in ended]
    await asyncio.sleep(TICK_S)
    it.faults += [f"left running: {task}" for task in asyncio.all_tasks() - before]
    if it.broker.published[HONEST, DEAD_LETTERS] or it.broker.published[HONEST, RECEIPTS]:
        it.faults.append("a record of the honest integration was refused, parked or a dead letter")


def _deps(it: Bench, system: System) -> ConnectorDeps:
    async def open_account(opening: Opening) -> Account:
        url = it.customers[opening.integration].urls[system]
        return await SYSTEMS[system].open_account(replace(opening, api_url=url))

    async def credit(records: int) -> None:
        """The middle keeps up."""

    async def credit_at_end() -> None:
        """Tables in memory are always at their end."""

    async def reconnected(name: str) -> None:
        it.faults.append(f"nobody granted {name} anything")

    return ConnectorDeps(
        cluster=Cluster({}),
        codec=Codec(LocalRegistry()),
        publisher=it.broker,  # type: ignore[arg-type]
        tables=it.broker,  # type: ignore[arg-type]
        ordinal=0,
        partitions=PARTITIONS,
        open_account=open_account,
        exchange_code=None,
        unseal=lambda sealed, _: sealed.decode(),
        seal=lambda text, _: text.encode(),
        key_id="newest",
        renew_seal=lambda sealed, _: sealed,
        read_to_end=credit_at_end,
        api_url=None,
        api_version="2026-03",
        proxy_url=None,
        webhook_base_url="https://sync.example.com/webhooks",
        longest_wait_s=LONGEST_WAIT_S,
        clock=SystemClock(),
        uniform=random.Random(1).uniform,
        now_ms=now_ms,
        count=lambda *_: None,
        metrics=it.measured[system],
        bulk_credit=credit,
        stop_process=lambda why: it.faults.append(f"a process was to end: {why}"),
        reconnected=reconnected,
        lost=lambda *lost: it.faults.append(f"lost: {lost}"),
    )
