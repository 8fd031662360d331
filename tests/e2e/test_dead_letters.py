"""Five hundred dead letters of three reasons: grouped, redriven once mended, left alone where they come back."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from connectors.kafka.producer import Publisher
from schemas.codec import Codec
from schemas.copies import each
from schemas.records import DeadLetter, Notification
from schemas.registry import LocalRegistry
from schemas.topics import DEAD_LETTERS, HUBSPOT_CHANGES, HUBSPOT_NOTIFICATIONS
from tests.e2e.world import PLAN, World, eventually, messages, world
from tests.kafka import Kafka

PAIRS: Final = 200
UNDECODABLE: Final = 200
MALFORMED: Final = 100
WITHIN_S: Final = 60.0
REFUSES: Final = {"action": "refuse_property", "property": PLAN, "code": "INVALID_OPTION"}


def garbage(number: int) -> bytes:
    return b"no record %d" % number


async def broken_records(it: World) -> None:
    """Bytes that are no record, and webhooks that are none of HubSpot's."""
    publisher = Publisher(it.cluster, Codec(LocalRegistry()))
    for number in range(UNDECODABLE):
        await publisher.send_bytes(HUBSPOT_CHANGES, f"acme:1:hubspot:contacts:x{number}", garbage(number))
    for number in range(MALFORMED):
        body = Notification("acme", "hubspot", b"{%d" % number, {}, 1_700_000_000_000)
        await publisher.send(HUBSPOT_NOTIFICATIONS, "acme", body)
    await publisher.close()


async def listed(it: World, *words: str) -> Any:
    return json.loads(await it.answer("dead-letters", "list", "--format", "json", *words))


async def redriven(it: World, reason: str, *words: str, expect: int) -> Any:
    command = ("dead-letters", "redrive", "--reason", reason, "--yes", "--wait", "--rate", "1000", "--format", "json")
    return json.loads(await it.answer(*command, *words, expect=expect))


def counts(told: Any) -> Mapping[str, int]:
    return {group["reason"]: group["count"] for group in told["groups"]}


async def refused_fields(it: World) -> None:
    await it.hubspot.add_faults(REFUSES)
    for number in range(PAIRS):
        await it.pair(number)


@pytest.mark.long  # seven redrives, each waited for
async def test_five_hundred_letters(tmp_path: Path, kafka: Kafka) -> None:
    async with world(tmp_path, kafka) as it:
        await refused_fields(it)
        await it.apply()
        await it.full_sync()
        await broken_records(it)
        there = await eventually(it.dead_letters, lambda some: len(some) >= PAIRS + UNDECODABLE + MALFORMED, WITHIN_S)
        reasons = {letter.reason for letter in there}
        assert len(there) == PAIRS + UNDECODABLE + MALFORMED, reasons

        await it.idle()
        await grouped(it)
        await headers_tell(it)
        await mended(it)
        await loop_guard(it)
        await put_away(it)


async def grouped(it: World) -> None:
    told = await listed(it)
    assert sorted(counts(told).values()) == [MALFORMED, PAIRS, UNDECODABLE]
    assert counts(told)["invalid_option"] == PAIRS and counts(told)["undecodable"] == UNDECODABLE
    text = await it.answer("dead-letters", "list")
    assert "add the option in HubSpot" in text and "example.com" not in text
    one = next(letter for letter in told["letters"] if letter["reason"] == "invalid_option")
    shown = await it.answer("dead-letters", "show", one["id"][:10], "--value")
    assert "refused still" in shown and '"hidden"' in shown and '"plan ' not in shown


async def headers_tell(it: World) -> None:
    """A tool that decodes nothing shows reason and place of each."""
    topic = it.cluster.physical(DEAD_LETTERS)
    for message in await asyncio.to_thread(lambda: list(messages(it.cluster, (topic,)))):
        told = {name: value for name, value in each(message.headers()) if isinstance(value, bytes)}
        assert told["__connect.errors.topic"].startswith(it.cluster.prefix.encode())
        reason = told["__streams.errors.exception"]
        assert told["__connect.errors.exception.message"].startswith(reason + b": ")


async def mended(it: World) -> None:
    """Tried while nothing is mended they come back; once it is, all land."""
    before = await redriven(it, "invalid_option", expect=1)
    assert before["counts"]["refused again"] == PAIRS == before["pairs"] == before["most_writes"]["hubspot"]
    assert (await listed(it, "--reason", "invalid_option"))["letters"][0]["redrives"] == 1

    await it.hubspot.clear_faults()
    after = await redriven(it, "invalid_option", expect=0)
    assert after["counts"] == {"written": PAIRS, "handled": 0, "refused again": 0, "gone": 0, "not known yet": 0}
    assert await it.differences() == []
    assert "invalid_option" not in counts(await listed(it))


async def loop_guard(it: World) -> None:
    """What stays broken comes back three times, is then left alone, and is all there, byte for byte."""
    for number in (1, 2, 3):
        told = await redriven(it, "undecodable", expect=1)
        assert (told["counts"]["refused again"], {one["redrives"] for one in told["tried"]}) == (UNDECODABLE, {number})
    told = await redriven(it, "undecodable", expect=1)
    assert (told["tried"], len(told["left"]["looping"])) == ([], UNDECODABLE)

    found = await it.dead_letters()
    ours: dict[str, DeadLetter] = {letter.id: letter for letter in found if letter.reason == "undecodable"}
    assert {letter.value for letter in ours.values()} == {garbage(number) for number in range(UNDECODABLE)}
    assert {letter.redrives for letter in ours.values()} == {3}
    assert len({letter.id for letter in found}) == PAIRS + UNDECODABLE + MALFORMED

    one = next(iter(ours))
    forced = await it.answer("dead-letters", "redrive", one, "--yes", "--wait", "--force", expect=1)
    assert "1 redriven: refused again 1" in forced
    raw = await it.answer("dead-letters", "show", one, "--raw")
    assert raw.encode() == ours[one].value


async def put_away(it: World) -> None:
    told = await listed(it)
    first = next(letter["id"] for letter in told["letters"] if letter["reason"] == "undecodable")
    assert "add --yes" in await it.command("dead-letters", "discard", first, expect=1)
    await it.command("dead-letters", "discard", first[:12], "--note", "ACME-77", "--yes")
    left = await listed(it)
    assert left["total"] == told["total"] - 1
    everything = await listed(it, "--all")
    mark = next(letter["mark"] for letter in everything["letters"] if letter["id"] == first)
    assert (mark["state"], mark["note"]) == ("discarded", "ACME-77") and "@" in mark["by"]
    assert everything["total"] == PAIRS + UNDECODABLE + MALFORMED
