"""From 4 to 12 partitions and back: edits before, between and after arrive, each once; state deleted and rebuilt."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka.admin import AdminClient

from schemas.state import ObjectState, PairState
from schemas.topics import OBJECTS_STATE, PAIRS_STATE
from tests.e2e.installations import edit_all, in_step, installation
from tests.e2e.world import World, forget, measured
from tests.kafka import Kafka

PAIRS: Final = 30
STATE: Final = (OBJECTS_STATE, PAIRS_STATE)


def state(it: World) -> dict[str, dict[str, ObjectState | PairState]]:
    """Both agents' rows, without the times of our own clock at which something was asked."""
    return {topic: {key: _timeless(row) for key, row in it.rows(topic).items()} for topic in STATE}


def _timeless(row: ObjectState | PairState) -> ObjectState | PairState:
    if isinstance(row, ObjectState):
        return row
    return replace(row, looked_up_ms=0, asked=dict.fromkeys(row.asked, 0))


@pytest.mark.long  # four starts of every role
async def test_from_four_to_twelve_and_back_nothing_is_lost_or_written_twice(tmp_path: Path, kafka: Kafka) -> None:
    async with installation(tmp_path, kafka) as it:
        async with it.running(PAIRSTREAM_PARTITIONS="4") as four:
            for number in range(PAIRS):
                await four.pair(number)
            await four.apply()
            await four.full_sync()
            await four.converged()
            await four.idle()
            before = await four.writes()
            assert "stop it" in await four.command("topics", "repartition", "12", "--yes", expect=1)
            await edit_all(four, "before")
        await repartitioned(four, 12)
        await edit_all(four, "between")
        async with it.running(PAIRSTREAM_PARTITIONS="12") as twelve:
            await edit_all(twelve, "after")
            await in_step(twelve, "after")
            await edit_all(twelve, "and back")
        await repartitioned(twelve, 4)
        async with it.running(PAIRSTREAM_PARTITIONS="4") as back:
            await in_step(back, "and back")
            after = await back.writes()
            assert after["userflow"] - before["userflow"] <= 4 * PAIRS, "each edit is written once at most"
            assert after["hubspot"] - before["hubspot"] <= 4 * PAIRS
            assert await back.dead_letters() == [] and await back.created_by_api() == 0
        await rebuilt(back)
        async with it.running(PAIRSTREAM_PARTITIONS="4") as last:
            await last.full_sync()
            assert await last.writes() == after
            await edit_all(last, "rebuilt")
            await in_step(last, "rebuilt")
    await asyncio.to_thread(forget, last.cluster)


async def repartitioned(it: World, number: int) -> None:
    told = await it.command("topics", "repartition", str(number), "--yes")
    measured(told.splitlines()[-2])
    refused = await it.command("apply", str(it.folder / "integration.yaml"), "--yes", expect=1)
    assert f"topics have {number} partitions" in refused


async def rebuilt(it: World) -> None:
    """State deleted and rebuilt equals the state before."""
    before = await asyncio.to_thread(state, it)
    assert len(before[OBJECTS_STATE]) == 2 * PAIRS and len(before[PAIRS_STATE]) == PAIRS
    admin = AdminClient(dict(it.cluster.client))
    for deleted in admin.delete_topics([it.cluster.physical(topic) for topic in STATE], operation_timeout=15).values():
        deleted.result(15)
    await it.command("topics", "apply", PAIRSTREAM_PARTITIONS="4")
    told = await it.command("state", "rebuild", "--yes", PAIRSTREAM_PARTITIONS="4")
    measured(told.splitlines()[0])
    assert await asyncio.to_thread(state, it) == before
