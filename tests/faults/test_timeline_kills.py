"""The HubSpot connector is killed, and answers are lost, while events are on their way: each is told once."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.e2e.timelines import APP_EVENTS, OAUTH, told, track
from tests.e2e.world import measured, world
from tests.faults.flow import AFTER_FAULTS_S, ROUNDS, WEBHOOK_BACKOFF_MS, kill
from tests.kafka import Kafka

EVENTS_A_KILL = 100
PACE_S = 0.03
PEOPLE = 20
SLOW_MS = 300  # half of it after the event was stored: a kill then leaves it stored and its record unfinished
LOST = {
    "match": {"path_contains": "/integrators/timeline"},
    "action": "timeout_after_effect",
    "after_ms": 200,
    "probability": 0.1,
}


@pytest.mark.long
async def test_every_event_is_told_once_however_often_the_connector_is_killed(kafka: Kafka, tmp_path: Path) -> None:
    """The long form, PAIRSTREAM_FAULT_ROUNDS=10, is a thousand events and ten kills."""
    chance = random.Random(11)
    async with world(tmp_path, kafka, unlimited=True, **OAUTH) as it:
        await it.userflow.set(webhook_backoff_ms=WEBHOOK_BACKOFF_MS)
        pairs = [await it.pair(number) for number in range(PEOPLE)]
        await it.apply(APP_EVENTS)
        await it.full_sync()
        await it.converged()
        await it.hubspot.set(latency_ms=SLOW_MS)
        await it.hubspot.add_faults(LOST)
        wanted: set[tuple[str, str, str]] = set()

        async def events() -> None:
            for number in range(EVENTS_A_KILL * ROUNDS):
                contact, user = chance.choice(pairs)
                await track(it, user, f"Task {number}")
                wanted.add(("userflow_checklist_task_completed_contact", contact, f"Task {number}"))
                await asyncio.sleep(PACE_S)

        sending = asyncio.create_task(events())
        for _ in range(ROUNDS):
            await asyncio.sleep(chance.uniform(0.5, 1.5) * EVENTS_A_KILL * PACE_S)
            await kill(it, "hubspot-connector")
        await sending
        await it.hubspot.clear_faults()
        found = await told(it, len(wanted), AFTER_FAULTS_S)
        await it.idle(AFTER_FAULTS_S)
        found = await told(it, len(wanted), 0)
        assert {event: times for event, times in found.items() if times > 1} == {}
        assert found.keys() == wanted
        assert await it.dead_letters() == []
        conflicts = (await it.hubspot.requests())["statuses"].get("409", 0)
        assert conflicts > 0, "nothing was ever sent twice: the kills and the lost answers came too late"
        measured(f"{ROUNDS} kills during {len(wanted)} events; {conflicts} requests were refused as stored already")
