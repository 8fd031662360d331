"""A role that owns partitions and takes nothing is told as not alive; brokers that are away prove nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.kafka.groups import BrokersUnreachable
from pipeline.liveness import Liveness, look_at_member, look_at_store
from schemas.topics import TopicAndPartition

PLACE: TopicAndPartition = ("hubspot.requests", 2)
STILL_S = 75.0


@dataclass
class Member:
    """A membership with one partition of one topic."""

    owned: frozenset[int] = frozenset({2})
    assignments: int = 1
    offsets: dict[TopicAndPartition, int] = field(default_factory=lambda: {PLACE: 7})

    def reached(self) -> Mapping[TopicAndPartition, int]:
        return dict(self.offsets)


@dataclass
class Brokers:
    """Brokers with records in front of the member, or none, or away."""

    waiting: bool = True
    away: bool = False

    def partitions(self) -> Mapping[str, int]:
        if self.away:
            raise BrokersUnreachable("no broker answers")
        return {PLACE[0]: 4}

    def holding_after(self, offsets: Mapping[TopicAndPartition, int]) -> set[TopicAndPartition]:
        return set(offsets) if self.waiting else set()


def liveness(member: Member, brokers: Brokers, *, should_own: bool = True) -> Liveness:
    return Liveness(look_at_member(brokers, lambda: member, should_own=should_own), STILL_S)


def problems(judged: Liveness, *times: float) -> list[str | None]:
    found = []
    for now in times:
        judged.judge(now)
        found.append(judged.problem())
    return found


def test_records_that_wait_while_nothing_is_taken_end_the_life() -> None:
    told = problems(liveness(Member(), Brokers()), 0.0, 74.0, 75.0)
    assert told == [None, None, "nothing moves for 75 s: hubspot.requests[2]"]


def test_what_moves_however_slowly_lives() -> None:
    member = Member()
    judged = liveness(member, Brokers())
    for number in range(20):
        member.offsets[PLACE] = number
        judged.judge(number * 60.0)
        assert judged.problem() is None


def test_nothing_waits_at_rest() -> None:
    assert problems(liveness(Member(), Brokers(waiting=False)), 0.0, 1_000.0) == [None, None]


def test_a_member_that_holds_back_on_purpose_lives() -> None:
    assert problems(liveness(Member(offsets={}), Brokers()), 0.0, 1_000.0) == [None, None]


def test_a_member_that_should_own_a_partition_and_owns_none() -> None:
    nothing = Member(owned=frozenset(), offsets={})
    assert problems(liveness(nothing, Brokers()), 0.0, 75.0) == [
        None,
        "nothing moves for 75 s: no partition is owned",
    ]
    assert problems(liveness(nothing, Brokers(), should_own=False), 0.0, 75.0) == [None, None]


def test_a_member_that_had_partitions_between_two_looks_lives() -> None:
    member = Member(owned=frozenset(), offsets={})
    judged = liveness(member, Brokers())
    for number in range(20):
        member.assignments = number
        judged.judge(number * 15.0)
        assert judged.problem() is None


def test_brokers_that_are_away_prove_nothing_and_the_time_begins_anew() -> None:
    brokers = Brokers()
    judged = liveness(Member(), brokers)
    judged.judge(0.0)
    brokers.away = True
    judged.judge(60.0)
    brokers.away = False
    assert problems(judged, 80.0, 154.0) == [None, None]


@dataclass
class Store:
    """A receiver's store."""

    stored: int = 0
    fails: bool = True


def test_a_receiver_that_stores_nothing_though_the_brokers_answer() -> None:
    store, brokers = Store(), Brokers()
    judged = Liveness(look_at_store(brokers, store), STILL_S)
    assert problems(judged, 0.0, 74.0, 75.0)[1:] == [
        None,
        "nothing moves for 75 s: webhooks are not stored though the brokers answer",
    ]
    store.stored = 1
    assert problems(judged, 90.0) == [None]
    store.fails = False
    assert problems(judged, 400.0, 500.0) == [None, None]
    store.fails, brokers.away = True, True
    assert problems(judged, 600.0, 700.0) == [None, None]
