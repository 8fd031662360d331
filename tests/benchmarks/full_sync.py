"""What a full sync of few users among many contacts costs: calls, time, memory; and once more, when all is in step."""

import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.world import PLAN, STAGE, TITLE, World, world

USERS = int(os.environ.get("BENCH_USERS", "50000"))
CONTACTS_A_USER = 10
CHUNK = 2_000
READING = ("batch_read", "search")
ROLES = ("worker", "hubspot-connector", "userflow-connector")


@dataclass(frozen=True, slots=True)
class Cost:
    """One run: what the simulators' logs counted, and what the run's own report says."""

    took_s: float
    calls: dict[str, int]  # `<system> <method> <kind>` -> reading calls
    writes: int
    told: dict[str, Any]
    memory_mb: dict[str, int]  # of each role, at the end


async def cost(folder: Path) -> tuple[Cost, Cost]:
    """USERS users that are in step already, ten times as many contacts: the first run, and a second one."""
    async with world(folder) as it:
        await it.pair(0)
        await it.apply()
        await it.full_sync()
        await it.converged()
        await many(it, USERS, CONTACTS_A_USER)
        return await _run(it), await _run(it)


async def many(it: World, count: int, contacts_a_user: int) -> None:
    """Objects on both sides that nobody is told of; every user has a contact with the same values."""
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        values = {n: (f"bulk{n}@example.com", f"title {n}", f"plan {n}") for n in numbers}
        contacts = [
            {"email": email, "jobtitle": title, "lifecyclestage": "lead", PLAN: plan}
            for email, title, plan in values.values()
        ]
        users = {
            f"bulk-{n}": {"email": email, "plan": plan, TITLE: title, STAGE: "lead"}
            for n, (email, title, plan) in values.items()
        }
        await it.hubspot.bulk([created("contacts", properties=one) for one in contacts])
        await it.userflow.bulk([created("users", id=id, attributes=one) for id, one in users.items()])
    for start in range(0, count * (contacts_a_user - 1), CHUNK):
        others = range(start, min(start + CHUNK, count * (contacts_a_user - 1)))
        await it.hubspot.bulk([created("contacts", properties={"email": f"other{n}@example.com"}) for n in others])


def _contact(n: int) -> dict[str, str]:
    return {"email": f"bulk{n}@example.com", "jobtitle": f"title {n}", "lifecyclestage": "lead", PLAN: f"plan {n}"}


def _user(n: int) -> dict[str, str]:
    return {"email": f"bulk{n}@example.com", "plan": f"plan {n}", TITLE: f"title {n}", STAGE: "lead"}


def created(object_type: str, **more: Any) -> dict[str, Any]:
    return {"operation": "create", "type": object_type, "silent": True, **more}


async def _run(it: World) -> Cost:
    before, writes = await _calls(it), await it.writes()
    started = time.monotonic()
    answer = await it.answer("full-sync", "start", "acme", "--wait", "--format", "json")
    took_s = time.monotonic() - started
    made = await _calls(it) - before
    written = sum((await it.writes()).values()) - sum(writes.values())
    memory = {role: _memory_mb(it.machine.supervisor.pid_of(role)) for role in ROLES}
    return Cost(took_s, dict(made), written, json.loads(answer.splitlines()[-1]), memory)


async def _calls(it: World) -> Counter[str]:
    """Calls that read objects, by what the simulators counted."""
    found: Counter[str] = Counter()
    for system, control in (("hubspot", it.hubspot), ("userflow", it.userflow)):
        for name, number in (await control.requests())["counters"].items():
            method, _, kind = name.partition(" ")
            if (method == "GET" or any(word in kind for word in READING)) and "propert" not in kind:
                found[f"{system} {name}"] += number
    return found


def _memory_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) // 1024
