"""Only the first message is waited for."""

from typing import Any, cast

import pytest
from confluent_kafka import Consumer

from connectors.kafka.arrived import arrived

WITHIN_S = 7.0


class There:
    """A consumer with so many messages in its queue, which notes how long it was asked to wait."""

    def __init__(self, number: int) -> None:
        self.left: list[Any] = list(range(1, number + 1))
        self.waits: list[float] = []

    def poll(self, within_s: float) -> Any:
        self.waits.append(within_s)
        return self.left.pop(0) if self.left else None

    def consume(self, most: int, within_s: float) -> list[Any]:
        self.waits.append(within_s)
        taken, self.left = self.left[:most], self.left[most:]
        return taken


@pytest.mark.parametrize(("there", "taken"), [(1, 1), (3, 3), (10, 4)])
def test_what_is_there_is_taken_and_nothing_more_is_waited_for(there: int, taken: int) -> None:
    consumer = There(there)
    found: tuple[Any, ...] = arrived(cast(Consumer, consumer), 4, WITHIN_S)
    assert found == tuple(range(1, taken + 1))
    assert consumer.waits == [WITHIN_S, 0]


def test_where_nothing_comes_in_time_it_is_nothing() -> None:
    consumer = There(0)
    assert arrived(cast(Consumer, consumer), 4, WITHIN_S) == () and consumer.waits == [WITHIN_S]
