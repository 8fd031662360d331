"""An interrupted replay goes on exactly where it stood, and whoever is replaced publishes nothing more."""

import time
from collections.abc import Callable

import pytest

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.producer import Publisher
from connectors.kafka.reading import Found, read_to_end
from pipeline.replay.choice import Choice, named_places, replayed_by
from pipeline.replay.credit import Credit
from pipeline.replay.publishing import Publishing, PublishingDeps, TakenOver
from schemas.codec import Codec
from schemas.operating import Replay
from schemas.registry import LocalRegistry
from schemas.topics import HUBSPOT_CHANGES, REPLAYS, object_key
from tests.kafka import Kafka, fresh_prefix
from tests.unit.pipeline.core.given import contact

PARTITIONS = 2
RECORDS = 1_200
READABLE_S = 30.0
CODEC = Codec(LocalRegistry())
CHOICE = Choice("acme", 1, frozenset({("hubspot", "contacts")}))


class Killed(RuntimeError):
    """The process ended here."""


async def filled(cluster: Cluster) -> Replay:
    """Changes of many contacts, and the row of a replay of all of them."""
    admin = Admin(cluster)
    admin.apply_topics(PARTITIONS, 1)
    publisher = Publisher(cluster, CODEC)
    for number in range(RECORDS):
        key = object_key("acme", 1, "hubspot", "contacts", str(number))
        sent = publisher.send(HUBSPOT_CHANGES, key, contact(number, {"jobtitle": "Countess"}, str(number)))
    await sent
    await publisher.close()
    begins = named_places(admin.begin_offsets([HUBSPOT_CHANGES]))
    ends = named_places(admin.end_offsets([HUBSPOT_CHANGES]))
    return Replay("1-ab", "acme", 1, "running", "ada@host", 1, 1, (HUBSPOT_CHANGES,), begins, ends, begins, {})


def newest(cluster: Cluster, good: Callable[[Replay], bool] = lambda _: True) -> Replay:
    """The row once it is good, or as it is when time is up: a commit is answered before its marker can be read."""
    deadline = time.monotonic() + READABLE_S
    while ((row := _newest(cluster)) is None or not good(row)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert row is not None, "no row can be read"
    return row


def _newest(cluster: Cluster) -> Replay | None:
    rows = [one.value for one in read_to_end(cluster, {(REPLAYS, number): 0 for number in range(PARTITIONS)})]
    row = CODEC.decode(REPLAYS, rows[-1] or b"") if rows else None
    assert row is None or isinstance(row, Replay)
    return row


def replayed(cluster: Cluster) -> list[Found]:
    places = {(HUBSPOT_CHANGES, number): 0 for number in range(PARTITIONS)}
    return [one for one in read_to_end(cluster, places) if replayed_by(one.headers) is not None]


def deps(cluster: Cluster) -> PublishingDeps:
    return PublishingDeps(cluster, CODEC, lambda: 7, Credit(lambda: 0, 300))


def killed_after(published: int) -> object:
    def told(row: Replay) -> None:
        if row.published >= published:
            raise Killed

    return told


async def test_a_replay_that_was_killed_goes_on_where_it_stood(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    row = await filled(cluster)
    for published in (1, 500, 800):
        with pytest.raises(Killed):
            Publishing(deps(cluster), row).run(CHOICE, killed_after(published))  # type: ignore[arg-type]
        row = newest(cluster, lambda at: at.published >= published)  # noqa: B023 - called before the loop goes on
        assert published <= row.published < RECORDS
    last = Publishing(deps(cluster), row)
    assert last.run(CHOICE, lambda _: None).published == RECORDS
    assert last.end("completed", written=3).written == 3

    found = replayed(cluster)
    assert len(found) == RECORDS == len({one.key for one in found})
    records = [CODEC.decode(HUBSPOT_CHANGES, one.value or b"") for one in found]
    assert {(record.bulk, record.origin, record.run_id) for record in records} == {(True, "crawl", None)}
    assert all(str(record.at_ms) == record.object_id for record in records)  # old stamps
    assert all(record.caused_by.topic == HUBSPOT_CHANGES for record in records)
    row = newest(cluster, lambda at: at.state != "running")
    assert (row.state, row.published) == ("completed", RECORDS)


async def test_whoever_is_replaced_publishes_nothing_more(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    row = await filled(cluster)
    first = Publishing(deps(cluster), row)
    second: list[Publishing] = []

    def replaced(at: Replay) -> None:
        if not second:
            second.append(Publishing(deps(cluster), at))

    with pytest.raises(TakenOver):
        first.run(CHOICE, replaced)
    there = len(replayed(cluster))
    second[0].goes_on_from(newest(cluster))
    assert second[0].end("cancelled").published == there < RECORDS
    assert newest(cluster, lambda at: at.state != "running").state == "cancelled"
