"""A company's new name on its way to all its contacts' users, and live edits elsewhere meanwhile."""

import asyncio
import os
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.latency import Latency, edits, summed_up, title_edit
from tests.e2e.world import FILE, World, eventually, world

CONTACTS = int(os.environ.get("BENCH_ASSOCIATED_CONTACTS", "2000"))
USERS = int(os.environ.get("BENCH_ASSOCIATED_USERS", "200"))  # of those contacts: each costs two of Userflow's requests
FEW: Final = 50
ELSEWHERE: Final = 40
PACE_S: Final = 0.4
CHUNK: Final = 500
WITHIN_S: Final = 3_600.0
COMPANY: Final = "hubspot_company_name"
MAPPED: Final = FILE.replace("[jobtitle, lifecyclestage]", "[jobtitle, lifecyclestage, company.name]")
BIG, SMALL = "900001", "900002"


@dataclass(frozen=True, slots=True)
class Renamed:
    """A company that got a new name."""

    contacts: int
    users: int
    first_s: float  # from the edit until one user shows it
    all_s: float  # until every user does


@dataclass(frozen=True, slots=True)
class FanOutResult:
    few: Renamed
    many: Renamed
    elsewhere: Latency  # of live edits while the many are told


async def fan_out(folder: Path) -> FanOutResult:
    """A company of 50, then one of many; with users for some of them, since most of a CRM has none."""
    async with world(folder) as it:
        pairs = [await it.pair(number) for number in range(ELSEWHERE)]
        few, many = await _company(it, SMALL, FEW, FEW), await _company(it, BIG, CONTACTS, USERS)
        await it.apply(MAPPED)
        await it.full_sync()
        await _shown(it, [*few, *many], "first", all)
        await it.idle(WITHIN_S)
        small = Renamed(FEW, FEW, *await _renamed(it, SMALL, few))
        telling = asyncio.create_task(_renamed(it, BIG, many))
        elsewhere = await edits(pairs, lambda pair: title_edit(it, pair), PACE_S)
        return FanOutResult(small, Renamed(CONTACTS, USERS, *await telling), summed_up(elsewhere))


async def _company(it: World, company_id: str, contacts: int, users: int) -> Collection[str]:
    """A company with its contacts, made in silence; returns the ids of the users, one for every so many."""
    await it.hubspot.seed({"objects": {"companies": [{"id": company_id, "properties": {"name": "first"}}]}})
    first = int(company_id) * 1_000_000
    for start in range(0, contacts, CHUNK):
        ids = [str(first + number) for number in range(start, min(start + CHUNK, contacts))]
        people = [{"id": one, "properties": {"email": _email(one), "jobtitle": "x"}} for one in ids]
        links = [{"from": ["contacts", one], "to": ["companies", company_id], "primary": True} for one in ids]
        await it.hubspot.seed({"objects": {"contacts": people}, "associations": links})
    with_user = [str(first + number * contacts // users) for number in range(users)]
    rows: list[dict[str, Any]] = [
        {"operation": "create", "type": "users", "id": one, "attributes": {"email": _email(one)}, "silent": True}
        for one in with_user
    ]
    await it.userflow.bulk(rows)
    return with_user


def _email(contact_id: str) -> str:
    return f"of{contact_id}@example.com"


async def _renamed(it: World, company_id: str, user_ids: Collection[str]) -> tuple[float, float]:
    """Seconds until the first and until the last user shows it."""
    name = f"at {time.monotonic_ns()}"
    started = time.monotonic()
    await it.hubspot.edit("companies", company_id, {"name": name})
    await _shown(it, user_ids, name, any)
    first_s = time.monotonic() - started
    await _shown(it, user_ids, name, all)
    return first_s, time.monotonic() - started


async def _shown(it: World, user_ids: Collection[str], name: str, by: Callable[[Iterable[bool]], bool]) -> None:
    async def look() -> bool:
        users = await it.userflow.objects("users")
        return by(users[one].get(COMPANY) == name for one in user_ids)

    if not await eventually(look, bool, WITHIN_S, every_s=0.02):
        raise RuntimeError(f"the company's name does not show after {WITHIN_S:.0f} s")
