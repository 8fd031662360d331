"""Two installations on one broker, each with an integration of the same name: neither sees anything of the other."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from confluent_kafka.admin import AdminClient

from connectors.kafka.cluster import Cluster
from schemas.topics import TOPICS
from tests.e2e.looking import plan_arrives, settled, title_arrives
from tests.e2e.world import World, messages, world
from tests.kafka import Kafka

PREFIXES = ("one", "one.and-another")  # names of the second begin as those of the first do
GROUPS = {f"pairstream-{name}" for name in ("worker", "hubspot", "userflow", "scheduler")}
GROUPS |= {"pairstream-objects-handled", "pairstream-pairs-handled"}
STEP_ID = re.compile(r"pairstream-(objects|pairs)-[0-3]")
TRANSACTIONS = "__transaction_state"
KEY_VERSION_AND_LENGTH = 4  # bytes before the id in a key of TRANSACTIONS: two short integers
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[World, World]]:
    """Two whole pipelines with the same file in force, the same people, and other values on each."""
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(world(tmp_path_factory.mktemp(prefix), kafka, PAIRSTREAM_PREFIX=prefix))
            for prefix in PREFIXES
        ]
        for it in (one, other):
            await it.pair(1)
            await it.apply()
            await it.full_sync()
            await it.converged()
        yield one, other


async def edited(it: World) -> None:
    """An edit on either side, told apart by the installation, has arrived."""
    [(contact_id, user_id)] = it.made.items()
    mine = f"of {it.cluster.prefix}"
    await it.hubspot.edit("contacts", contact_id, {"jobtitle": mine})
    await it.userflow.edit("users", user_id, {"plan": mine})
    await title_arrives(it, user_id, mine)
    await plan_arrives(it, contact_id, mine)
    await settled(it)


async def test_each_brings_its_own_values_over_and_holds_none_of_the_others(both: tuple[World, World]) -> None:
    await asyncio.gather(*map(edited, both))

    for it, other in (both, both[::-1]):
        [(contact_id, user_id)] = it.made.items()
        await title_arrives(it, user_id, f"of {it.cluster.prefix}", 0)
        await plan_arrives(it, contact_id, f"of {it.cluster.prefix}", 0)
        for topic in ("hubspot.changes", "userflow.changes", "sync.matches", "userflow.field-patches"):
            held = [str(record) for record in await asyncio.to_thread(it.records, topic)]
            assert any(f"'of {it.cluster.prefix}'" in record for record in held), topic
            assert not any(f"'of {other.cluster.prefix}'" in record for record in held), topic
        assert await it.dead_letters() == []


async def test_a_pause_of_one_pauses_only_that_one(both: tuple[World, World]) -> None:
    one, other = both
    await one.command("integration", "pause", "acme")

    for it, state in ((one, "paused"), (other, "active")):
        _, line, *_ = (await it.answer("integration", "list")).splitlines()
        assert line.split()[:2] == ["acme", state]
    await edited(other)
    await one.command("integration", "resume", "acme")


@pytest.mark.parametrize("number", [0, 1])
async def test_the_doctor_of_each_is_content(both: tuple[World, World], number: int) -> None:
    said = await both[number].command("doctor")

    assert "wrong" not in said
    assert f"{len(TOPICS)} topics" in said
    assert "integration acme: hubspot: credentials accepted" in said
    assert "as they should be" in await both[number].command("topics", "check")


async def test_the_doctor_of_a_third_misses_its_own_topics_by_name(both: tuple[World, World]) -> None:
    said = await both[0].command("doctor", expect=1, PAIRSTREAM_PREFIX="third")

    assert "third.hubspot.changes does not exist" in said


async def test_they_share_no_topic_no_group_and_no_transactional_id(both: tuple[World, World]) -> None:
    one, other = (it.cluster for it in both)
    admin = AdminClient(dict(one.client))
    listed = await asyncio.to_thread(admin.list_consumer_groups().result, 15)
    ids = logical_names(await asyncio.to_thread(transactional_ids, one), one, other)

    assert logical_names(admin.list_topics(timeout=15).topics, one, other) == (set(TOPICS), set(TOPICS))
    assert logical_names({group.group_id for group in listed.valid}, one, other) == (GROUPS, GROUPS)
    assert all(ids)
    assert all(STEP_ID.fullmatch(name) for name in (*ids[0], *ids[1]))


def logical_names(names: Iterable[str], one: Cluster, other: Cluster) -> tuple[set[str], set[str]]:
    """What each of the two has among the names on the brokers; every name belongs to one of them at most."""
    of_other = {name for name in names if other.owns(name)}
    of_one = {name for name in names if one.owns(name)} - of_other
    return set(map(one.logical, of_one)), set(map(other.logical, of_other))


def transactional_ids(cluster: Cluster) -> set[str]:
    """Every transactional id the brokers know, by the keys of their own topic: this client's admin lists none."""
    return {(message.key() or b"")[KEY_VERSION_AND_LENGTH:].decode() for message in messages(cluster, (TRANSACTIONS,))}
