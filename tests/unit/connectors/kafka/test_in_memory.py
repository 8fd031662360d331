"""What a process has taken and not ended, as its vital signs tell it."""

from dataclasses import replace

from connectors.kafka.consumer import Taken
from connectors.kafka.in_memory import RecordsInMemory, stage_of
from schemas.records import Cause, FieldPatch
from schemas.redrives import Redriven
from schemas.vitals import InMemory, PlaceVitals

TOPIC = "userflow.field-patches"
AGAIN = Redriven("letter", 1)


def patch(integration: str, at_ms: int | None, *, run_id: str | None = None) -> FieldPatch:
    cause = None if at_ms is None else Cause("hubspot.notifications", 0, 1, at_ms)
    return FieldPatch(
        integration, 1, 1, "contacts-users", "a@b.c", "userflow", "users", "u1", {}, run_id=run_id, caused_by=cause
    )


class Counted:
    """Records of one partition, each ended by hand."""

    def __init__(self) -> None:
        self.records = RecordsInMemory(stage_of)
        self.finished: list[int] = []

    def take(self, offset: int, record: FieldPatch, partition: int = 0) -> Taken:
        taken = Taken(TOPIC, partition, offset, "acme", b"", lambda: self.finished.append(offset), AGAIN)
        begun = self.records.begun(taken, record)
        assert replace(begun, finished=taken.finished) == taken
        return begun


def test_the_oldest_is_told_by_its_first_cause_and_live_ones_apart() -> None:
    it = Counted()
    it.take(7, patch("acme", 5_000))
    it.take(8, patch("acme", 1_000, run_id="r"))
    it.take(9, patch("beta", None))
    (place,) = it.records.places()
    assert place == PlaceVitals(
        "userflow sink",
        TOPIC,
        0,
        10,
        3,
        0,
        (InMemory("acme", 2, 1, 1_000, 5_000, 8), InMemory("beta", 1, 0)),
    )


def test_what_ends_is_counted_once_and_the_record_is_finished() -> None:
    it = Counted()
    first, _ = it.take(7, patch("acme", 5_000)), it.take(8, patch("acme", 6_000))
    first.finished()
    first.finished()
    (place,) = it.records.places()
    assert (place.taken, place.finished, place.in_memory) == (2, 1, (InMemory("acme", 1, 0, 6_000, 6_000, 8),))
    assert it.finished == [7, 7]


def test_a_partition_that_was_given_back_is_told_no_more() -> None:
    it = Counted()
    it.take(7, patch("acme", 5_000), 0)
    it.take(3, patch("acme", 5_000), 1)
    it.records.forget([0])
    assert [place.partition for place in it.records.places()] == [1]


def test_the_half_of_a_connector_that_takes_a_topic() -> None:
    topics = ("hubspot.notifications", "hubspot.requests", "hubspot.timeline-events", TOPIC)
    assert [stage_of(topic) for topic in topics] == [
        "hubspot source",
        "hubspot source",
        "hubspot sink",
        "userflow sink",
    ]
