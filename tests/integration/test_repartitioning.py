"""Another partition count: nothing lost, nothing handled twice, each key's order kept, wherever it is cut off."""

import os
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.moving import Mover
from connectors.kafka.partitioner import partition_of
from connectors.kafka.producer import publish_now
from connectors.kafka.reading import Found, read_to_end
from connectors.kafka.settings import publisher_config, reader_config
from connectors.kafka.topology import handled_group
from pipeline.operations.moved_topics import JOURNAL, Journal, RepartitionRefused, read_journal, refuse_beside, staged
from pipeline.operations.repartition import Repartition, TakenOver, plan, positions, waiting_commands
from pipeline.operations.stop_check import Installation
from schemas.codec import Codec
from schemas.copies import handled_by
from schemas.records import StateCommand
from schemas.registry import LocalRegistry
from schemas.topics import (
    HUBSPOT_CHANGES,
    HUBSPOT_NOTIFICATIONS,
    OBJECTS_STATE,
    STATE_COMMANDS,
    TOPICS,
    USERFLOW_FIELD_PATCHES,
    VITALS,
    WORKER_GROUP,
)
from tests.kafka import Kafka, fresh_prefix

BEFORE: Final = 4
KEYS: Final = 40
RECORDS: Final = 600
STEP: Final = int(os.environ.get("PAIRSTREAM_CUT_OFF_EVERY", "17"))
"""A change asks the brokers for some hundred things: one of so many is where it is cut off."""
NOW_MS: Final = time.time_ns() // 1_000_000
CODEC: Final = Codec(LocalRegistry())
FILLED: Final = (HUBSPOT_CHANGES, STATE_COMMANDS, HUBSPOT_NOTIFICATIONS, USERFLOW_FIELD_PATCHES)
GROUPS: Final = {
    HUBSPOT_CHANGES: (WORKER_GROUP, handled_group("objects")),
    STATE_COMMANDS: (WORKER_GROUP, handled_group("objects"), handled_group("pairs")),
    HUBSPOT_NOTIFICATIONS: ("pairstream-hubspot",),
    USERFLOW_FIELD_PATCHES: ("pairstream-userflow",),
}


class Killed(BaseException):
    """The process ended here."""


@dataclass
class KilledAt(Mover):
    """Ends the process at the n-th thing it asks of the brokers."""

    cluster: Cluster
    at: int
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.cluster)

    def _count(self, what: str) -> None:
        if len(self.done) == self.at:
            raise Killed(what)
        self.done.append(what)

    def make(self, topic: str, shape: Any) -> None:
        self._count(f"make {topic}")
        super().make(topic, shape)

    def remove(self, topics: Any) -> None:
        names = list(topics)
        self._count(f"remove {names[0]}")
        super().remove(names)

    def fence(self, transactional_ids: Any) -> None:
        self._count("fence")
        super().fence(transactional_ids)

    def spread(self, source: str, target: str, *rest: Any) -> Any:
        self._count(f"fill {target}")
        return super().spread(source, target, *rest)

    def spread_newest(self, source: str, target: str, *rest: Any) -> Any:
        self._count(f"fill {target}")
        return super().spread_newest(source, target, *rest)

    def duplicate(self, source: str, target: str, *rest: Any) -> Any:
        self._count(f"fill {target}")
        return super().duplicate(source, target, *rest)

    def tally(self, topic: str, *rest: Any) -> Any:
        self._count(f"prove {topic}")
        return super().tally(topic, *rest)

    def finish(self, topic: str, settings: Mapping[str, str]) -> None:
        self._count(f"finish {topic}")
        super().finish(topic, settings)

    def commit(self, offsets: Any) -> None:
        self._count("commit")
        super().commit(offsets)


