"""Fifty integrations in one deployment: a huge full sync and a dead vendor of two delay no other's live edit.

Each has accounts of its own, told apart by token as at the real vendors, and each account has its own limits.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.hubspot.simulator import HubSpotSimulator
from connectors.userflow.simulator import UserflowSimulator
from pipeline.integration_file.loader import load
from pipeline.integration_file.model import IntegrationFile
from pipeline.local.ports import free_port
from pipeline.local.stack import Stack
from pipeline.operations import apply
from pipeline.process import Process, now_ms
from schemas.configuration import DesiredIntegration
from tests.e2e.customers import FILE, pipeline_of, run, secrets_of, vendors
from tests.e2e.world import PLAN, TITLE, eventually, measured
from tests.kafka import Kafka

MANY = 50
HUGE, DEAD = "huge", "dead"
HUGE_PAIRS = 10_000
LIMIT = 190  # requests of one account in ten seconds
ROUNDS = 3
APPLIED_S = 300.0
PAIRED_S = 120.0
ARRIVES_S = 60.0
SLOW_S = 10.0


@dataclass
class Account:
    """One integration with its two accounts and one pair of people."""

    name: str
    hubspot: HubSpotSimulator
    userflow: UserflowSimulator
    contact_id: str = ""
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"to Userflow": [], "to HubSpot": []})

    def seed(self, pairs: int = 1) -> None:
        for number in range(pairs):
            email = f"p{number}@{self.name}.example"
            made = self.hubspot.create_object("contacts", {"email": email, "jobtitle": "new"}, silent=True)
            self.contact_id = self.contact_id or str(made["id"])
            self.userflow.create_object("users", {"email": email, "plan": "new"}, object_id=f"u-{number}", silent=True)

    def shown(self) -> tuple[object, object]:
        """What the user and the contact show of each other."""
        user = self.userflow.read_object("users", "u-0")["attributes"].get(TITLE)
        return user, self.hubspot.read_object("contacts", self.contact_id)["properties"].get(PLAN)

    async def edit(self, value: str) -> None:
        """Edit both sides, and keep how long each edit took to the other side."""
        started = time.monotonic()
        self.hubspot.edit_object("contacts", self.contact_id, {"jobtitle": value})
        self.userflow.edit_object("users", "u-0", {"plan": value})
        left = {"to Userflow", "to HubSpot"}
        while left and time.monotonic() - started < ARRIVES_S:
            for way, shown in zip(("to Userflow", "to HubSpot"), self.shown(), strict=True):
                if way in left and shown == value:
                    left.discard(way)
                    self.seconds[way].append(time.monotonic() - started)
            await asyncio.sleep(0.01)
        assert not left, f"{self.name}: {value} did not arrive {left}"

    def refused_webhooks(self) -> list[tuple[int, int]]:
        """Attempt and status of each delivery that the receiver did not take; 0: no answer."""
        sent = (*self.hubspot.courier.deliveries, *self.userflow.courier.deliveries)
        return [(one.attempt, one.status) for one in sent if not 200 <= one.status < 300]

    def limited(self) -> int:
        """How many calls were refused for their rate."""
        return int(self.hubspot.requests(0)["statuses"].get("429", 0))


@pytest.mark.by_hand  # minutes, and its figures want the machine for themselves
async def test_a_huge_full_sync_and_a_dead_vendor_delay_no_other_s_live_edit(kafka: Kafka, tmp_path: Path) -> None:
    async with deployment(tmp_path, kafka) as (running, accounts):
        others = [one for one in accounts if one.name not in (HUGE, DEAD)]
        by_name = {one.name: one for one in accounts}
        await _live(others, "alone")

        dead, huge = by_name[DEAD], by_name[HUGE]
        dead.hubspot.add_faults([{"match": {}, "action": "timeout_before_effect", "after_ms": 15_000}])
        dead.userflow.edit_object("users", "u-0", {"plan": "never arrives"})
        code, said = await run(running, "full-sync", "start", HUGE)
        assert code == 0, said
        before = len(huge.hubspot.log.calls)
        await eventually(lambda: _calls(huge), lambda calls: calls > before + 20, PAIRED_S)
        await _live(others, "beside a huge full sync and a dead vendor")
        await _live(others, "and once more")
        measured(f"calls of the huge one meanwhile: {len(huge.hubspot.log.calls) - before}")
        _memory(running)
        assert [one.name for one in accounts if one.limited()] == []


async def _live(accounts: Sequence[Account], when: str) -> None:
    """Edit all at once, some rounds, and tell how long it took."""
    for one in accounts:
        one.seconds = {way: [] for way in one.seconds}
    for number in range(ROUNDS):
        edits = []
        for one in accounts:  # not all in one instant: people edit one after the other
            await asyncio.sleep(0.02)
            edits.append(asyncio.create_task(one.edit(f"{when} {number}")))
        await asyncio.gather(*edits)
    for way in ("to Userflow", "to HubSpot"):
        every = sorted(second for one in accounts for second in one.seconds[way])
        slowest = max(accounts, key=lambda one: max(one.seconds[way]))
        measured(
            f"{when}, {way}: {len(every)} edits of {len(accounts)} integrations, p50 {statistics.median(every):.2f} s, "
            f"p99 {every[int(len(every) * 0.99)]:.2f} s, slowest {every[-1]:.2f} s ({slowest.name})"
        )
        if max(slowest.seconds[way]) > SLOW_S:
            measured(f"{slowest.name}: webhooks that were not taken: {slowest.refused_webhooks()}")


async def _calls(account: Account) -> int:
    return len(account.hubspot.log.calls)


def _memory(running: Stack) -> None:
    for role in running.endpoints.health_urls:
        status = Path(f"/proc/{running.supervisor.pid_of(role)}/status").read_text()
        rss = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        measured(f"{role}: {int(rss.split()[1]) // 1024} MB")


@asynccontextmanager
async def deployment(folder: Path, kafka: Kafka) -> AsyncIterator[tuple[Stack, list[Account]]]:
    """Everything running, every integration applied, and each of the small ones in step."""
    receiver = free_port()
    names = [HUGE, DEAD, *(f"small-{number}" for number in range(MANY - 2))]
    async with AsyncExitStack() as stack:
        made = {
            name: await stack.enter_async_context(vendors(name, number, receiver, LIMIT))
            for number, name in enumerate(names, 1_000)
        }
        accounts = [Account(name, *both) for name, both in made.items()]
        running = await stack.enter_async_context(pipeline_of(folder, kafka, receiver, made))
        started = time.monotonic()
        for one in accounts:
            one.seed(HUGE_PAIRS if one.name == HUGE else 1)
        await _apply(running, accounts)
        measured(f"{len(accounts)} integrations applied after {time.monotonic() - started:.1f} s")
        await asyncio.gather(*(_in_step(one) for one in accounts if one.name != HUGE))
        yield running, accounts


async def _in_step(account: Account) -> None:
    """A user that changes is looked up: so the pair is known without a full sync."""
    account.userflow.edit_object("users", "u-0", {"plan": "first"})

    async def shown() -> tuple[object, object]:
        return account.shown()

    assert await eventually(shown, lambda seen: seen == ("new", "first"), PAIRED_S) == ("new", "first")


async def _apply(running: Stack, accounts: Sequence[Account]) -> None:
    """What `pairstream apply` does, for all in one process."""
    process = Process.open(running.settings)
    tables = process.tables()
    await asyncio.to_thread(tables.start)
    publisher = process.publisher()
    try:
        waiting = []
        for one in accounts:
            account = one.hubspot.settings.portal_id
            text = FILE.format(name=one.name, account=account).replace("production", one.name)
            waiting.append((one.name, _request(process, text, secrets_of(one.name))))
        for name, request in waiting:
            await apply.ask(publisher, name, request)
        for name, request in waiting:
            await apply.wait_until_applied(tables, name, request, APPLIED_S)
    finally:
        await publisher.close()
        await asyncio.to_thread(tables.stop)


def _request(process: Process, text: str, secrets: Mapping[str, str]) -> DesiredIntegration:
    file = load(text, "acme.yaml", secrets)
    assert isinstance(file, IntegrationFile), file
    return apply.desired(file, process.box.seal, now_ms())
