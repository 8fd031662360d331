"""What fault tests share: a flow of edits on both sides, extra processes, and what must hold after any fault."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.kafka.producer import Publisher
from connectors.kafka.transactions import Row, read_committed_rows
from pipeline.local.errors import NotRunning
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import HUBSPOT_CHANGES, USERFLOW_CHANGES
from tests.e2e.world import PLAN, TITLE, World, eventually, world
from tests.kafka import Kafka

# `make test` kills every role once, `make test-long` four times; ten: PAIRSTREAM_FAULT_ROUNDS=10, during 2,000 edits.
ROUNDS = int(os.environ.get("PAIRSTREAM_FAULT_ROUNDS", "1"))
EDITS = 200 * ROUNDS
PACE_S = 0.05
AFTER_FAULTS_S = 120.0
CREATED_AT_ONCE = 10
WEBHOOK_BACKOFF_MS = 500  # a vendor's 5 s would be most of the suite's time


@dataclass
class Flow:
    """Edits of a person on both sides, each to a value never used before; seeded, so a failure can be run again."""

    world: World
    seed: int = 1
    made: int = 0
    counts: tuple[int, int] = (0, 0)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def prepare(self, pairs: int) -> None:
        """Connect, make the pairs, and bring them in step."""
        await self.world.pair(0)  # Userflow lists an attribute only once somebody has it
        await self.world.apply()
        for first in range(1, pairs, CREATED_AT_ONCE):
            await asyncio.gather(*(self.world.pair(n) for n in range(first, min(first + CREATED_AT_ONCE, pairs))))
        await self.world.full_sync()
        await self.world.converged(AFTER_FAULTS_S)
        self.counts = await self._counted()

    async def run(self, edits: int, pace_s: float = PACE_S) -> None:
        """Edit random pairs but the first, one edit every `pace_s` seconds."""
        for _ in range(edits):
            contact, user = self._random.choice(list(self.world.made.items())[1:])
            await self.edit(contact, user, to_userflow=self._random.random() < 0.5)
            await asyncio.sleep(pace_s)

    async def edit(self, contact: str, user: str, *, to_userflow: bool) -> str:
        """One edit; returns the new value."""
        self.made += 1
        value = f"value {self.seed}-{self.made}"
        if to_userflow:
            await self.world.hubspot.edit("contacts", contact, {"jobtitle": value})
        else:
            await self.world.userflow.edit("users", user, {"plan": value})
        return value

    async def visible_after(self, *, to_userflow: bool, within_s: float = AFTER_FAULTS_S) -> float:
        """Seconds until an edit made now is seen on the other side: of the first pair, which nobody else edits."""
        contact, user = next(iter(self.world.made.items()))
        value = await self.edit(contact, user, to_userflow=to_userflow)
        started = time.monotonic()

        async def shown() -> object:
            if to_userflow:
                return (await self.world.userflow.fields("users", user)).get(TITLE)
            return (await self.world.hubspot.fields("contacts", contact)).get(PLAN)

        assert await eventually(shown, lambda seen: seen == value, within_s, 0.02) == value
        return time.monotonic() - started

    async def nothing_is_wrong(self) -> None:
        """Everything has arrived, every record has an outcome, nothing was made, refused or is still being written."""
        await self.world.converged(AFTER_FAULTS_S)
        await self.quiet()
        assert await self.world.differences() == []
        assert await self.world.created_by_api() == 0
        assert await self._counted() == self.counts
        assert await self.world.dead_letters() == []

    async def replay_writes_nothing(self) -> int:
        """Feed all changes again; returns how many. The vendors' write counters must not move."""
        before = await self.world.writes()
        rows = await asyncio.to_thread(lambda: [*self._rows(HUBSPOT_CHANGES), *self._rows(USERFLOW_CHANGES)])
        publisher = Publisher(self.world.cluster, Codec(LocalRegistry()))
        try:
            await asyncio.gather(*(publisher.send_bytes(topic, row.key, row.value) for topic, row in rows))
        finally:
            await publisher.close()
        await self.quiet()
        assert await self.world.writes() == before
        return len(rows)

    async def quiet(self) -> None:
        """Wait until no webhook is under way and no group has records before it, seen twice in a row."""
        seen: list[dict[str, int]] = [{"not looked": 1}]

        async def look() -> list[dict[str, int]]:
            deliveries = [await system.deliveries() for system in (self.world.hubspot, self.world.userflow)]
            pending = sum(found["pending"] for found in deliveries)
            unread = await self.world.unread()
            seen.append(unread | ({"webhooks": pending} if pending else {}))
            return seen[-2:]

        left = await eventually(look, lambda found: not any(found), AFTER_FAULTS_S)
        assert left == [{}, {}]

    def _rows(self, topic: str) -> Iterator[tuple[str, Row]]:
        for partition in range(self.world.machine.settings.partitions):
            for row in read_committed_rows(self.world.cluster, topic, partition, 0):
                yield topic, row

    async def _counted(self) -> tuple[int, int]:
        return len(await self.world.hubspot.objects("contacts")), len(await self.world.userflow.objects("users"))


@asynccontextmanager
async def flowing(folder: Path, pairs: int = 40, seed: int = 1, kafka: Kafka | None = None) -> AsyncIterator[Flow]:
    """A running world whose pairs are in step; on a broker of its own unless brokers are given."""
    async with world(folder, kafka) as it:
        for vendor in (it.hubspot, it.userflow):
            await vendor.set(webhook_backoff_ms=WEBHOOK_BACKOFF_MS)
        flow = Flow(it, seed)
        await flow.prepare(pairs)
        yield flow


async def kill(it: World, role: str, number: int = signal.SIGKILL) -> int:
    """Signal a role's process, waiting for it to run first; returns its pid."""

    async def try_it() -> int | None:
        try:
            return it.kill(role, number)
        except NotRunning:
            return None

    pid = await eventually(try_it, lambda found: found is not None, AFTER_FAULTS_S)
    assert pid is not None, f"{role} does not run"
    return pid


@contextmanager
def second(it: World, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A second process of a role, its ordinal 1; ended with the block."""
    argv = (sys.executable, "-m", "pipeline.cli", "run", *words)
    environment = {**os.environ, **it.machine.environment, "PAIRSTREAM_ORDINAL": "1"}
    log = it.machine.settings.state_dir / "logs" / f"second-{'-'.join(words)}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(argv, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
