"""A transactional producer that was idle finds its brokers first: one that knows none any more is replaced at once."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from connectors.kafka import groups, transactions
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable, ConsumerGroup
from connectors.kafka.transactions import TransactionalWriter, TransactionFailed

PLACE = ("hubspot.changes", 0)


class Producer:
    """Transactions succeed, of which the test asks nothing; what it is told of the brokers is the test's choice."""

    def __init__(self, _: Any) -> None:
        self.brokers: dict[int, str] | None = {1: "broker"}
        self.looks = 0
        self.commits = 0
        self.unsent = 0

    def init_transactions(self, _: float) -> None: ...
    def begin_transaction(self) -> None: ...
    def send_offsets_to_transaction(self, *_: Any) -> None: ...
    def flush(self, _: float) -> int:
        return self.unsent

    def commit_transaction(self, _: float) -> None:
        self.commits += 1

    def list_topics(self, topic: str, _: float) -> SimpleNamespace:
        assert topic == PLACE[0]
        self.looks += 1
        if self.brokers is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(brokers=self.brokers)


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(transactions, "Producer", Producer)
    group: Any = SimpleNamespace(metadata=None)
    return TransactionalWriter(Cluster({}), "objects-0", group)


def test_one_that_is_at_work_asks_nothing(writer: Any) -> None:
    for offset in range(3):
        writer.write([], {PLACE: offset})
    assert (writer._producer.commits, writer._producer.looks) == (3, 0)


def test_one_that_was_idle_and_knows_its_brokers_goes_on(writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "IDLE_S", 0.0)
    writer.write([], {PLACE: 1})
    assert (writer._producer.commits, writer._producer.looks) == (1, 1)


@pytest.mark.parametrize("brokers", [None, {}])
def test_one_that_was_idle_and_knows_none_is_to_be_replaced(
    writer: Any, monkeypatch: pytest.MonkeyPatch, brokers: dict[int, str] | None
) -> None:
    monkeypatch.setattr(transactions, "IDLE_S", 0.0)
    writer._producer.brokers = brokers
    with pytest.raises(TransactionFailed) as failure:
        writer.write([], {PLACE: 1})
    assert failure.value.expired and not failure.value.fenced
    assert writer._producer.commits == 0


def test_one_that_sends_nothing_and_knows_none_is_replaced_before_the_commit(writer: Any) -> None:
    writer._producer.unsent = 4
    writer.write([], {PLACE: 1})
    assert (writer._producer.commits, writer._producer.looks) == (1, 1)  # the brokers are only slow
    writer._producer.brokers = None
    with pytest.raises(TransactionFailed) as failure:
        writer.write([], {PLACE: 2})
    assert failure.value.expired and not failure.value.fenced
    assert writer._producer.commits == 1


@pytest.mark.parametrize("amid_a_callback", [False, True])
def test_one_that_is_fenced_while_it_sends_says_so(
    writer: Any, monkeypatch: pytest.MonkeyPatch, amid_a_callback: bool
) -> None:
    fenced = KafkaException(KafkaError(KafkaError._FENCED))

    def flush(_: float) -> int:
        raise SystemError("returned NULL without setting an exception") if amid_a_callback else fenced

    def commit(_: float) -> None:
        raise fenced

    monkeypatch.setattr(writer._producer, "flush", flush)
    monkeypatch.setattr(writer._producer, "commit_transaction", commit)
    with pytest.raises(TransactionFailed) as failure:
        writer.write([], {PLACE: 1})
    assert failure.value.fenced


class Consumer:
    """Of the consumers that are made, the first ones get no answer."""

    made = 0
    silent = 1

    def __init__(self, _: Any) -> None:
        self.number = Consumer.made
        Consumer.made += 1

    def committed(self, places: Any, timeout: float) -> Any:
        if self.number < Consumer.silent:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [SimpleNamespace(topic=place.topic, partition=place.partition, offset=7) for place in places]


def test_what_a_group_has_committed_is_asked_by_a_new_client_where_the_old_one_gets_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups, "Consumer", Consumer)
    monkeypatch.setattr(Consumer, "made", 0)
    assert ConsumerGroup(Cluster({}), "pairstream-worker").committed([PLACE]) == {PLACE: 7}
    assert Consumer.made == 2


def test_brokers_that_answer_no_client_are_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "Consumer", Consumer)
    monkeypatch.setattr(groups, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(Consumer, "made", 0)
    monkeypatch.setattr(Consumer, "silent", 1_000)
    with pytest.raises(BrokersUnreachable):
        ConsumerGroup(Cluster({}), "pairstream-worker").committed([PLACE])
    assert Consumer.made > 1