def fill(cluster: Cluster) -> None:
    """Records of many keys on four topics, state rows, and groups that have handled a part, each its own."""
    Admin(cluster).apply_topics(BEFORE, 1)
    producer = Producer(publisher_config(cluster))
    for number in range(RECORDS):
        key = f"acme:1:hubspot:contacts:{number % KEYS}".encode()
        for topic in FILLED:
            value = f"{topic} {number}".encode()
            at_ms = NOW_MS - 3_600_000 + number * 10
            producer.produce(cluster.physical(topic), value, key, headers=[("told", b"%d" % number)], timestamp=at_ms)
        row = None if number % KEYS == 7 and number > RECORDS - KEYS else f"row {number}".encode()
        producer.produce(cluster.physical(OBJECTS_STATE), row, key)
    producer.produce(cluster.physical(VITALS), b"figures", b"worker-0")
    assert producer.flush(30) == 0
    parts = {"pairstream-worker": 1 / 4, handled_group("objects"): 1 / 2, handled_group("pairs"): 1 / 3}
    for topic, groups in GROUPS.items():
        for group in groups:
            commit(cluster, group, topic, parts.get(group, 2 / 3))


def commit(cluster: Cluster, group: str, topic: str, share: float) -> None:
    ends = Admin(cluster).end_offsets([topic])
    consumer = Consumer({**reader_config(cluster), "group.id": cluster.physical(group)})
    places = [TopicPartition(cluster.physical(topic), number, int(end * share)) for (_, number), end in ends.items()]
    consumer.commit(offsets=places, asynchronous=False)
    consumer.close()


def held(cluster: Cluster, topic: str) -> list[Found]:
    count = Admin(cluster).partitions()[topic]
    return list(read_to_end(cluster, {(topic, number): 0 for number in range(count)}))


@dataclass(frozen=True)
class Seen:
    """What a topic holds, told apart from where it stands."""

    by_key: Mapping[bytes, list[tuple[Any, ...]]]  # values in order, with time and own header
    left: Mapping[str, frozenset[bytes | None]]  # taker -> what it has not handled


def seen(cluster: Cluster, topic: str) -> Seen:
    admin, by_key = Admin(cluster), defaultdict[bytes, list[tuple[Any, ...]]](list)
    left: dict[str, set[bytes | None]] = defaultdict(set)
    handled = positions(admin, topic, admin.partitions()[topic]) if topic in GROUPS else {}
    for one in held(cluster, topic):
        assert one.partition == partition_of(one.key.decode(), admin.partitions()[topic])
        told = dict(one.headers)["told"] if topic in GROUPS else None
        by_key[one.key].append((one.value, one.at_ms, told))
        for taker, at in handled.get(one.partition, {}).items():
            if one.offset >= at and not handled_by(one.headers, taker):
                left[taker].add(one.value)
    return Seen(dict(by_key), {taker: frozenset(values) for taker, values in left.items()})


def rows(cluster: Cluster) -> dict[bytes, bytes | None]:
    newest = {one.key: one.value for one in held(cluster, OBJECTS_STATE)}
    return {key: value for key, value in newest.items() if value is not None}


def installation(cluster: Cluster) -> Installation:
    return Installation(cluster, CODEC, Admin(cluster))


def change(cluster: Cluster, after: int, mover: Mover) -> None:
    """As the command does it: from wherever the last one was cut off."""
    it = installation(cluster)
    work = Repartition(it, mover, lambda: None, lambda _: None)
    journal = read_journal(cluster, it.admin.partitions())
    if journal is None or journal.phase == "copying":
        journal = work.begin(Journal("copying", 0, after, "ada@host", 1), plan(it, mover))
    work.switch(journal)


