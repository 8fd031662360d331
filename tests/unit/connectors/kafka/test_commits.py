"""Commits whose answers are late, lost, in any order, or of partitions that were away meanwhile."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.kafka.commits import ANSWERED_WITHIN_S, Commits
from connectors.kafka.offsets import OffsetTracker
from tests.examples import share

TOPIC = "hubspot.field-patches"
PLACE, OTHER = (TOPIC, 0), (TOPIC, 1)
PLACES = st.sampled_from([PLACE, OTHER])


def handled(tracker: OffsetTracker, place: tuple[str, int], offset: int) -> None:
    tracker.taken(place, offset)
    tracker.finished(place, offset)


def test_one_commit_is_under_way_until_it_is_answered() -> None:
    tracker = OffsetTracker()
    commits = Commits(tracker)
    handled(tracker, PLACE, 5)
    first = commits.next(0.0)
    assert first is not None and first.offsets == {PLACE: 6}
    handled(tracker, PLACE, 6)
    assert commits.next(1.0) is None
    commits.answered(first.number - 1, {PLACE: 5})  # of one before, which was given up
    assert commits.next(1.0) is None
    commits.answered(first.number, {PLACE: 6})
    second = commits.next(1.0)
    assert second is not None and second.offsets == {PLACE: 7}
    commits.answered(second.number, {PLACE: 7})
    assert commits.next(1.0) is None


def test_a_refused_commit_is_made_again() -> None:
    tracker = OffsetTracker()
    commits = Commits(tracker)
    handled(tracker, PLACE, 5)
    handled(tracker, OTHER, 8)
    first = commits.next(0.0)
    assert first is not None
    commits.answered(first.number, {OTHER: 9})  # of one partition alone
    second = commits.next(0.1)
    assert second is not None and second.offsets == {PLACE: 6}


def test_an_answer_that_is_lost_is_not_the_end_of_commits() -> None:
    tracker = OffsetTracker()
    commits = Commits(tracker)
    handled(tracker, PLACE, 5)
    first = commits.next(0.0)
    assert first is not None
    again = commits.next(ANSWERED_WITHIN_S)
    assert again is not None and again.offsets == first.offsets


def test_a_late_answer_may_have_set_the_brokers_back_so_the_offset_is_committed_again() -> None:
    tracker = OffsetTracker()
    commits = Commits(tracker)
    handled(tracker, PLACE, 5)
    first = commits.next(0.0)
    handled(tracker, PLACE, 6)
    second = commits.next(ANSWERED_WITHIN_S)
    assert first is not None and second is not None
    commits.answered(second.number, {PLACE: 7})
    commits.answered(first.number, {PLACE: 6})  # librdkafka tried the first again behind the second
    third = commits.next(ANSWERED_WITHIN_S)
    assert third is not None and third.offsets == {PLACE: 7}


def test_an_answer_says_nothing_about_a_partition_that_was_away_meanwhile() -> None:
    tracker = OffsetTracker()
    commits = Commits(tracker)
    handled(tracker, PLACE, 5)
    handled(tracker, OTHER, 5)
    first = commits.next(0.0)
    assert first is not None
    tracker.forget({PLACE})
    commits.forget({PLACE})
    handled(tracker, PLACE, 2)  # it is back, from an offset that somebody set
    commits.answered(first.number, first.offsets)
    again = commits.next(0.1)
    assert again is not None and again.offsets == {PLACE: 3}


@dataclass
class OnItsWay:
    """A commit as the brokers may take it, once or several times, at any time."""

    offsets: dict[tuple[str, int], int]
    generation: int
    taken: dict[tuple[str, int], int] = field(default_factory=dict)


class AnyOrder(RuleBasedStateMachine):
    """A member and its brokers: once all is quiet, they hold all that was handled, and never more."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = OffsetTracker()
        self.commits = Commits(self.tracker)
        self.now = 0.0
        self.brokers: dict[tuple[str, int], int] = {PLACE: 0, OTHER: 0}
        self.reached = dict(self.brokers)  # the next offset to be taken
        self.unfinished: set[tuple[tuple[str, int], int]] = set()
        self.generation = self.newest = 0
        self.on_their_way: dict[int, OnItsWay] = {}

    def taken(self, place: tuple[str, int]) -> int:
        offset = self.reached[place]
        self.tracker.taken(place, offset)
        self.reached[place] += 1
        return offset

    @rule(place=PLACES)
    def take(self, place: tuple[str, int]) -> None:
        self.unfinished.add((place, self.taken(place)))

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.unfinished)))
        self.unfinished.discard(one)
        self.tracker.finished(*one)

    @rule(waited=st.sampled_from([2 * ANSWERED_WITHIN_S, 0.1]), place=PLACES)
    def handle_and_commit(self, waited: float, place: tuple[str, int]) -> None:
        self.tracker.finished(place, self.taken(place))
        self.now += waited
        commit = self.commits.next(self.now)
        if commit is not None:
            self.newest = commit.number
            self.on_their_way[commit.number] = OnItsWay(dict(commit.offsets), self.generation)

    def arrives(self, commit: OnItsWay) -> None:
        """It is taken, or is tried again behind a later one; the brokers take none of a former generation."""
        if commit.generation == self.generation:
            self.brokers |= commit.offsets
            commit.taken = commit.offsets

    @precondition(lambda self: self.on_their_way)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        self.arrives(self.on_their_way[data.draw(st.sampled_from(sorted(self.on_their_way)))])

    @precondition(lambda self: self.on_their_way)
    @rule(data=st.data(), arrives=st.sampled_from([True, True, False]), lost=st.sampled_from([False, False, True]))
    def answer(self, data: st.DataObject, arrives: bool, lost: bool) -> None:
        """An answer is lost of the newest only: a lost one that set the brokers back would not be known of."""
        number = data.draw(st.sampled_from(sorted(self.on_their_way)))
        commit = self.on_their_way.pop(number)
        if arrives:
            self.arrives(commit)
        if not lost or number < self.newest:
            self.commits.answered(number, commit.taken)

    @rule(places=st.sampled_from([{PLACE}, {OTHER}]), by_others=st.sampled_from([-1, 0, 2]))
    def give_away_and_get_back(self, places: set[tuple[str, int]], by_others: int) -> None:
        """Others go on there, or somebody sets the offsets back."""
        self.generation += 1
        self.tracker.forget(places)
        self.commits.forget(places)
        self.unfinished = {(place, offset) for place, offset in self.unfinished if place not in places}
        for place in places:
            self.brokers[place] = max(self.brokers[place] + by_others, 0)
            self.reached[place] = self.brokers[place]

    @invariant()
    def nothing_is_committed_past_an_unfinished_record(self) -> None:
        for place, at in self.brokers.items():
            assert all(offset >= at for where, offset in self.unfinished if where == place)

    @precondition(lambda self: not any(commit.taken for commit in self.on_their_way.values()))
    @rule()
    def all_is_quiet(self) -> None:
        """What is on its way never arrives."""
        self.on_their_way.clear()
        self.now += 2 * ANSWERED_WITHIN_S
        last = self.commits.next(self.now)
        if last is not None:
            self.brokers |= last.offsets
            self.commits.answered(last.number, last.offsets)
        for place, reached in self.reached.items():
            first = min((offset for where, offset in self.unfinished if where == place), default=reached)
            assert self.brokers[place] == first


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=share(3), stateful_step_count=80)
