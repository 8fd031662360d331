"""What stands before a stage on real brokers: records are counted, transaction markers and aborted records apart."""

import time

from connectors.kafka.admin import Admin
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import ConsumerGroup
from connectors.kafka.transactions import Produced, TransactionalWriter
from pipeline.lag.facts import Place
from pipeline.lag.looking import look
from pipeline.lag.reading import Brokers
from schemas.codec import Codec
from schemas.records import Cause, Receipt
from schemas.registry import LocalRegistry
from schemas.topics import RECEIPTS
from tests.kafka import Kafka, fresh_prefix

PARTITIONS = 2
CODEC = Codec(LocalRegistry())
HANDLED = "pairstream-pairs-handled"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def receipt(caused_ms: int) -> bytes:
    cause = Cause("hubspot.notifications", 0, 1, caused_ms)
    return CODEC.encode(
        RECEIPTS,
        Receipt("acme", 1, 1, "contacts-users", "a@b.c", "userflow", "users", "u1", "parked", {}, caused_by=cause),
    )


def before_pairs(brokers: Brokers) -> Place:
    (found,) = (one for one in brokers.places({}) if (one.stage, one.topic, one.partition) == ("pairs", RECEIPTS, 0))
    return found


def write(cluster: Cluster, number: int, caused_ms: int, handled: int) -> None:
    """So many receipts on partition 0 in one transaction, which says that PAIRS has handled up to there."""
    writer = TransactionalWriter(cluster, "lag-test", ConsumerGroup(cluster, HANDLED))
    value = receipt(caused_ms)
    writer.write([Produced(RECEIPTS, "pair", value, 0) for _ in range(number)], {(RECEIPTS, 0): handled})
    writer.close()


def test_records_are_told_from_markers_and_what_was_handled_from_what_waits(kafka: Kafka) -> None:
    cluster = kafka.cluster(fresh_prefix())
    admin = Admin(cluster)
    admin.apply_topics(PARTITIONS, 1)
    brokers = Brokers(cluster, CODEC, admin, now_ms)
    began_ms = now_ms()
    assert before_pairs(brokers).unread.records == 0

    write(cluster, 3, began_ms - 60_000, 0)
    write(cluster, 2, began_ms - 5_000, 0)  # offsets 4 and 5, a marker at 3 and at 6
    place = before_pairs(brokers)
    assert (place.end, place.unread.records, place.markers, place.unread.arrived) == (7, 5, 2, 5)
    assert [one.at_ms for one in place.unread.waiting] == [began_ms - 60_000]
    assert (place.member, place.members_known) == (None, True)
    lag = look(brokers)
    assert 60 <= lag.stage_behind()["pairs"] < 120
    (state,) = {one.state for one in lag.topics if (one.stage, one.topic) == ("pairs", RECEIPTS)}
    assert state == "STOP"

    write(cluster, 1, began_ms, 4)  # offset 7, its marker at 8
    place = before_pairs(brokers)
    assert (place.position, place.end, place.unread.records, place.markers) == (4, 9, 3, 2)
    assert [one.at_ms for one in place.unread.waiting] == [began_ms - 5_000]

    write(cluster, 0, began_ms, 8)
    place = before_pairs(brokers)
    assert (place.unread.records, place.unread.waiting, place.markers) == (0, (), 1)
    assert look(brokers).oldest is None