@pytest.mark.long  # half a minute for each change
def test_nothing_is_lost_or_handled_twice_on_the_way_to_twelve_and_back(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    fill(cluster)
    before, state = {topic: seen(cluster, topic) for topic in FILLED}, rows(cluster)
    assert len(before[STATE_COMMANDS].left["objects"]) < len(before[STATE_COMMANDS].left["pairs"]) < RECORDS
    for after in (12, BEFORE):
        change(cluster, after, Mover(cluster))
        assert {Admin(cluster).partitions()[topic] for topic in TOPICS} == {after}
        assert Admin(cluster).check_topics(after) == []  # every setting too
        assert {topic: seen(cluster, topic) for topic in FILLED} == before
        assert rows(cluster) == state and len(held(cluster, OBJECTS_STATE)) == len(state) == KEYS - 1
        assert held(cluster, VITALS) == []  # figures of partitions that are no more
        assert not [name for name in Admin(cluster).partitions() if name.startswith(JOURNAL)]


@pytest.mark.by_hand  # four minutes: a dozen changes, each cut off somewhere else; last seen to pass on 2026-11-27
def test_wherever_it_is_cut_off_it_goes_on(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    fill(cluster)
    before, state = {topic: seen(cluster, topic) for topic in FILLED}, rows(cluster)
    after, at = 3, 0
    while True:
        mover = KilledAt(cluster, at)
        try:
            change(cluster, after, mover)
        except Killed:
            if f"make {JOURNAL}" in mover.done:
                with pytest.raises(RepartitionRefused, match="being changed"):
                    refuse_beside(Admin(cluster).partitions(), after)
            change(cluster, after, Mover(cluster))
        else:
            break
        assert {topic: seen(cluster, topic) for topic in FILLED} == before, mover.done
        assert rows(cluster) == state
        assert Admin(cluster).check_topics(after) == []
        after, at = (5, at + STEP) if after == 3 else (3, at + STEP)
    assert at > len(TOPICS)


@pytest.mark.long  # copies every topic
def test_a_change_that_switched_nothing_is_taken_back(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    fill(cluster)
    ids = Admin(cluster).topic_ids(TOPICS)

    def somebody_writes() -> None:
        calls.append(1)
        if len(calls) == 2:
            producer = Producer(publisher_config(cluster))
            producer.produce(cluster.physical(HUBSPOT_NOTIFICATIONS), b"news", b"acme")
            assert producer.flush(15) == 0

    calls: list[int] = []
    it, mover = installation(cluster), Mover(cluster)
    work = Repartition(it, mover, somebody_writes, lambda _: None)
    with pytest.raises(RepartitionRefused, match=r"somebody wrote to hubspot\.notifications"):
        work.begin(Journal("copying", BEFORE, 2, "ada@host", 1), plan(it, mover))
    assert Admin(cluster).topic_ids(TOPICS) == ids
    refuse_beside(Admin(cluster).partitions(), BEFORE)


@pytest.mark.long  # copies every topic
def test_who_was_replaced_deletes_nothing_more(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    fill(cluster)
    it, mover = installation(cluster), Mover(cluster)
    first = Repartition(it, mover, lambda: None, lambda _: None)
    journal = first.begin(Journal("copying", BEFORE, 2, "ada@host", 1), plan(it, mover))
    Repartition(it, mover, lambda: None, lambda _: None)
    ids = Admin(cluster).topic_ids([*TOPICS, *map(staged, FILLED)])
    with pytest.raises(TakenOver):
        first.switch(journal)
    assert Admin(cluster).topic_ids([*TOPICS, *map(staged, FILLED)]) == ids


@pytest.mark.long  # copies every topic
def test_a_transaction_that_a_killed_worker_left_open_is_ended_first(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    fill(cluster)
    left_open = Producer({**publisher_config(cluster), "transactional.id": cluster.physical("pairstream-objects-1")})
    left_open.init_transactions(15)
    left_open.begin_transaction()
    left_open.produce(cluster.physical(HUBSPOT_CHANGES), b"never", b"acme:1:hubspot:contacts:1")
    left_open.flush(15)
    publisher = Producer(publisher_config(cluster))
    publisher.produce(
        cluster.physical(HUBSPOT_CHANGES), b"behind it", b"acme:1:hubspot:contacts:1", headers={"told": b""}
    )
    assert publisher.flush(15) == 0
    change(cluster, 2, Mover(cluster))
    values = [one.value for one in held(cluster, HUBSPOT_CHANGES)]
    assert b"behind it" in values and b"never" not in values


def test_a_command_to_a_whole_partition_is_waited_for(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    Admin(cluster).apply_topics(2, 1)
    command = StateCommand("acme", 1, stage="pairs", kind="rederive")
    publish_now(cluster, CODEC, [(STATE_COMMANDS, "partition-1", command)])
    it = installation(cluster)
    told = list(waiting_commands(it, positions(it.admin, STATE_COMMANDS, 2)))
    assert len(told) == 1 and "rederive" in told[0] and "start a worker" in told[0]


def test_where_another_count_is_set_nothing_starts() -> None:
    with pytest.raises(RepartitionRefused, match="PAIRSTREAM_PARTITIONS=12"):
        refuse_beside(dict.fromkeys(TOPICS, 12), 4)
    refuse_beside(dict.fromkeys(TOPICS, 12), 12)
    refuse_beside({}, 4)  # none is made yet
