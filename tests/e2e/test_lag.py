"""`pairstream lag` on a running pipeline: it names the stage that stands still, for how long, and when it will end."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from confluent_kafka import Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from connectors.kafka.settings import reader_config
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from tests.e2e.world import World, eventually, measured, messages, read_url, world
from tests.kafka import Kafka

PEOPLE, EDITED = 240, 200
PATCHES = "userflow.field-patches"
GROUP = "pairstream-userflow"
NOTICED_S, DRAINED_S = 60.0, 240.0
STOPPED_S, CLOSE_S = 60.0, 2.0
EXPORTED_S = 20.0  # the scheduler looks every 15 s
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def it(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka) -> AsyncIterator[World]:
    """Pairs in step, and nothing under way."""
    folder: Path = tmp_path_factory.mktemp("lag")
    async with world(folder, kafka) as made:
        people = [{"email": f"person{number}@example.com", "jobtitle": f"title {number}"} for number in range(PEOPLE)]
        await asyncio.gather(*(made.hubspot.create("contacts", one) for one in people))
        await asyncio.gather(
            *(
                made.userflow.create("users", {"email": one["email"], "plan": "free"}, f"user-{n}")
                for n, one in enumerate(people)
            )
        )
        await made.apply()
        await made.full_sync()
        await made.converged()
        yield made


async def lag(it: World, *words: str, expect: int = 0) -> Any:
    return json.loads(await it.answer("lag", "--format", "json", *words, expect=expect))


def stage(told: Any, name: str, topic: str) -> Any:
    (found,) = (one for one in told["stages"] if (one["stage"], one["topic"]) == (name, topic))
    return found


@dataclass(frozen=True)
class Exported:
    """What the scheduler's `/metrics` tells of the sink."""

    lag: float
    behind_s: float
    stopped: float


async def exported(it: World) -> Exported:
    text = await asyncio.to_thread(read_url, f"{it.machine.endpoints.health_urls['scheduler']}/metrics")
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(name: str, **labels: str) -> float:
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())

    return Exported(
        total("kafka_consumergroup_lag", consumergroup=GROUP, topic=PATCHES),
        total("pairstream_behind_seconds", stage="userflow sink"),
        total("pairstream_stage_stopped", stage="userflow sink"),
    )


def cost(told: Any) -> str:
    """What each process has spent, and what of it for its own figures."""
    return ", ".join(
        f"{one['process']} {one['cpu_ms']} ms, figures {one['own_cpu_ms']} ms" for one in told["processes"]
    )


def independent(it: World) -> tuple[int, float]:
    """Records of PATCHES that GROUP has not committed, and the seconds since the oldest cause, read by hand."""
    physical = it.cluster.physical(PATCHES)
    group = {**reader_config(it.cluster), "group.id": it.cluster.physical(GROUP)}
    consumer = Consumer(group)
    try:
        numbers = consumer.list_topics(physical, timeout=10).topics[physical].partitions
        committed = consumer.committed([TopicPartition(physical, number) for number in numbers], timeout=10)
    finally:
        consumer.close()
    begins = {place.partition: max(place.offset, 0) for place in committed}
    codec, times = Codec(LocalRegistry()), []
    for message in messages(it.cluster, (physical,)):
        if (message.offset() or 0) >= begins[message.partition() or 0]:
            times.append(codec.decode(PATCHES, message.value() or b"").caused_by.at_ms)
    return len(times), time.time() - min(times, default=time.time() * 1000) / 1000


async def test_an_integration_is_shown_with_its_pairs_as_the_full_sync_counted_them(it: World) -> None:
    shown = json.loads(await it.answer("integration", "show", "acme", "--format", "json"))
    assert [one["pairs"] for one in shown["mappings"]] == [PEOPLE]
    measured(await it.answer("integration", "list"))
    measured(await it.answer("integration", "show", "acme"))


async def test_a_sink_that_stands_still_is_named_with_its_seconds_and_then_with_the_time_it_needs(it: World) -> None:
    contacts = sorted(await it.hubspot.objects("contacts"), key=int)[:EDITED]
    await eventually(lambda: lag(it), lambda told: len(told["processes"]) == 5, NOTICED_S)
    it.kill("userflow-connector", signal.SIGSTOP)
    began = time.time()
    try:
        first = time.time()
        for number, contact in enumerate(contacts):
            await it.hubspot.edit("contacts", contact, {"jobtitle": f"edited {number}"})
            await asyncio.sleep(0.05)
        told = await eventually(
            lambda: lag(it),
            lambda told: (
                stage(told, "userflow sink", PATCHES)["state"] == "STOP"
                and stage(told, "userflow sink", PATCHES)["lag"] >= EDITED
                and time.time() - began > STOPPED_S
            ),
            NOTICED_S + STOPPED_S,
            1.0,
        )
        waited = time.time() - began
        sink = stage(told, "userflow sink", PATCHES)
        records, seconds = await asyncio.to_thread(independent, it)
        age = time.time() - told["at_ms"] / 1000
        truth = told["at_ms"] / 1000 - first
        measured(
            f"stopped for {waited:.1f} s: lag {sink['lag']} records {sink['behind_s']:.1f} s {sink['state']}"
            f" ({sink['why']}); independent reader: {records} records, {seconds - age:.1f} s at that time;"
            f" the truth: {truth:.1f} s"
        )
        measured(await it.answer("lag"))
        measured(await it.answer("lag", "--by", "integration"))
        assert (sink["state"], sink["lag"]) == ("STOP", records)
        before = await exported(it)
        exposed = await eventually(lambda: exported(it), lambda one: one.behind_s > before.behind_s, EXPORTED_S)
        looked = time.time() - first  # the scheduler looked a moment ago: its figure grows at each look only
        measured(f"/metrics: {exposed}; the truth: {looked:.1f} s")
        assert (exposed.lag, exposed.stopped) == (records, 1)
        assert abs(exposed.behind_s - looked) < CLOSE_S
        assert abs(sink["behind_s"] - (seconds - age)) < CLOSE_S
        assert abs(sink["behind_s"] - truth) < CLOSE_S
        assert told["oldest"]["stage"] == "userflow sink"
        said = await it.answer("lag", "--max-behind", "5s", expect=1)
        assert said.startswith("userflow sink is ")
        said = await it.answer("doctor", "--probe-within", "0s", expect=1)  # soon `up` starts the connector again
        assert "role userflow: userflow-0 gave its last sign of life" in said, said
        assert f"stage userflow sink: {EDITED} records of {PATCHES} wait" in said, said
        await it.userflow.set(rate_per_s=5)
    finally:
        it.kill("userflow-connector", signal.SIGCONT)
    told = await eventually(
        lambda: lag(it),
        lambda told: (stage(told, "userflow sink", PATCHES)["drain_s"] or 0) > 10,
        NOTICED_S,
        2.0,
    )
    sink, from_ms = stage(told, "userflow sink", PATCHES), told["at_ms"]
    assert sink["drain_s"], sink
    measured(await it.answer("lag"))
    told = await eventually(
        lambda: lag(it), lambda told: stage(told, "userflow sink", PATCHES)["lag"] == 0, DRAINED_S, 1.0
    )
    took = (told["at_ms"] - from_ms) / 1000
    measured(f"after {time.time() - began:.0f} s of this test: {cost(told)}")
    measured(f"forecast {sink['drain_s']:.0f} s, took {took:.0f} s")
    assert abs(sink["drain_s"] - took) < 0.3 * took
