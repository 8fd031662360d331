"""A contact is erased, by HubSpot or by command: its values are in no topic's readable bytes, no row and no log."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.kafka.latest import latest_rows
from schemas.topics import ERASURES, OBJECTS_STATE, PAIRS_STATE, TOPICS
from tests.e2e.looking import title_arrives
from tests.e2e.world import STAGE, World, eventually, messages, world
from tests.kafka import Kafka

ERASED_S = 60.0
READABLE_S = 100.0
KEPT = "Charles Babbage, 1791"
BY_HUBSPOT, BY_COMMAND = "Countess of Lovelace, 1815", "Mary Somerville, 1780"
STATE = (OBJECTS_STATE, PAIRS_STATE)


@pytest.mark.long
async def test_no_byte_of_an_erased_contact_can_be_read(kafka: Kafka, tmp_path: Path) -> None:
    async with world(tmp_path, kafka) as it:
        made = {title: await it.pair(number, jobtitle="engineer") for number, title in enumerate(_titles())}
        await it.apply()
        await it.full_sync()
        await it.converged()
        await it.userflow.add_faults({"match": {}, "action": "refuse_property", "property": STAGE})
        for title, (contact_id, _) in made.items():
            await it.hubspot.edit("contacts", contact_id, {"jobtitle": title, "lifecyclestage": "customer"})
        for title, (_, user_id) in made.items():
            await title_arrives(it, user_id, title, ERASED_S)
        letters = await eventually(it.dead_letters, lambda found: len(found) >= len(made), ERASED_S)
        assert len(letters) >= len(made)
        await it.idle()
        held = {title: await asyncio.to_thread(_held, it, _traces(number, title)) for number, title in _numbered()}
        assert {"hubspot.notifications", "hubspot.changes", "userflow.changes", *STATE} <= held[BY_HUBSPOT]
        kept = await asyncio.to_thread(_count, it, KEPT)

        await it.hubspot.forget("contacts", made[BY_HUBSPOT][0])
        it.kill("worker")
        it.kill("scheduler")
        said = await it.command("erase", "hubspot", "contacts", made[BY_COMMAND][0], "--yes")
        assert "no topic holds a record of it" in said
        await _looked(it)

        # webhooks that a busy receiver answered late come once more: the next look takes them out
        left = await eventually(lambda: _readable(it), lambda found: not found, READABLE_S, every_s=2.0)
        assert not left, f"still in {left}"
        rows = await asyncio.to_thread(_rows, it)
        logs = {log.name: log.read_bytes() for log in (it.machine.settings.state_dir / "logs").glob("*.log")}
        assert [trace for trace in _erased() if trace in rows] == []
        assert [(name, trace) for name, log in logs.items() for trace in _erased() if trace in log] == []
        assert await asyncio.to_thread(_count, it, KEPT) >= kept

        said = await it.command("erase", "hubspot", "contacts", made[BY_COMMAND][0], "--yes")
        assert "was erased at" in said
        contact_id, user_id = made[KEPT]
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": "still in step"})
        await title_arrives(it, user_id, "still in step", ERASED_S)


def _titles() -> tuple[str, ...]:
    return KEPT, BY_HUBSPOT, BY_COMMAND


def _numbered() -> Iterator[tuple[int, str]]:
    return enumerate(_titles())


def _traces(number: int, title: str) -> tuple[bytes, ...]:
    return title.encode(), f"person{number}@example.com".encode()


def _erased() -> tuple[bytes, ...]:
    """All that is to be nowhere."""
    return tuple(trace for number, title in _numbered() if title != KEPT for trace in _traces(number, title))


async def _looked(it: World) -> None:
    """Wait until topics were looked through for all four: both contacts, both users."""

    async def looks() -> int:
        partitions = it.machine.settings.partitions
        rows = await asyncio.to_thread(latest_rows, it.cluster, ERASURES, partitions, "looked/", lambda *_: None)
        return len(rows)

    assert await eventually(looks, lambda found: found == 4, ERASED_S) == 4


def _messages(it: World, topics: set[str]) -> Iterator[tuple[str, bytes]]:
    """Every readable message of the topics, key and value in one."""
    for message in messages(it.cluster, [it.cluster.physical(topic) for topic in topics]):
        yield it.cluster.logical(message.topic() or ""), (message.key() or b"") + (message.value() or b"")


def _held(it: World, traces: tuple[bytes, ...]) -> set[str]:
    return {topic for topic, held in _messages(it, set(TOPICS)) if any(trace in held for trace in traces)}


def _count(it: World, title: str) -> int:
    """How many records that are kept to be looked at hold it."""
    kept = {"hubspot.notifications", "hubspot.changes", "userflow.changes", "sync.receipts", "sync.dead-letters"}
    return sum(title.encode() in held for _, held in _messages(it, kept))


def _rows(it: World) -> bytes:
    found = [latest_rows(it.cluster, topic, it.machine.settings.partitions, "", lambda *_: None) for topic in STATE]
    return b"".join(key.encode() + value for rows in found for key, value in rows.items())


async def _readable(it: World) -> set[str]:
    """Where they still are, but for old rows of compacted topics."""
    return await asyncio.to_thread(_held, it, _erased()) - set(STATE)
