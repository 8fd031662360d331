"""A member that waits for its assignment for long is replaced, unless brokers are silent to all."""

import pytest

from connectors.kafka.cluster import Cluster
from connectors.kafka.joining import JOIN_S, LOOK_EVERY_S, Joining
from connectors.kafka.lifeline import Stranded


class Waiting:
    """One member, its clock, and brokers that answer others or do not."""

    def __init__(self) -> None:
        self.now, self.answer, self.asked = 0.0, True, 0
        self.joining = Joining(Cluster({}), "topic", told=self._answered, monotonic=lambda: self.now)

    def _answered(self, _: Cluster, __: str) -> bool:
        self.asked += 1
        return self.answer

    def goes_on(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += 0.5
            self.joining.check()


@pytest.fixture
def it() -> Waiting:
    return Waiting()


def test_it_is_replaced_after_a_while_and_looks_seldom(it: Waiting) -> None:
    it.goes_on(JOIN_S - 0.5)
    assert it.asked <= JOIN_S / LOOK_EVERY_S
    with pytest.raises(Stranded, match="no assignment for 20 s"):
        it.goes_on(LOOK_EVERY_S)


def test_an_assignment_ends_the_wait_and_its_loss_begins_another(it: Waiting) -> None:
    it.joining.end()
    it.goes_on(10 * JOIN_S)
    assert it.asked == 0
    it.joining.begin()
    it.goes_on(JOIN_S - 0.5)
    with pytest.raises(Stranded):
        it.goes_on(LOOK_EVERY_S)


def test_brokers_that_are_silent_to_all_prove_nothing(it: Waiting) -> None:
    it.answer = False
    it.goes_on(90.0)
    it.answer = True
    it.goes_on(JOIN_S - LOOK_EVERY_S)
    with pytest.raises(Stranded):
        it.goes_on(2 * LOOK_EVERY_S)
