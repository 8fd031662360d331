"""What `pairstream erase` does."""

import asyncio
from typing import Final

from connectors.kafka.producer import Publisher
from connectors.kafka.table import TableReader
from pipeline.commands.changing import Change
from pipeline.commands.options import Way
from pipeline.commands.session import with_kafka
from pipeline.operations import erase
from pipeline.process import Process, now_ms
from schemas.integrations import every
from schemas.topics import ERASURES, INTEGRATIONS, MAPPINGS

ERASED_S: Final = 30.0
LOOKED_S: Final = 120.0
CLOCKS_APART_MS: Final = 60_000
"""How far the worker's clock may be behind ours."""


def erase_object(object_type: str, object_id: str, *, integration: str | None, way: Way) -> None:
    """Erase a HubSpot record from state and topics, and say how far that has come."""

    async def work(process: Process, publisher: Publisher, tables: TableReader) -> None:
        there = every(tables.table(INTEGRATIONS))
        name = erase.integration_of(integration, there)
        erase.check_object(name, tables.table(MAPPINGS).values(), object_type, object_id)
        settings, what = there[name], f"{name}: HubSpot {object_type} {object_id}"
        key = erase.key_of(name, settings, object_type, object_id)
        partitions = process.settings.partitions
        before_ms = await asyncio.to_thread(erase.erased_before_ms, process.cluster, process.codec, partitions, key)
        facts = {"integration": name, "object": f"hubspot {object_type} {object_id}", "erased_at_ms": before_ms or None}
        change = Change("erase", way, **facts, pairs=None)
        if before_ms:
            change.say(f"{what} was erased at {erase.instant(before_ms)}")
            return change.end(done=False)
        change.agree(
            f"{what} would be erased, with its pair and all that topics hold of it",
            f"Erase {what}, its pair and all that topics hold of it? Userflow and HubSpot keep what they have.",
            unasked=False,
        )
        erasures = TableReader(process.cluster, process.codec, (ERASURES,))
        await asyncio.to_thread(erasures.start)
        try:
            since_ms = now_ms()
            await erase.ask(publisher, name, settings, object_type, object_id, since_ms)
            erasure = await erase.wait_until_erased(erasures, key, since_ms - CLOCKS_APART_MS, ERASED_S)
            change.say(f"{what}: erased from state at {erase.instant(erasure.erased_ms)}, {erase.with_pairs(erasure)}")
            await erase.wait_until_looked(erasures, key, erasure, LOOKED_S)
            change.say(f"{what}: no topic holds a record of it; {erase.told(erasure)}")
        finally:
            await asyncio.to_thread(erasures.stop)
        return change.end(erased_at_ms=erasure.erased_ms, pairs=len(erasure.pairs))

    with_kafka(work)
