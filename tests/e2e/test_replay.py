"""Replays of a running pipeline: nothing is written where all is in step, and what is planned is what is written."""

import json
from pathlib import Path
from typing import Any, Final

from tests.e2e.world import FILE, World, measured, world
from tests.kafka import Kafka

PAIRS: Final = 40
NEW_RULE: Final = "to_userflow: [jobtitle, {from: jobtitle, to: headline}, lifecyclestage]"


async def planned(it: World, *words: str, expect: int) -> Any:
    return json.loads(await it.answer("replay", "plan", "acme", "--format", "json", *words, expect=expect))


async def run(it: World, *words: str) -> Any:
    return json.loads(await it.answer("replay", "run", "acme", "--yes", "--format", "json", *words))


async def test_replays(tmp_path: Path, kafka: Kafka) -> None:
    async with world(tmp_path, kafka) as it:
        for number in range(PAIRS):
            await it.pair(number)
        await it.apply()
        await it.full_sync()
        for contact_id in it.made:
            await it.hubspot.edit("contacts", contact_id, {"jobtitle": "edited"})
        await it.converged()
        await it.idle()
        await in_step(it)
        await new_rule(it)
        await asked_wrongly(it)


async def in_step(it: World) -> None:
    plan = await planned(it, expect=0)
    assert plan["writes"] == {"hubspot": 0, "userflow": 0} and plan["objects"] == 2 * PAIRS
    before = await it.writes()
    done = await run(it)
    measured(f"{done['published']} records replayed in {done['took_s']} s")
    assert done["published"] == done["records"] >= plan["records"]  # echoes may have come in between
    assert (done["planned"], done["written"], done["refused"], done["handled"]) == (0, 0, 0, True)
    assert await it.writes() == before
    again = await planned(it, expect=0)
    assert again["records"] - done["records"] < PAIRS  # what a replay published is not replayed


async def new_rule(it: World) -> None:
    """A field that is read already gets a second target: applying writes nothing, the replay does."""
    await it.apply(FILE.replace("to_userflow: [jobtitle, lifecyclestage]", NEW_RULE))
    users = await it.userflow.objects("users")
    assert not any(fields.get("headline") for fields in users.values())
    object_id = next(iter(it.made))
    one = await planned(it, "--object", "hubspot", "contacts", object_id, expect=2)
    assert (one["objects"], one["writes"]) == (1, {"hubspot": 0, "userflow": 1})

    plan = await planned(it, expect=2)
    assert plan["writes"] == {"hubspot": 0, "userflow": PAIRS} and plan["fields"] == PAIRS
    text = await it.command("replay", "plan", "acme", expect=2)
    assert f"at most {PAIRS} writes (HubSpot 0, Userflow {PAIRS})" in text and "edited" not in text
    done = await run(it)
    assert (done["planned"], done["written"], done["writes"]) == (PAIRS, PAIRS, plan["writes"])
    users = await it.userflow.objects("users")
    assert [fields.get("headline") for fields in users.values()] == ["edited"] * PAIRS
    assert (await planned(it, expect=0))["writes"] == {"hubspot": 0, "userflow": 0}


async def asked_wrongly(it: World) -> None:
    assert "decision 0010" in await it.command("replay", "plan", "acme", "--from-topic", "sync.matches", expect=1)
    assert "there are: contacts-users" in await it.command("replay", "plan", "acme", "--mapping", "x", expect=1)
    assert "earliest" in await it.command("replay", "plan", "acme", "--from", "yesterday", expect=64)
    assert "add --yes" in await it.command("replay", "run", "acme", expect=1)
    status = json.loads(await it.answer("replay", "status", "--format", "json"))
    assert [row["state"] for row in status["replays"]] == ["completed", "completed"]
    first = status["replays"][0]["replay"]
    assert "is completed" in await it.command("replay", "run", "--resume", first, "--yes", expect=1)
    assert "is completed already" in await it.command("replay", "cancel", first, expect=1)
    told = await it.command("replay", "plan", "acme", "--from-topic", "hubspot.notifications")
    assert "would be translated again" in told
    before = await it.writes()
    told = await it.command("replay", "run", "acme", "--from-topic", "hubspot.notifications", "--yes")
    assert "were translated again" in told and "done after" in told
    assert await it.writes() == before
