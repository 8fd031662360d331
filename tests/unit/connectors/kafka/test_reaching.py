"""Whether anybody listens at the brokers' addresses."""

import socket
import threading
from collections.abc import Iterator
from typing import Final

import pytest

from connectors.kafka.cluster import Cluster
from connectors.kafka.groups import BrokersUnreachable
from connectors.kafka.reaching import check_reached

NOBODY: Final = "127.0.0.1:1"
SHORT_S: Final = 0.3
LONG_S: Final = 30.0


def cluster(*servers: str) -> Cluster:
    return Cluster({"bootstrap.servers": ",".join(servers)})


@pytest.fixture
def listening() -> Iterator[str]:
    """Somebody who takes connections and answers nothing, as a broker that stands still."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_where_nobody_listens_the_address_and_the_setting_are_named() -> None:
    with pytest.raises(BrokersUnreachable) as told:
        check_reached(cluster(NOBODY, "kafka.invalid:9092"), SHORT_S)
    assert f"no broker at {NOBODY} (connection refused), kafka.invalid:9092 (" in str(told.value)
    assert "KAFKA_BOOTSTRAP_SERVERS" in str(told.value)


@pytest.mark.parametrize("first", [(), (NOBODY,)])
def test_one_that_is_there_is_enough_though_it_is_slow_to_answer(listening: str, first: tuple[str, ...]) -> None:
    check_reached(cluster(*first, listening, NOBODY), LONG_S)


def test_a_resolver_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hangs(*_: object, **__: object) -> socket.socket:
        over.wait(LONG_S)
        raise OSError("too late")

    monkeypatch.setattr(socket, "create_connection", hangs)
    try:
        with pytest.raises(BrokersUnreachable, match=r"kafka:9092 \(no answer within 0\.3 s\)"):
            check_reached(cluster("kafka:9092"), SHORT_S)
    finally:
        over.set()


def test_a_broker_that_is_being_started_is_found() -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))  # holds the port; nobody listens there yet
        port = place.getsockname()[1]
        tried = threading.Event()

        def begin() -> None:
            tried.wait(LONG_S)
            place.listen()

        thread = threading.Thread(target=begin)
        thread.start()
        real = socket.create_connection

        def connect(address: tuple[str, int], timeout: float) -> socket.socket:
            try:
                return real(address, timeout)
            finally:
                tried.set()

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(socket, "create_connection", connect)
            check_reached(cluster(f"127.0.0.1:{port}"), LONG_S)
        thread.join()


def test_an_address_of_version_six() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with server:
        check_reached(cluster(f"[::1]:{server.getsockname()[1]}"), LONG_S)
