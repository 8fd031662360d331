"""A disconnect in the middle of ten thousand queued patches: within a second nothing leaves any more.

Also while a vendor hangs. Nothing of it is kept, and connecting again starts anew.
"""

import asyncio
import json
import time
import urllib.request
from pathlib import Path

import pytest

from connectors.kafka.latest import latest_rows
from schemas.topics import INTEGRATIONS, MAPPINGS, OBJECTS_STATE, PAIRS_STATE
from tests.e2e.looking import title_arrives
from tests.e2e.world import CREDENTIALS, FILE, PLAN, TITLE, World, eventually, measured, messages, world
from tests.kafka import Kafka

PAIRS = 10_000
WITHIN_MS = 1_000
HANGS_MS = 5_000
QUIET_S = 7.0
FULL_SYNC_S = 900
READ_S = 120.0
PATCHES_S = 400.0
FORGOTTEN_S = 30.0
FEW = FILE.replace("[jobtitle, lifecyclestage]", "[jobtitle]")


@pytest.mark.by_hand  # twenty thousand calls to bring the pairs in step, and seconds to be measured: minutes alone
async def test_within_a_second_nothing_leaves_and_nothing_is_kept(kafka: Kafka, tmp_path: Path) -> None:
    async with world(tmp_path, kafka) as it:
        await it.userflow.seed({"users": [_user(number) for number in range(PAIRS)]})
        await it.apply(FEW)
        await it.hubspot.seed({"objects": {"contacts": [_contact(number) for number in range(PAIRS)]}})
        await _queued(it, "first")
        await _disconnect(it, "answering")
        assert await asyncio.to_thread(_subscriptions, it) == 0

        await it.apply(FEW)
        await _queued(it, "second")
        await it.userflow.add_faults({"match": {}, "action": "timeout_before_effect", "after_ms": HANGS_MS})
        await asyncio.sleep(1.0)  # until the writes under way hang
        said = await _disconnect(it, "hanging")
        assert "userflow: something may be left there (timed_out)" in said
        await it.userflow.clear_faults()
        await it.userflow.set(rate_per_s=None)

        contact_id, user_id = await it.pair(PAIRS)
        await it.apply(FEW)
        assert await asyncio.to_thread(_subscriptions, it) == 1
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "edited"})
        await title_arrives(it, user_id, "edited")


async def _queued(it: World, title: str) -> None:
    """Know every pair, then edit all contacts while Userflow takes ten calls a second."""
    await it.userflow.set(rate_per_s=None)
    await it.full_sync(FULL_SYNC_S)
    connection = (await asyncio.to_thread(it.records, MAPPINGS))[-1].connection

    async def pairs() -> int:
        return await asyncio.to_thread(_rows, it, PAIRS_STATE)

    assert await eventually(pairs, lambda rows: rows >= PAIRS, READ_S, every_s=2.0) >= PAIRS
    await it.idle(READ_S)
    await it.userflow.set(rate_per_s=10.0)
    for start in range(0, PAIRS, 1_000):
        edits = [
            {"operation": "edit", "type": "contacts", "id": contact_id(number), "properties": {"jobtitle": title}}
            for number in range(start, min(start + 1_000, PAIRS))
        ]
        await it.hubspot.bulk(edits)

    async def patches() -> int:
        records = await asyncio.to_thread(it.records, "userflow.field-patches")
        return len({record.object_id for record in records if record.connection == connection})

    assert await eventually(patches, lambda seen: seen == PAIRS, PATCHES_S, every_s=2.0) == PAIRS


async def _disconnect(it: World, how: str) -> str:
    """Disconnect, wait until all is quiet, and look at who was asked last, and at what is kept."""
    said = await it.command("integration", "disconnect", "acme", "--yes")
    assert "acme: disconnected" in said
    await asyncio.sleep(QUIET_S)
    accepted_ms = await asyncio.to_thread(_accepted_ms, it)
    for system, control in (("hubspot", it.hubspot), ("userflow", it.userflow)):
        calls = (await control.requests(last=200))["requests"]
        last_ms = max(int(call["time_ms"]) for call in calls)
        measured(f"{how}: last request at {system} {last_ms - accepted_ms} ms after the disconnect was accepted")
        assert last_ms - accepted_ms < WITHIN_MS

    async def kept() -> int:
        topics = (OBJECTS_STATE, PAIRS_STATE)
        return sum([await asyncio.to_thread(_rows, it, topic) for topic in topics])

    started = time.monotonic()
    assert await eventually(kept, lambda rows: rows == 0, FORGOTTEN_S) == 0
    await it.idle()
    measured(f"{how}: nothing kept or waiting {time.monotonic() - started + QUIET_S:.1f} s after it")
    return said


def _accepted_ms(it: World) -> int:
    """When the request to disconnect was written: the newest record of `acme/desired`, by its time stamp."""
    records = messages(it.cluster, (it.cluster.physical(INTEGRATIONS),))
    return max((one.timestamp()[1] for one in records if one.key() == b"acme/desired"), default=0)


def _rows(it: World, topic: str) -> int:
    return len(latest_rows(it.cluster, topic, it.machine.settings.partitions, "acme:", lambda *_: None))


def _subscriptions(it: World) -> int:
    """How many webhook subscriptions Userflow has."""
    url = f"{it.machine.endpoints.userflow_simulator_url}/webhook_subscriptions"
    headers = {"Authorization": f"Bearer {CREDENTIALS['USERFLOW_API_KEY']}", "Userflow-Version": "2020-01-13"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
        return len(json.load(answer)["data"])


def contact_id(number: int) -> str:
    return str(20_000 + number)


def _contact(number: int) -> dict[str, object]:
    fields = {"email": f"q{number}@example.com", "jobtitle": "title", PLAN: "plan"}
    return {"id": contact_id(number), "properties": fields}


def _user(number: int) -> dict[str, object]:
    return {"id": f"q-{number}", "attributes": {"email": f"q{number}@example.com", "plan": "plan", TITLE: "title"}}
