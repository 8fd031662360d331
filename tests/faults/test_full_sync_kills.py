"""The worker, a connector, the scheduler and the broker are killed during a full sync: its end is exact nonetheless."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
import pytest_asyncio

from schemas.runs import RunProgress
from tests.e2e.world import PLAN, TITLE, World, eventually, measured, world
from tests.faults.flow import kill

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]

PAIRS, CONTACTS_ONLY, USERS_ONLY, SHARED = 400, 200, 50, 20
AT_ONCE = 25
ENDED_S = 240.0
BROKER_AWAY_S = 3.0
AWAY_S = 40.0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def it(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """On a broker of its own; no webhook arrives, so that only full syncs bring anything in step."""
    async with world(tmp_path_factory.mktemp("full-sync-kills")) as running:
        for vendor in (running.hubspot, running.userflow):
            await vendor.set(webhook_drop_probability=1)
        await running.pair(0)
        await running.apply()
        contact, user = running.hubspot.create, running.userflow.create
        people: list[Coroutine[Any, Any, Any]] = [running.pair(number) for number in range(1, PAIRS)]
        people += [contact("contacts", {"email": f"c{number}@example.com"}) for number in range(CONTACTS_ONLY)]
        people += [user("users", {"email": f"u{n}@example.com"}, f"u-{n}") for n in range(USERS_ONLY)]
        for number in range(SHARED):
            email = f"shared{number}@example.com"
            people += [user("users", {"email": email, "plan": "x"}, f"s-{number}-{twin}") for twin in (0, 1)]
            people.append(contact("contacts", {"email": email, "jobtitle": "y"}))
        for first in range(0, len(people), AT_ONCE):
            await asyncio.gather(*people[first : first + AT_ONCE])
        for vendor in (running.hubspot, running.userflow):
            await vendor.set(latency_ms=150)
        yield running


async def test_completed_is_told_when_the_stores_agree_whatever_was_killed_meanwhile(it: World) -> None:
    run = asyncio.create_task(it.answer("full-sync", "start", "acme", "--wait", "--format", "json"))
    broker = it.machine.broker
    assert broker is not None

    await reached(it, "crawl")
    await kill(it, "userflow-connector")
    await reached(it, "count")
    await kill(it, "worker")
    await reached(it, "write")
    await kill(it, "hubspot-connector")
    await kill(it, "scheduler")
    await reached(it, "written")
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(BROKER_AWAY_S)
    await asyncio.to_thread(broker.start)

    async with asyncio.timeout(ENDED_S):
        told: dict[str, Any] = json.loads((await run).splitlines()[-1])
    assert told["state"] == "completed", told
    agrees(told, await judged(it))
    measured(f"{told['pairs']} pairs; {told['read']}")


async def test_a_second_run_writes_nothing_and_counts_the_same(it: World) -> None:
    before = await it.writes()
    told: dict[str, Any] = json.loads(
        (await it.answer("full-sync", "start", "acme", "--wait", "--format", "json")).splitlines()[-1]
    )
    assert await it.writes() == before
    assert (told["equal"], told["written"]) == (PAIRS, {"hubspot": 0, "userflow": 0})


async def test_a_system_that_is_away_holds_a_run_up_and_does_not_end_it(it: World) -> None:
    for number in range(40):
        await it.hubspot.edit("contacts", list(it.made)[number], {"jobtitle": f"unheard of {number}"})
    away = {"match": {"method": "POST"}, "action": "status", "status": 503}
    await it.userflow.add_faults(away)
    run = asyncio.create_task(it.answer("full-sync", "start", "acme", "--wait", "--format", "json"))
    await asyncio.sleep(AWAY_S)
    assert not run.done()
    await it.userflow.clear_faults()
    async with asyncio.timeout(ENDED_S):
        told: dict[str, Any] = json.loads((await run).splitlines()[-1])
    assert told["state"] == "completed", told
    assert (told["written"]["userflow"], told["equal"]) == (40, PAIRS - 40)
    assert (await judged(it))["differing"] == 0


async def reached(it: World, step: str) -> None:
    """Wait until the run has come to that step, or further."""

    async def steps() -> set[str]:
        rows = [one for one in await asyncio.to_thread(it.records, "sync.runs") if isinstance(one, RunProgress)]
        return {one.full_sync.step for one in rows if one.full_sync is not None}

    assert step in await eventually(steps, lambda seen: step in seen, ENDED_S), f"it never came to {step}"


async def judged(it: World) -> dict[str, int]:
    """What an independent look at both stores says of the pairs: the figures, and what is not in step."""
    contacts, users = await it.hubspot.objects("contacts"), await it.userflow.objects("users")
    ours, theirs = Counter(one["email"] for one in contacts.values()), Counter(one["email"] for one in users.values())
    pairs = {email for email in ours if ours[email] == theirs[email] == 1}
    titles = {one["email"]: one.get("jobtitle") for one in contacts.values()}
    plans = {one["email"]: one.get("plan") for one in users.values()}
    return {
        "pairs": len(pairs),
        "hubspot only": sum(email not in theirs for email in ours),
        "userflow only": sum(number for email, number in theirs.items() if email not in ours),
        "ambiguous": sum(ours[email] > 0 and max(ours[email], theirs[email]) > 1 for email in theirs),
        "written on hubspot": sum(PLAN in one for one in contacts.values()),
        "written on userflow": sum(TITLE in one for one in users.values()),
        "differing": sum(one.get(TITLE) != titles[one["email"]] for one in users.values() if one["email"] in pairs)
        + sum(one.get(PLAN) != plans[one["email"]] for one in contacts.values() if one["email"] in pairs),
        "guessed": sum(TITLE in one for one in users.values() if one["email"] not in pairs),
    }


def agrees(told: dict[str, Any], stores: dict[str, int]) -> None:
    """The run's figures are those of the stores, and the stores agree with each other."""
    assert (stores["differing"], stores["guessed"]) == (0, 0)
    assert told["pairs"] == stores["pairs"] == PAIRS
    assert told["written"] == {"hubspot": stores["written on hubspot"], "userflow": stores["written on userflow"]}
    assert told["unmatched"]["userflow"] == stores["userflow only"] == USERS_ONLY
    assert told["ambiguous"] == stores["ambiguous"] == SHARED
    if told["read"]["hubspot.contacts"]["expected"] is not None:
        assert told["unmatched"]["hubspot"] == stores["hubspot only"]
