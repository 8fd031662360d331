"""What values must survive: other forms, workflows, lag, wrong clocks, webhooks in disorder, bytes that are none."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from confluent_kafka import Producer

from connectors.kafka.settings import publisher_config
from schemas.codec import HEADER, MAGIC
from tests.e2e.looking import (
    becomes_true,
    letters,
    number,
    paired,
    plan_arrives,
    settled,
    title_arrives,
    written,
)
from tests.e2e.world import CONVERGED_S, FILE, PLAN, STAGE, World, world
from tests.kafka import Kafka

SEATS = "userflow_user_seats"
pytestmark = pytest.mark.asyncio(loop_scope="module")
CALM: dict[str, dict[str, Any]] = {
    "hubspot": {
        "normalise": {},
        "workflows": {},
        "read_lag_ms": 0,
        "webhook_duplicate_probability": 0,
        "webhook_reorder_probability": 0,
        "webhook_delay_probability": 0,
    },
    "userflow": {
        "webhook_duplicate_probability": 0,
        "webhook_reorder_probability": 0,
        "webhook_delay_probability": 0,
    },
}
DISORDER: dict[str, Any] = {
    "webhook_duplicate_probability": 0.4,
    "webhook_reorder_probability": 0.6,
    "webhook_reorder_ms": 800,
    "webhook_delay_probability": 0.2,
    "webhook_delay_ms": 1_500,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("semantics"), kafka) as it:
        # a webhook that comes before the integration is there is refused: sent again soon, it delays no test
        await it.hubspot.set(webhook_backoff_ms=500)
        await it.pair(number())
        await it.userflow.create("users", {"seats": 1}, "who-has-seats")
        await it.apply(FILE.replace("to_hubspot: [plan]", "to_hubspot: [plan, seats]"))
        yield it


@pytest_asyncio.fixture(loop_scope="module")
async def it(whole: World) -> AsyncIterator[World]:
    """The world with calm vendors, before and after."""
    yield whole
    await whole.hubspot.set(**CALM["hubspot"])
    await whole.userflow.set(**CALM["userflow"])


async def email_of(it: World, contact_id: str) -> str:
    return str((await it.hubspot.fields("contacts", contact_id))["email"])


def holds(it: World, contact_id: str, name: str, value: Any) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return bool((await it.hubspot.fields("contacts", contact_id)).get(name) == value)

    return look


async def writes_to(it: World, object_id: str) -> int:
    return sum(object_id in call[3] for call in await written(it))


@pytest.mark.parametrize(
    ("rule", "name", "target", "sent", "stored", "later", "later_stored"),
    [
        ("trim", "plan", PLAN, " gold ", "gold", " platinum ", "platinum"),
        ("number", "seats", SEATS, 0.1 + 0.2, "0.3", 0.7 + 0.1, "0.8"),
    ],
)
async def test_a_value_that_is_stored_in_another_form_is_written_once(
    it: World, rule: str, name: str, target: str, sent: Any, stored: str, later: Any, later_stored: str
) -> None:
    contact_id, user_id = await paired(it)
    await settled(it)
    await it.hubspot.set(normalise={f"contacts.{target}": rule})
    before = await writes_to(it, contact_id)

    await it.userflow.edit("users", user_id, {name: sent})
    await becomes_true(holds(it, contact_id, target, stored), f"{stored} did not arrive")
    await settled(it)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Looked at again"})
    await title_arrives(it, user_id, "Looked at again")
    await settled(it)
    assert await writes_to(it, contact_id) - before <= 2

    await it.userflow.edit("users", user_id, {name: later})
    await becomes_true(holds(it, contact_id, target, later_stored), f"{later_stored} did not arrive")
    assert await letters(it, key_holds=await email_of(it, contact_id)) == []


async def test_a_field_that_a_workflow_rewrites_is_left_alone_and_reported_once(it: World) -> None:
    contact_id, user_id = await paired(it)
    await it.hubspot.set(workflows={f"contacts.{PLAN}": "standard"})

    await it.userflow.edit("users", user_id, {"plan": "contested"})
    email = await email_of(it, contact_id)

    async def reported() -> bool:
        return len(await letters(it, key_holds=email)) > 0

    await becomes_true(reported, "the contest was not reported")
    await settled(it)
    stopped = await writes_to(it, contact_id)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Other fields go on"})
    await title_arrives(it, user_id, "Other fields go on")
    await settled(it)

    assert [(letter.reason, letter.field) for letter in await letters(it, key_holds=email)] == [
        ("contested", f"hubspot.{PLAN}")
    ]
    assert stopped <= 8
    assert await writes_to(it, contact_id) == stopped


async def test_reads_that_lag_behind_hold_no_edited_field_up_and_bring_no_old_value(it: World) -> None:
    contact_id, user_id = await paired(it)
    await it.hubspot.set(read_lag_ms=3_000)

    for turn in range(4):
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"lag {turn}", "lifecyclestage": "lead"})
        assert await title_arrives(it, user_id, f"lag {turn}") < 2.5
    await it.userflow.edit("users", user_id, {"plan": "during the lag"})
    await plan_arrives(it, contact_id, "during the lag")

    titles = await titles_written_while(it, user_id, settled(it))
    assert titles == {"lag 3"}
    assert (await it.userflow.fields("users", user_id))[STAGE] == "lead"
    await plan_arrives(it, contact_id, "during the lag", 0)


async def titles_written_while(it: World, user_id: str, work: Awaitable[None]) -> set[Any]:
    """Every title that the user showed until `work` had ended."""
    shown: set[Any] = set()
    task = asyncio.ensure_future(work)
    while not task.done():
        shown.add((await it.userflow.fields("users", user_id)).get("hubspot_contact_jobtitle"))
        await asyncio.wait({task}, timeout=0.02)
    await task
    return shown


async def test_webhooks_in_disorder_converge_on_the_newest_values(it: World) -> None:
    people = [await paired(it) for _ in range(5)]
    await it.hubspot.set(**DISORDER)
    await it.userflow.set(**DISORDER)

    for turn in range(6):
        for contact_id, user_id in people:
            await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"turn {turn}"})
            await it.userflow.edit("users", user_id, {"plan": f"turn {turn}"})
    for contact_id, user_id in people:
        await title_arrives(it, user_id, "turn 5")
        await plan_arrives(it, contact_id, "turn 5")

    async def delivered() -> bool:
        waiting = [await it.hubspot.deliveries(), await it.userflow.deliveries()]
        return not any(found["pending"] for found in waiting)

    await becomes_true(delivered, "webhooks are still held")
    await settled(it)
    for contact_id, user_id in people:
        await title_arrives(it, user_id, "turn 5", 0)
        await plan_arrives(it, contact_id, "turn 5", 0)


@pytest.mark.parametrize(("hubspot_ms", "userflow_ms"), [(60_000, 0), (0, -60_000), (60_000, 60_000)])
async def test_wrong_clocks_of_the_vendors_lose_no_edit(it: World, hubspot_ms: int, userflow_ms: int) -> None:
    await it.hubspot.set(clock_offset_ms=hubspot_ms)
    await it.userflow.set(clock_offset_ms=userflow_ms)
    contact_id, user_id = await paired(it)

    for turn in range(3):
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"clock {turn}"})
        await it.userflow.edit("users", user_id, {"plan": f"clock {turn}"})
        await title_arrives(it, user_id, f"clock {turn}")
        await plan_arrives(it, contact_id, f"clock {turn}")
    await settled(it)

    await title_arrives(it, user_id, "clock 2", 0)
    await plan_arrives(it, contact_id, "clock 2", 0)


@pytest.mark.parametrize("topic", ["hubspot.changes", "sync.matches", "hubspot.notifications"])
async def test_bytes_that_are_no_record_are_a_dead_letter_and_the_stream_goes_on(it: World, topic: str) -> None:
    await it.hubspot.set(clock_offset_ms=0)
    await it.userflow.set(clock_offset_ms=0)
    producer, physical = Producer(publisher_config(it.cluster)), it.cluster.physical(topic)
    for partition in range(it.machine.settings.partitions):
        producer.produce(physical, key=b"garbage-" + topic.encode(), value=b"\xff\x00garbage", partition=partition)
        cut = HEADER.pack(MAGIC, 1) + b"\x02"
        producer.produce(physical, key=b"cut-" + topic.encode(), value=cut, partition=partition)
    await asyncio.to_thread(producer.flush, 10)

    async def told() -> bool:
        found = [*await letters(it, key_holds=f"garbage-{topic}"), *await letters(it, key_holds=f"cut-{topic}")]
        return len(found) >= 2 * it.machine.settings.partitions

    await becomes_true(told, "the garbage has no dead letters")
    assert {letter.reason for letter in await letters(it, key_holds=f"garbage-{topic}")} == {"undecodable"}
    contact_id, user_id = await paired(it)
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": "Goes on"})
    await title_arrives(it, user_id, "Goes on")
    await settled(it)


@pytest.mark.long
async def test_a_live_edit_passes_three_thousand_queued_ones(it: World) -> None:
    contact_id, user_id = await paired(it)
    people = range(3_000)
    await it.hubspot.set(latency_ms=20)
    await it.userflow.set(latency_ms=20)
    made = [{"email": f"bulk{one}@example.com", "jobtitle": f"bulk {one}"} for one in people]
    create = {"operation": "create", "silent": True}
    await it.hubspot.bulk([{**create, "type": "contacts", "properties": fields} for fields in made])
    await it.userflow.bulk(
        [
            {**create, "type": "users", "id": f"bulk-{one}", "attributes": {"email": fields["email"]}}
            for one, fields in enumerate(made)
        ]
    )
    await it.command("full-sync", "start", "acme")

    async def under_way() -> bool:
        held = (await it.userflow.objects("users")).values()
        return any(str(fields.get("hubspot_contact_jobtitle", "")).startswith("bulk") for fields in held)

    await becomes_true(under_way, "the full sync does not write", CONVERGED_S)  # it reads all 6,000 before
    for turn in range(5):
        await it.hubspot.edit("contacts", contact_id, {"jobtitle": f"passing {turn}"})
        await title_arrives(it, user_id, f"passing {turn}")
        await it.userflow.edit("users", user_id, {"plan": f"passing {turn}"})
        await plan_arrives(it, contact_id, f"passing {turn}")

    # how long each took is the benchmark's business: here, that all of them passed the queue
    left = [one for one in (await it.userflow.objects("users")).values() if "hubspot_contact_jobtitle" not in one]
    assert len(left) > 1_000, "the bulk was over before the edits: they waited for it"


async def test_a_record_of_a_newer_schema_stops_the_worker_before_it_is_acknowledged(it: World) -> None:
    """The last of the module: nothing but an upgrade makes that partition go on."""
    producer = Producer(publisher_config(it.cluster))
    places: list[tuple[int, int]] = []
    producer.produce(
        it.cluster.physical("hubspot.changes"),
        key=b"newer",
        value=HEADER.pack(MAGIC, 4_711) + b"\x00",
        partition=0,
        on_delivery=lambda _, message: places.append((message.partition() or 0, message.offset() or 0)),
    )
    await asyncio.to_thread(producer.flush, 10)
    [(partition, offset)] = places

    async def stopped() -> bool:
        return "upgrade this" in it.log("worker")

    await becomes_true(stopped, "the worker did not stop")
    restarted_by = time.monotonic() + 5
    while time.monotonic() < restarted_by:
        committed = await asyncio.to_thread(it.admin.committed, "pairstream-worker", ("hubspot.changes",))
        assert committed.get(("hubspot.changes", partition), 0) <= offset
        await asyncio.sleep(0.5)
    assert await letters(it, key_holds="newer") == []
