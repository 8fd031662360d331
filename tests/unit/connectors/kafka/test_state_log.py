"""A partition's log goes on by a new producer where the present one is of no use, unless somebody took over."""

from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.kafka import state_log
from connectors.kafka.cluster import Cluster
from connectors.kafka.state_log import CompactedStateLog
from connectors.kafka.transactions import TransactionFailed
from schemas.codec import Codec
from schemas.registry import LocalRegistry
from schemas.topics import TopicAndPartition

TOPIC = "hubspot.changes"
USELESS = TransactionFailed("no broker", fenced=False, expired=True)
FENCED = TransactionFailed("fenced", fenced=True)


class Brokers:
    """What the brokers hold, and what becomes of each producer: the n-th fails to open or to write as it is told."""

    def __init__(self) -> None:
        self.offsets: dict[TopicAndPartition, int] = {}
        self.opening: list[TransactionFailed | None] = []
        self.writing: list[TransactionFailed | None] = []
        self.opened = 0
        self.closed = 0

    def committed(self, places: Iterable[TopicAndPartition]) -> Mapping[TopicAndPartition, int]:
        return {place: self.offsets[place] for place in places if place in self.offsets}


class Writer:
    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        brokers.opened += 1
        if brokers.opening and (failure := brokers.opening.pop(0)) is not None:
            raise failure

    def write(self, _: Sequence[Any], handled: Mapping[TopicAndPartition, int]) -> None:
        if self._brokers.writing and (failure := self._brokers.writing.pop(0)) is not None:
            raise failure
        self._brokers.offsets |= handled

    def close(self) -> None:
        self._brokers.closed += 1


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    held = Brokers()
    monkeypatch.setattr(state_log, "TransactionalWriter", lambda *_: Writer(held))
    return held


def opened(brokers: Brokers) -> CompactedStateLog:
    group: Any = SimpleNamespace(committed=brokers.committed)
    log = CompactedStateLog(Cluster({}), Codec(LocalRegistry()), group, "objects-0", "sync.objects-state", 0)
    log.open()
    assert log.handled([TOPIC]) == {topic: offset for (topic, _), offset in brokers.offsets.items()}
    return log


def test_a_producer_of_no_use_is_replaced_and_the_transaction_made_anew(brokers: Brokers) -> None:
    brokers.writing = [None, USELESS, USELESS]
    log = opened(brokers)
    log.commit([], {}, {TOPIC: 7})
    log.commit([], {}, {TOPIC: 8})
    assert (brokers.offsets, brokers.opened, brokers.closed) == ({(TOPIC, 0): 8}, 3, 2)


def test_a_new_one_that_is_of_no_use_either_is_replaced_again(brokers: Brokers) -> None:
    """A lone broker names nobody for a moment after it stood still: a producer of that moment forgets it at once."""
    brokers.opening = [USELESS, None, USELESS, USELESS]
    brokers.writing = [USELESS]
    log = opened(brokers)
    log.commit([], {}, {TOPIC: 7})
    assert (brokers.offsets, brokers.opened) == ({(TOPIC, 0): 7}, 5)


def test_the_end_of_a_transaction_that_nobody_knows_is_not_guessed(brokers: Brokers) -> None:
    """Offsets that moved: another process took the partition, or what was given up was committed after all."""
    brokers.offsets = {(TOPIC, 0): 7}
    brokers.writing = [USELESS]
    log = opened(brokers)
    brokers.offsets = {(TOPIC, 0): 8}
    with pytest.raises(TransactionFailed) as failure:
        log.commit([], {}, {TOPIC: 8})
    assert failure.value.fenced


def test_one_that_is_fenced_is_not_replaced(brokers: Brokers) -> None:
    brokers.writing = [FENCED]
    with pytest.raises(TransactionFailed) as failure:
        opened(brokers).commit([], {}, {TOPIC: 7})
    assert (failure.value.fenced, brokers.opened) == (True, 1)


@pytest.mark.parametrize("call", ["opening", "writing"])
def test_producers_that_are_of_no_use_for_long_end_it(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    log = opened(brokers)
    monkeypatch.setattr(state_log, "ANSWERED_WITHIN_S", 0.05)
    brokers.writing = [USELESS]
    setattr(brokers, call, [USELESS] * 1_000_000)
    with pytest.raises(TransactionFailed) as failure:
        log.commit([], {}, {TOPIC: 7})
    assert not failure.value.fenced
    assert brokers.offsets == {}
