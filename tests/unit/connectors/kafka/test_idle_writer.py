"""A transactional producer that alone gets no answer is given up; brokers that are silent to all are waited for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from connectors.kafka import groups, stranded, transactions
from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable, ConsumerGroup
from connectors.kafka.transactions import TransactionalWriter, TransactionFailed

PLACE = ("hubspot.changes", 0)
KNOWN = {1: "broker"}
SOON_S = 10.0


class Client:
    """A client that is told of those brokers; None: it gets no answer."""

    def __init__(self, brokers: dict[int, str] | None) -> None:
        self.brokers = brokers
        self.looks = 0
        self.looked = threading.Event()

    def list_topics(self, topic: str = "", timeout: float = -1) -> SimpleNamespace:
        assert topic in ("", PLACE[0])
        assert timeout > 0
        self.looks += 1
        self.looked.set()
        if self.brokers is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(brokers=self.brokers)


class Producer(Client):
    """Transactions succeed, of which the test asks nothing; calls of that name wait for their answer."""

    waits_for = ""
    answer = threading.Event()

    def __init__(self, _: Any) -> None:
        super().__init__(KNOWN)
        self.commits = 0

    def init_transactions(self, _: float) -> None:
        self._wait("init")

    def begin_transaction(self) -> None: ...
    def purge(self) -> None: ...

    def send_offsets_to_transaction(self, *_: Any) -> None:
        self._wait("offsets")

    def flush(self, _: float) -> int:
        return 0

    def commit_transaction(self, _: float) -> None:
        self._wait("commit")
        self.commits += 1

    def _wait(self, name: str) -> None:
        if name == self.waits_for:
            assert self.answer.wait(SOON_S)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client that is made anew."""
    client = Client(KNOWN)
    monkeypatch.setattr(stranded, "_new_client", lambda _: client)
    monkeypatch.setattr(stranded, "LOOK_S", 0.01)
    monkeypatch.setattr(stranded, "GRACE_S", 0.01)
    return client


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch, others: Client) -> Iterator[Any]:
    monkeypatch.setattr(transactions, "Producer", Producer)
    monkeypatch.setattr(Producer, "answer", threading.Event())
    yield opened()
    Producer.answer.set()


def opened() -> Any:
    group: Any = SimpleNamespace(metadata=None)
    return TransactionalWriter(Cluster({}), "objects-0", group)


@contextmanager
def answered_once(looked: threading.Event) -> Iterator[None]:
    """The call that waits is answered as soon as somebody has looked for brokers."""

    def answer() -> None:
        assert looked.wait(SOON_S)
        Producer.answer.set()

    back = threading.Thread(target=answer)
    back.start()
    yield
    back.join()


def expired(writer: Any, offset: int = 1) -> bool:
    """Whether a write fails so that a new producer may take over."""
    with pytest.raises(TransactionFailed) as failure:
        writer.write([], {PLACE: offset})
    return failure.value.expired and not failure.value.fenced


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
    assert expired(writer)
    assert writer._producer.commits == 0


def test_one_that_was_idle_waits_for_brokers_that_are_silent_to_all(
    writer: Any, others: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a broker stood still, each producer that had been idle was replaced by one that could not open."""
    monkeypatch.setattr(transactions, "IDLE_S", 0.0)
    writer._producer.brokers = others.brokers = None
    writer.write([], {PLACE: 1})
    assert writer._producer.commits == 1


@pytest.mark.parametrize("call", ["offsets", "commit"])
@pytest.mark.parametrize("brokers", [None, {}])
def test_one_that_gets_no_answer_while_others_do_is_to_be_replaced(
    writer: Any, monkeypatch: pytest.MonkeyPatch, call: str, brokers: dict[int, str] | None
) -> None:
    """It waited for 15 s, and the worker ended: the call knows no time-out, or has one that is to be waited for."""
    monkeypatch.setattr(Producer, "waits_for", call)
    writer._producer.brokers = brokers
    assert expired(writer)
    assert writer._producer.commits == 0


def test_one_that_cannot_open_while_others_are_answered_is_to_be_replaced(
    writer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Producer, "waits_for", "init")
    monkeypatch.setattr(Producer, "list_topics", Client(None).list_topics)
    with pytest.raises(TransactionFailed) as failure:
        opened()
    assert failure.value.expired and not failure.value.fenced


@pytest.mark.parametrize(("own", "of_others"), [(KNOWN, KNOWN), (None, None), (None, {})])
def test_one_waits_for_brokers_that_are_slow_or_silent_to_all(
    writer: Any,
    others: Client,
    monkeypatch: pytest.MonkeyPatch,
    own: dict[int, str] | None,
    of_others: dict[int, str] | None,
) -> None:
    """A transaction that is under way when a broker stops goes on with it."""
    monkeypatch.setattr(Producer, "waits_for", "offsets")
    writer._producer.brokers, others.brokers = own, of_others
    with answered_once(writer._producer.looked):
        writer.write([], {PLACE: 1})
    assert writer._producer.commits == 1


def test_an_answer_that_comes_as_brokers_are_back_counts(
    writer: Any, others: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Producer, "waits_for", "commit")
    monkeypatch.setattr(stranded, "GRACE_S", SOON_S)
    writer._producer.brokers = None
    with answered_once(others.looked):
        writer.write([], {PLACE: 1})
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


# the client forgot the broker amid the transaction
DESTROYED = KafkaError(KafkaError._DESTROY_BROKER)


@pytest.mark.parametrize(
    ("error", "replaced"),
    [
        (DESTROYED, True),
        (KafkaError(KafkaError._TIMED_OUT), True),
        (KafkaError(KafkaError.UNKNOWN_PRODUCER_ID), True),
        (KafkaError(KafkaError._FATAL), False),
        (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), False),
        (KafkaError(KafkaError.INVALID_PRODUCER_EPOCH), False),
    ],
)
def test_one_that_fails_by_itself_is_to_be_replaced(
    writer: Any, monkeypatch: pytest.MonkeyPatch, error: KafkaError, replaced: bool
) -> None:
    def offsets(*_: Any) -> None:
        raise KafkaException(error)

    monkeypatch.setattr(writer._producer, "send_offsets_to_transaction", offsets)
    with pytest.raises(TransactionFailed) as failure:
        writer.write([], {PLACE: 1})
    assert failure.value.expired is replaced


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
